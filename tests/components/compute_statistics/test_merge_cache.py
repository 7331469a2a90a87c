"""What came before each span is kept, so that the next run merges what came before its newest span alone."""

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from retrainer.components.compute_statistics import merge_cache
from retrainer.components.compute_statistics.compute import compute
from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.examples import Examples, SpanPart
from retrainer.components.lib.statistics import sketch_store, sketches
from retrainer.components.lib.statistics.statistics_artifact import (
    features_by_name,
    read_index,
    read_statistics,
    row_count,
)

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


def forget(tmp_path: Path, kind: str) -> None:
    for path in (tmp_path / "store").rglob(f"{kind}-*"):
        path.unlink()


def kept_before(tmp_path: Path, span: str) -> Path:
    """The file of what came before a span."""
    (path,) = (tmp_path / "store" / "spans" / span).rglob("before-*")
    return path


def rows_before(tmp_path: Path) -> dict[str, int]:
    """Rows that came before each span, in the statistics."""
    folder = tmp_path / "s"
    return {
        span: row_count(read_statistics(folder, f"Before-{span}"))
        for span in read_index(folder).spans[1:]
    }


def test_a_window_that_slides_merges_each_earlier_span_once(run, months, read):
    run({span: months[span] for span in MONTHS[:4]})
    read.clear()
    run({span: months[span] for span in MONTHS[1:]})
    assert read == ["2013-02", "2013-03", "2013-04"]


def test_an_earlier_span_keeps_what_it_was_compared_with(run, months, tmp_path):
    rows = [len(months[span]) for span in MONTHS]
    run({span: months[span] for span in MONTHS[:4]})
    run({span: months[span] for span in MONTHS[1:]})
    assert rows_before(tmp_path) == {
        "2013-03": sum(rows[:2]),
        "2013-04": sum(rows[:3]),
        "2013-05": sum(rows[1:4]),
    }
    assert read_index(tmp_path / "s").before == {
        "2013-03": MONTHS[:2],
        "2013-04": MONTHS[:3],
        "2013-05": MONTHS[1:4],
    }


def test_the_newest_span_is_compared_with_its_window_alone(run, months, tmp_path):
    run({span: months[span] for span in MONTHS})
    run({span: months[span] for span in MONTHS[2:]})
    assert rows_before(tmp_path)["2013-05"] == len(months["2013-03"]) + len(months["2013-04"])
    train = read_statistics(tmp_path / "s", "Split-train")
    assert read_statistics(tmp_path / "s", "Before-2013-05") == train


def test_a_wider_window_compares_anew(run, months, tmp_path):
    run({span: months[span] for span in MONTHS[3:]})
    run({span: months[span] for span in MONTHS})
    rows = [len(months[span]) for span in MONTHS]
    assert list(rows_before(tmp_path).values()) == [sum(rows[:i]) for i in range(1, 5)]


def test_the_same_window_merges_nothing_again(run, months, read):
    spans = {span: months[span] for span in MONTHS}
    first = run(spans)
    read.clear()
    assert run(spans) == first
    assert read == []


def test_statistics_of_a_window_that_grew_do_not_depend_on_what_was_kept(run, months, tmp_path):
    spans = {span: months[span] for span in MONTHS}
    assert months["2013-01"].tailnum.nunique() > 1_024, "more values than TFDV counts"
    for count in (2, 3, 4):
        run({span: spans[span] for span in MONTHS[:count]})
    grown = run(spans)
    forget(tmp_path, "before")
    assert run(spans) == grown
    forget(tmp_path, "before")
    forget(tmp_path, "sketch")
    assert run(spans) == grown


def test_a_span_whose_rows_changed_is_merged_anew(run, months, tmp_path):
    spans = {span: months[span] for span in MONTHS[:3]}
    run(spans)
    (tmp_path / "store" / "spans" / "2013-01" / "v1").rename(tmp_path / "old")
    run({**spans, "2013-01": months["2013-01"].head(500)})
    assert rows_before(tmp_path) == {"2013-02": 500, "2013-03": 500 + len(spans["2013-02"])}


