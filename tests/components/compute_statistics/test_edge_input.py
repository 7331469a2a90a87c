"""Statistics of data at the edge: extreme numbers, odd and huge text, nothing at all."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from retrainer.components.compute_statistics.compute import compute
from retrainer.components.lib.report.statistics_parts import figures
from retrainer.components.lib.statistics.statistics_artifact import (
    Feature,
    common,
    features_by_name,
    missing_share,
    read_statistics,
    row_count,
)

MEGABYTE = 1 << 20


@pytest.fixture
def columns_of(make_examples, tmp_path):
    """A function that computes the statistics of two spans of the same columns, and returns those of one."""

    def go(**columns) -> dict[str, Feature]:
        table = pa.table(columns)
        table = table.append_column("late", pa.array(np.arange(len(table)) % 2))
        compute(
            make_examples({"1": table, "2": table}), str(tmp_path / "s"), str(tmp_path / "r.html")
        )
        return features_by_name(read_statistics(tmp_path / "s", "Split-train"))

    return go


def written(tmp_path: Path) -> dict[str, int]:
    """The size of all that was written, in bytes by file."""
    files = [*tmp_path.rglob("*.bin"), *tmp_path.rglob("*.pb"), tmp_path / "r.html"]
    return {str(file): file.stat().st_size for file in files}


def test_integers_at_the_ends_of_64_bits(columns_of):
    column = columns_of(x=pa.array([-(2**63), 2**63 - 1, 2**63 - 2, -1, 0], pa.int64()))["x"]
    assert (column.type, column.num_stats.min, column.num_stats.max) == (
        Feature.INT,
        -(2.0**63),
        2.0**63,
    )
    assert column.num_stats.num_zeros == 1
    assert sum(b.sample_count for b in column.num_stats.histograms[0].buckets) == pytest.approx(5)


def test_cells_that_are_no_finite_number(columns_of):
    cells = [np.nan, np.inf, -np.inf, 1.0, None, 3.0]
    column = columns_of(x=pa.array(cells, pa.float64()))["x"]
    assert (common(column).num_non_missing, common(column).num_missing) == (5, 1)
    for histogram in column.num_stats.histograms:
        assert histogram.num_nan == 1
        assert sum(bucket.sample_count for bucket in histogram.buckets) == pytest.approx(4)


def test_a_column_of_nothing_but_not_a_number(columns_of):
    column = columns_of(x=pa.array([np.nan] * 6))["x"]
    assert [histogram.num_nan for histogram in column.num_stats.histograms] == [6, 6]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([1.0, 2.0, np.inf, 3.0], "some infinite, others 1 to 3"),
        ([-np.inf, 2.0, np.inf, 3.0], "some infinite, others 2 to 3"),
        ([np.inf, np.inf], "only infinite values"),
        ([np.inf, -np.inf, np.nan], "1 NaN, only infinite values"),
        ([np.nan, np.nan], "2 NaN"),
        ([np.nan, 1.0, 3.0], "1 NaN, mean 2, median 3, std 1, 1 to 3"),
        ([1e308, -1e308], "mean 0, median 1e+308, -1e+308 to 1e+308"),
    ],
)
def test_the_report_says_what_is_true_of_numbers_that_are_not_finite(cells, words, columns_of):
    column = columns_of(x=pa.array(cells, pa.float64()))["x"]
    assert figures(column) == words


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.string(), pa.null()])
def test_a_column_of_nulls(kind, columns_of):
    column = columns_of(x=pa.nulls(6, kind))["x"]
    assert missing_share(column) == 1
    assert common(column).num_missing == 6


def test_text_of_any_characters(columns_of, tmp_path):
    texts = ["a\0b", "\N{PILE OF POO}", "", "</script>&", "日本", "a\nb"]
    column = columns_of(x=pa.array(texts))["x"]
    assert {value.value for value in column.string_stats.top_values} == set(texts)
    assert column.string_stats.unique == 6
    assert "</script>&" not in (tmp_path / "r.html").read_text()


def test_ten_megabytes_in_one_cell_are_counted_and_carried_nowhere(columns_of, tmp_path):
    texts = ["x" * (10 * MEGABYTE), "y" * (10 * MEGABYTE), "short", "short"]
    column = columns_of(x=pa.array(texts))["x"]
    assert column.string_stats.unique == 3
    assert column.string_stats.avg_length == pytest.approx((20 * MEGABYTE + 10) / 4)
    sizes = written(tmp_path)
    assert len(sizes) > 5
    assert max(sizes.values()) < MEGABYTE


def test_a_million_distinct_strings_are_counted_nearly_and_carried_nowhere(columns_of, tmp_path):
    column = columns_of(x=pa.array(np.arange(1_000_000).astype(str)))["x"]
    # A sketch of the 16,384 smallest hashes: its standard error is 1 / sqrt(16,384).
    assert column.string_stats.unique == pytest.approx(1_000_000, rel=4 / 128)
    assert common(column).num_non_missing == 1_000_000
    assert max(written(tmp_path).values()) < MEGABYTE


def test_spans_without_rows(make_examples, tmp_path):
    table = pa.table({"x": pa.array([1.0, 2.0]), "late": pa.array([0, 1])})
    spans = {"1": table.slice(0, 0), "2": table, "3": table.slice(0, 0)}
    compute(make_examples(spans), str(tmp_path / "s"), str(tmp_path / "r.html"))
    rows = {
        folder: row_count(read_statistics(tmp_path / "s", folder))
        for folder in ("Span-1", "Before-2", "Before-3", "Split-train", "Split-eval")
    }
    assert rows == {"Span-1": 0, "Before-2": 0, "Before-3": 2, "Split-train": 2, "Split-eval": 0}
