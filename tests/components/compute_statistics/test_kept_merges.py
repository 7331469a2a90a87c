"""What came before each span is kept, so that the next run only adds its new span."""

from pathlib import Path

import pandas as pd
import pytest

from retrainer.components.compute_statistics import sketch_store, sketches
from retrainer.components.compute_statistics.compute import compute
from retrainer.components.lib.files import digest_folder
from retrainer.components.lib.statistics import features_by_name, read_statistics, row_count

MONTHS = ("2013-01", "2013-02", "2013-03", "2013-04", "2013-05")


@pytest.fixture
def run(make_examples, tmp_path):
    """A function that computes spans' statistics and returns a digest of them."""

    def go(spans) -> str:
        compute(make_examples(spans), str(tmp_path / "s"), str(tmp_path / "report.html"))
        return digest_folder(tmp_path / "s")

    return go


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """The spans whose accumulators are read, as they are."""
    spans: list[str] = []
    original = sketch_store.SketchStore.accumulators

    def accumulators(self, part, *args):
        spans.append(part.span)
        return original(self, part, *args)

    monkeypatch.setattr(sketch_store.SketchStore, "accumulators", accumulators)
    return spans


def stored(tmp_path: Path, kind: str) -> list[Path]:
    return sorted((tmp_path / "store").rglob(f"{kind}-*"))


def forget(tmp_path: Path, kind: str) -> None:
    for path in stored(tmp_path, kind):
        path.unlink()


def test_a_new_span_is_added_to_what_was_merged_before(run, months, read):
    spans = {span: months[span] for span in MONTHS}
    run({span: spans[span] for span in MONTHS[:4]})
    read.clear()
    run(spans)
    assert set(read) == {"2013-04"}, "the first three were merged already"


def test_the_same_window_merges_nothing_again(run, months, read):
    spans = {span: months[span] for span in MONTHS}
    first = run(spans)
    read.clear()
    assert run(spans) == first
    assert read == []


def test_statistics_do_not_depend_on_what_was_kept(run, months, tmp_path):
    spans = {span: months[span] for span in MONTHS}
    assert months["2013-01"].tailnum.nunique() > 1_024, "more values than TFDV counts"
    for count in (2, 3, 4):
        run({span: spans[span] for span in MONTHS[:count]})
    grown = run(spans)
    forget(tmp_path, "merge")
    assert run(spans) == grown
    forget(tmp_path, "merge")
    forget(tmp_path, "sketch")
    assert run(spans) == grown


def test_a_span_whose_rows_changed_is_merged_anew(run, months, tmp_path):
    spans = {span: months[span] for span in MONTHS[:3]}
    run(spans)
    (tmp_path / "store" / "spans" / "2013-01" / "v1").rename(tmp_path / "old")
    run({**spans, "2013-01": months["2013-01"].head(500)})
    rows = row_count(read_statistics(tmp_path / "s", "Before-2013-03"))
    assert rows == 500 + len(spans["2013-02"])


@pytest.mark.parametrize("damage", ["statistics", "accumulators", "cut"])
def test_a_damaged_merge_is_made_again_and_said_so(run, months, tmp_path, damage):
    spans = {span: months[span] for span in MONTHS[:4]}
    expected = run(spans)
    forget(tmp_path, "merge")
    run({span: spans[span] for span in MONTHS[:3]})
    (victim,) = stored(tmp_path, "merge")
    content = victim.read_bytes()
    # The statistics follow the index, the accumulators are at the end.
    place = {"statistics": len(content) // 4, "accumulators": len(content) - 1}.get(damage)
    changed = content[: len(content) // 2]
    if place is not None:
        changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    victim.write_bytes(changed)
    assert run(spans) == expected
    assert "made again" in (tmp_path / "report.html").read_text()


def test_a_column_that_has_fractions_from_the_new_span_on(run, tmp_path):
    whole = pd.DataFrame({"x": [1, 2, 3], "late": [0, 1, 0]})
    spans = {"1": whole, "2": whole, "3": whole.assign(x=[0.5, 1.5, None]), "4": whole}
    run({span: spans[span] for span in ("1", "2", "3")})
    run(spans)
    x = features_by_name(read_statistics(tmp_path / "s", "Before-4"))["x"]
    assert (x.type, x.num_stats.common_stats.num_non_missing) == (x.FLOAT, 8)
    x = features_by_name(read_statistics(tmp_path / "s", "Before-3"))["x"]
    assert (x.type, x.num_stats.mean) == (x.FLOAT, 2)


def test_columns_are_merged_block_by_block_whatever_each_span_has(
    run, months, tmp_path, monkeypatch
):
    spans = {span: months[span].head(3_000) for span in MONTHS[:4]}
    spans["2013-02"] = spans["2013-02"].drop(columns=["dep_delay", "carrier"])
    spans["2013-03"] = spans["2013-03"][sorted(spans["2013-03"].columns, reverse=True)]
    spans["2013-04"] = spans["2013-04"].assign(new=1.5)
    run(spans)
    folders = sorted(path.name for path in (tmp_path / "s").iterdir() if path.is_dir())
    whole = {folder: read_statistics(tmp_path / "s", folder) for folder in folders}
    assert len(whole) == 9
    for columns in (1, 3, 7):
        forget(tmp_path, "merge")
        forget(tmp_path, "sketch")
        monkeypatch.setattr(sketches, "BLOCK_COLUMNS", columns)
        run(spans)
        for folder, expected in whole.items():
            found = read_statistics(tmp_path / "s", folder)
            assert row_count(found) == row_count(expected)
            assert features_by_name(found) == features_by_name(expected), (columns, folder)


def test_with_a_weight_the_columns_stay_together(make_examples, months, tmp_path, monkeypatch):
    spans = {span: months[span].head(1_000) for span in MONTHS[:3]}
    found = []
    for columns in (100, 2):
        forget(tmp_path, "sketch")
        monkeypatch.setattr(sketches, "BLOCK_COLUMNS", columns)
        options = {"weight_feature": "distance"}
        compute(make_examples(spans), str(tmp_path / "s"), str(tmp_path / "r"), (), options)
        found.append(read_statistics(tmp_path / "s", "Split-train"))
    assert found[0] == found[1]
    carrier = features_by_name(found[0])["carrier"].string_stats
    assert carrier.weighted_string_stats.top_values