@pytest.mark.parametrize(
    "damage",
    [
        "cut",
        "no JSON object",
        "deep",
        "a bit",
        "no base64",
        "nothing",
        "another field",
        "half a character",
    ],
)
def test_a_damaged_file_is_made_again_and_said_so(run, months, tmp_path, damage):
    spans = {span: months[span].head(500) for span in MONTHS[:4]}
    expected = run(spans)
    victim = kept_before(tmp_path, "2013-03")
    content = json.loads(victim.read_bytes())
    statistics = bytearray(base64.b64decode(content["statistics"]))
    statistics[len(statistics) // 2] ^= 1
    victim.write_text(
        {
            "cut": victim.read_text()[:1_000],
            "no JSON object": "[1, 2]",
            "a bit": json.dumps({**content, "statistics": base64.b64encode(statistics).decode()}),
            "deep": "[" * 100_000,
            "nothing": json.dumps(
                {**content, "statistics": "", "sha256": hashlib.sha256().hexdigest()}
            ),
            "half a character": json.dumps(
                {**content, "sketches": {**content["sketches"], "\ud800": []}}
            ),
            "no base64": json.dumps({**content, "statistics": "?"}),
            "another field": json.dumps({**content, "sketches": 1}),
        }[damage]
    )
    assert run(spans) == expected
    assert "computed again" in (tmp_path / "report.html").read_text()
    run(spans)
    assert "computed again" not in (tmp_path / "report.html").read_text()


def test_what_cannot_be_kept_is_said(run, months, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError("read-only bucket")

    monkeypatch.setattr(merge_cache, "write_atomic", refuse)
    spans = {span: months[span].head(500) for span in MONTHS[:2]}
    first = run(spans)
    assert run(spans) == first
    assert "read-only bucket" in (tmp_path / "report.html").read_text()


def test_a_column_that_has_fractions_from_the_new_span_on(run, tmp_path):
    whole = pd.DataFrame({"x": [1, 2, 3], "late": [0, 1, 0]})
    spans = {"1": whole, "2": whole, "3": whole.assign(x=[0.5, 1.5, None]), "4": whole}
    run({span: spans[span] for span in ("1", "2", "3")})
    run(spans)
    x = features_by_name(read_statistics(tmp_path / "s", "Before-4"))["x"]
    assert (x.type, x.num_stats.common_stats.num_non_missing) == (x.FLOAT, 8)
    x = features_by_name(read_statistics(tmp_path / "s", "Before-3"))["x"]
    assert (x.type, x.num_stats.mean) == (x.FLOAT, 2)


def test_a_span_whose_rows_are_in_both_splits_is_joined_once(months, tmp_path, read):
    def split(span: str) -> list[SpanPart]:
        folder = tmp_path / "store" / "spans" / span / "v1"
        folder.mkdir(parents=True, exist_ok=True)
        halves = {"train": months[span][:1_000], "eval": months[span][1_000:1_500]}
        for name, frame in halves.items():
            frame.to_parquet(folder / f"{name}.parquet", index=False)
        return [
            SpanPart(span, str(folder), name, len(frame), (f"{name}.parquet",))
            for name, frame in halves.items()
        ]

    def go() -> str:
        train, evaluation = zip(*map(split, MONTHS[:2]), strict=True)
        examples = Examples("late", {"train": train, "eval": evaluation}, MONTHS[:2])
        examples.write(tmp_path / "examples")
        compute(str(tmp_path / "examples"), str(tmp_path / "s"), str(tmp_path / "report.html"))
        return digest_folder(tmp_path / "s")

    first = go()
    read.clear()
    assert go() == first
    assert sorted(read) == sorted(MONTHS[:2] * 2), "each split's parts, and no span's"
    assert row_count(read_statistics(tmp_path / "s", "Span-2013-01")) == 1_500


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
        forget(tmp_path, "before")
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


def test_nothing_is_compared_with_a_span_that_was_excluded(months, make_examples, tmp_path):
    def go(names, excluded=()):
        path = make_examples({name: months[name].head(500) for name in names})
        examples = replace(Examples.read(path), excluded=excluded)
        examples.write(path)
        compute(path, str(tmp_path / "s"), str(tmp_path / "report.html"))
        return read_index(tmp_path / "s").before

    first, second, third, fourth, fifth = MONTHS
    assert go(MONTHS[:4])[fourth] == (first, second, third)
    # Kept beside the fourth is what came before it, with the second month in it.
    assert go((third, fourth, fifth))[fourth] == (first, second, third)
    assert go((third, fourth, fifth), excluded=(second,))[fourth] == (third,)
