"""Merged sketches are TFDV's own full pass, field by field."""

import math
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf.message import Message
from tensorflow_data_validation.statistics import stats_impl

from retrainer.components.compute_statistics.compute import compute
from retrainer.components.lib.examples import Examples, to_list_batch
from retrainer.components.lib.statistics import part_reader, sketches
from retrainer.components.lib.statistics.statistics_artifact import (
    Statistics,
    features_by_name,
    read_index,
    read_statistics,
)

# Misra-Gries keeps 1,024 values; where there are more, counts are off by up to 1/1,024 of the rows.
MISRA_GRIES = 1024
# Moments are merged in another order, which moves their last digits.
MOMENTS = re.compile(r"\.num_stats\.(mean|std_dev)$")
QUANTILES = re.compile(r"\.(histograms\[\d+\]|num_values_histogram|quantiles).*|\.median$")
TOP_VALUES = re.compile(r"\.string_stats\.(top_values|rank_histogram)")


def full_pass(tables: list[pa.Table]) -> Statistics:
    """TFDV's own statistics of all rows at once."""
    table = pa.concat_tables(tables).combine_chunks()
    (batch,) = table.to_batches()
    return stats_impl.generate_statistics_in_memory(to_list_batch(batch), tfdv.StatsOptions())


def fields(message: Message, path: str = "") -> Iterator[tuple[str, Any]]:
    for descriptor, value in message.ListFields():
        here = f"{path}.{descriptor.name}"
        if hasattr(value, "ListFields"):
            yield from fields(value, here)
        elif hasattr(value, "__len__") and not isinstance(value, str | bytes):
            for i, item in enumerate(value):
                if hasattr(item, "ListFields"):
                    yield from fields(item, f"{here}[{i}]")
                else:
                    yield f"{here}[{i}]", item
        else:
            yield here, value


def assert_equal(
    merged: Statistics, full: Statistics, data: pd.DataFrame | None = None, epsilon: float = 0.01
) -> None:
    """Compare every field of two statistics.

    Histograms must be equal too, unless the data is given: then they may differ by the quantile
    sketch's stated error.
    """
    assert merged.datasets[0].num_examples == full.datasets[0].num_examples
    left, right = features_by_name(merged), features_by_name(full)
    assert left.keys() == right.keys()
    for name, feature in left.items():
        many = right[name].string_stats.unique > MISRA_GRIES
        a, b = dict(fields(feature)), dict(fields(right[name]))
        for path in a.keys() | b.keys():
            if many and TOP_VALUES.match(path):
                continue
            if data is not None and QUANTILES.search(path):
                continue
            close = MOMENTS.search(path) is not None
            x, y = a.get(path), b.get(path)
            assert x == y or (close and _near(x, y)), (name, path, x, y)
        if many:
            _assert_counts_near(feature, right[name])
        if data is not None and feature.HasField("num_stats"):
            values = data[name].dropna().to_numpy(dtype=float)
            if len(values):
                _assert_quantiles_near(feature, values, epsilon)


def _near(x: float, y: float) -> bool:
    both_nan = math.isnan(x) and math.isnan(y)
    return both_nan or math.isclose(x, y, rel_tol=1e-12, abs_tol=1e-12)


def _assert_counts_near(merged: Any, full: Any) -> None:
    rows = full.string_stats.common_stats.num_non_missing
    exact = {
        bucket.label: bucket.sample_count for bucket in full.string_stats.rank_histogram.buckets
    }
    for bucket in merged.string_stats.rank_histogram.buckets:
        if bucket.label in exact:
            assert abs(bucket.sample_count - exact[bucket.label]) <= 2 * rows / MISRA_GRIES


def _assert_quantiles_near(merged: Any, values: np.ndarray, epsilon: float) -> None:
    # The rank of each quantile among the rows themselves; equal values span a range of ranks.
    histogram = next(h for h in merged.num_stats.histograms if h.type == h.QUANTILES)
    shares = np.cumsum([bucket.sample_count for bucket in histogram.buckets])
    shares /= shares[-1]
    for bucket, share in zip(histogram.buckets, shares, strict=True):
        lowest = np.mean(values < bucket.high_value)
        highest = np.mean(values <= bucket.high_value)
        slack = epsilon + 1 / len(values)
        assert lowest - slack <= share <= highest + slack


def test_a_year_of_flights(months, make_examples, tmp_path):
    examples = make_examples(months)
    verdict = compute(examples, str(tmp_path / "s"), str(tmp_path / "r.html"))
    assert verdict == "12 spans, 327,346 rows x 16 columns; 12 sketched now, 0 reused"

    tables = [pa.Table.from_pandas(frame, preserve_index=False) for frame in months.values()]
    train = read_statistics(tmp_path / "s", "Split-train")
    assert_equal(train, full_pass(tables[:-1]))
    assert_equal(read_statistics(tmp_path / "s", "Split-eval"), full_pass(tables[-1:]))
    assert_equal(read_statistics(tmp_path / "s", "Span-2013-05"), full_pass(tables[4:5]))
    assert read_statistics(tmp_path / "s", "Before-2013-12") == train

    index = read_index(tmp_path / "s")
    assert index.label == "late"
    assert index.spans == tuple(months)
    assert index.earlier == tuple(months)[:-1]
    assert index.skew_is_drift


def seeds(number: int) -> list[Any]:
    """The later half are slow tests."""
    marks = [() if seed < number // 2 else pytest.mark.slow for seed in range(number)]
    return [pytest.param(seed, marks=mark) for seed, mark in enumerate(marks)]


def generated(seed: int, rows: int) -> pd.DataFrame:
    """Columns of every kind: gaps, infinities, large and negative numbers, unicode, empty text."""
    rng = np.random.default_rng(seed)
    heavy = rng.standard_cauchy(rows)
    heavy[rng.random(rows) < 0.01] = np.inf
    heavy[rng.random(rows) < 0.01] = -np.inf
    names = np.array(["", "a", "ü", "日本", "a b", "x" * 300])
    frame = pd.DataFrame(
        {
            "whole": rng.integers(-(2**40), 2**40, rows),
            "gappy": pd.Series(rng.normal(size=rows)).where(rng.random(rows) < 0.7),
            "heavy": heavy,
            "zeros": np.zeros(rows),
            "text": rng.choice(names, rows),
            "many": [f"id-{value}" for value in rng.zipf(1.3, rows) % 5000],
            "a name, with spaces": rng.integers(0, 2, rows),
        }
    )
    frame.loc[rng.random(rows) < 0.2, "text"] = None
    frame["id"] = [f"{value:x}" for value in rng.permutation(rows)]
    frame["nothing"] = pd.Series([None] * rows, dtype="float64")
    frame["no text"] = pd.Series([None] * rows, dtype="object")
    frame["same"] = "gleich \N{PILE OF POO}"
    frame["huge"] = rng.choice([-(2**63), 2**63 - 1, 0], rows)
    return frame


@pytest.mark.parametrize("seed", seeds(6))
def test_any_split_of_generated_data(seed, make_examples, tmp_path):
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(50, 40_000))
    frame = generated(seed, rows).assign(late=rng.integers(0, 2, rows))
    assert_any_split_is_equal(frame, rng, make_examples, tmp_path)


@pytest.mark.parametrize("seed", seeds(4))
def test_any_split_of_flights(seed, flights, make_examples, tmp_path):
    rng = np.random.default_rng(seed)
    sample = flights.sample(int(rng.integers(10_000, 30_000)), random_state=seed)
    assert_any_split_is_equal(sample, rng, make_examples, tmp_path)


def assert_any_split_is_equal(
    frame: pd.DataFrame, rng: np.random.Generator, make_examples: Any, tmp_path: Path
) -> None:
    """Cut a frame at random into spans, and compare every folder with a full pass over its rows."""
    rows = len(frame)
    cuts = np.sort(rng.integers(0, rows + 1, int(rng.integers(1, 8))))
    bounds = [0, *cuts, rows]
    schema = pa.Table.from_pandas(frame, preserve_index=False).schema
    tables = [
        pa.Table.from_pandas(frame.iloc[a:b], schema=schema, preserve_index=False)
        for a, b in pairwise(bounds)
    ]
    spans = {f"{i:02}": table for i, table in enumerate(tables)}

    compute(make_examples(spans), str(tmp_path / "s"), str(tmp_path / "r.html"))

    for i, span in enumerate(spans):
        for folder, first, end in ((f"Span-{span}", i, i + 1), (f"Before-{span}", 0, i)):
            start, stop = bounds[first], bounds[end]
            if start < stop:
                merged = read_statistics(tmp_path / "s", folder)
                assert_equal(merged, full_pass(tables[first:end]), frame.iloc[start:stop])
    before = read_statistics(tmp_path / "s", f"Before-{len(spans) - 1:02}")
    train = read_statistics(tmp_path / "s", "Split-train")
    assert train.SerializeToString(deterministic=True) == before.SerializeToString(
        deterministic=True
    )


def test_a_month_is_what_tfdv_says_of_its_data_frame(months, make_examples, tmp_path):
    spans = {span: months[span] for span in ("2013-01", "2013-02")}
    compute(make_examples(spans), str(tmp_path / "s"), str(tmp_path / "r.html"))
    ours = read_statistics(tmp_path / "s", "Split-train")
    frame = spans["2013-01"].reset_index(drop=True)
    assert_equal(ours, tfdv.generate_statistics_from_dataframe(frame, n_jobs=1))


def test_a_span_of_many_batches_is_a_full_pass(months, make_examples, tmp_path, monkeypatch):
    monkeypatch.setattr(part_reader, "BATCH_ROWS", 1_500)
    spans = {span: months[span] for span in ("2013-01", "2013-02")}
    compute(make_examples(spans), str(tmp_path / "s"), str(tmp_path / "r.html"))
    table = pa.Table.from_pandas(spans["2013-01"], preserve_index=False)
    merged = read_statistics(tmp_path / "s", "Span-2013-01")
    assert_equal(merged, full_pass([table]), spans["2013-01"])


def test_a_weighted_column_is_a_full_pass(months, make_examples, tmp_path):
    spans = {span: months[span][:5_000] for span in ("2013-01", "2013-02")}
    options = {"weight_feature": "distance"}
    compute(make_examples(spans), str(tmp_path / "s"), str(tmp_path / "r.html"), (), options)
    tables = [pa.Table.from_pandas(frame, preserve_index=False) for frame in spans.values()]
    (batch,) = pa.concat_tables(tables[:1]).combine_chunks().to_batches()
    full = stats_impl.generate_statistics_in_memory(
        to_list_batch(batch), tfdv.StatsOptions(weight_feature="distance")
    )
    assert_equal(read_statistics(tmp_path / "s", "Span-2013-01"), full)


def test_a_wide_table_is_a_full_pass(make_examples, tmp_path):
    rng = np.random.default_rng(0)
    columns = {f"n{i}": rng.normal(size=300) for i in range(110)}
    columns |= {f"t{i}": rng.choice(["a", "b", "c"], 300) for i in range(110)}
    table = pa.table({**columns, "late": rng.integers(0, 2, 300)})
    spans = {str(i): table.slice(100 * i, 100) for i in range(3)}
    compute(make_examples(spans), str(tmp_path / "s"), str(tmp_path / "r.html"))
    merged = read_statistics(tmp_path / "s", "Split-train")
    assert len(merged.datasets[0].features) == 221 > 2 * sketches.BLOCK_COLUMNS
    assert_equal(merged, full_pass([table.slice(0, 200)]))


def test_a_hash_split_has_both_parts_of_a_span(months, make_examples, tmp_path):
    make_examples({span: months[span] for span in ("2013-01", "2013-02")})
    given = Examples.read(tmp_path / "examples")
    one, two = given.splits["train"][0], given.splits["eval"][0]
    # The same files stand in for the parts of one span.
    parts = {"train": (one,), "eval": (type(one)("2013-01", two.uri, "all", two.rows, two.files),)}
    Examples("late", parts, ("2013-01",)).write(tmp_path / "hashed")

    compute(str(tmp_path / "hashed"), str(tmp_path / "s"), str(tmp_path / "r.html"))

    both = [pa.Table.from_pandas(months[m], preserve_index=False) for m in ("2013-01", "2013-02")]
    assert_equal(read_statistics(tmp_path / "s", "Span-2013-01"), full_pass(both))
    assert read_index(tmp_path / "s").earlier == ()


@pytest.mark.parametrize("block", [sketches.BLOCK_COLUMNS, 5])
def test_beam_gives_the_same(block, months, make_examples, tmp_path, monkeypatch):
    monkeypatch.setattr(sketches, "BLOCK_COLUMNS", block)
    spans = {span: months[span].iloc[:3000] for span in ("2013-01", "2013-02", "2013-03")}
    examples = make_examples(spans)
    args = ["--runner=DirectRunner", "--direct_running_mode=in_memory"]
    verdict = compute(examples, str(tmp_path / "beam"), str(tmp_path / "r.html"), args)
    assert "3 sketched now, 0 reused" in verdict
    for sketch in (tmp_path / "store").rglob("sketch-*"):
        sketch.unlink()
    compute(examples, str(tmp_path / "here"), str(tmp_path / "r.html"))

    for folder in ("Split-train", "Split-eval", "Span-2013-02"):
        on_beam = read_statistics(tmp_path / "beam", folder)
        assert_equal(on_beam, read_statistics(tmp_path / "here", folder))
    tables = [pa.Table.from_pandas(frame, preserve_index=False) for frame in spans.values()]
    assert_equal(read_statistics(tmp_path / "beam", "Split-train"), full_pass(tables[:2]))
