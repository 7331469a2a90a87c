"""Spans of one weekday or hour."""

import json

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from retrainer.components.lib.examples import Examples, SpanPart
from retrainer.components.lib.statistics.dataset import Dataset
from retrainer.components.validate_examples.seasonality import (
    find_season,
    keep_profiles,
    read_profiles,
)

DAYS, HOURS = "d/{span:%Y-%m-%d}.csv", "d/{span:%Y-%m-%d/%H}.csv"


@pytest.mark.parametrize(
    ("pattern", "one", "other", "same"),
    [
        (DAYS, "2024-02-26", "2024-03-04", True),
        (DAYS, "2024-02-26", "2024-03-03", False),
        (DAYS, "2024-02-26", "2024-03-05", False),
        (DAYS, "2024-03-04", "2024-02-26", True),
        (HOURS, "2024-02-28/23", "2024-02-29/23", True),
        (HOURS, "2024-02-28/23", "2024-02-29/22", False),
        (HOURS, "2024-02-28/23", "2024-03-01/00", False),
    ],
)
def test_spans_of_one_weekday_or_hour_are_alike(pattern, one, other, same):
    assert find_season([one, other], pattern).same(one, other) is same


def test_the_last_four_of_a_weekday_or_hour_are_named_oldest_first():
    assert find_season(["2024-03-04"], DAYS).earlier("2024-03-04") == [
        "2024-02-05", "2024-02-12", "2024-02-19", "2024-02-26",
    ]  # fmt: skip
    assert find_season(["2024-03-02/05"], HOURS).earlier("2024-03-02/05") == [
        "2024-02-27/05", "2024-02-28/05", "2024-02-29/05", "2024-03-01/05",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("span", "pattern"),
    [
        ("2024-03", "d/{span:%Y-%m}.csv"),
        ("2024", "d/{span:%Y}.csv"),
        ("202403041200", "d/{span:%Y%m%d%H%M}.csv"),
        ("7", "d/{span}.csv"),
        ("2024-03-04", ""),
    ],
)
def test_other_spans_have_no_season(span, pattern):
    assert find_season([span], pattern) is None


def profile(rows):
    return Dataset(tfdv.generate_statistics_from_dataframe(pd.DataFrame({"x": [1.0] * rows})))


@pytest.fixture
def version(tmp_path):
    """A function that puts a version of a span into the store, and returns its folder."""

    def put(span, digit="0", ingested=""):
        folder = tmp_path / "spans" / span / (digit * 16)
        folder.mkdir(parents=True)
        known = {"span": span, "version": digit * 16, "parts": {}, "counts": {}}
        known |= {"source_columns": ["x"], "ingested": ingested}
        (folder / "span.json").write_text(json.dumps(known))
        return folder

    return put


def test_statistics_are_kept_beside_each_span_and_once(version):
    folders = {span: version(span) for span in "123"}
    parts = [SpanPart(span, str(folder), "all", 1, ()) for span, folder in folders.items()]
    examples = Examples("x", {"train": tuple(parts[:2]), "eval": tuple(parts[2:])}, ())
    statistics = {span: profile(int(span)).statistics for span in "123"}
    keep_profiles(examples, statistics)
    files = {span: folder / "profile.pb" for span, folder in folders.items()}
    assert all(file.exists() for file in files.values())
    # The spans before one that is there were written when they were the newest.
    files["1"].unlink()
    files["3"].unlink()
    keep_profiles(examples, statistics)
    assert [span for span, file in files.items() if file.exists()] == ["2", "3"]


def test_statistics_are_read_of_the_newest_version_of_each_span_that_has_any(version, tmp_path):
    for digit, rows in (("a", 1), ("0", 2)):
        ingested = f"2024-01-0{rows}T00:00:00+00:00"
        folder = version("1", digit, ingested)
        (folder / "profile.pb").write_bytes(profile(rows).statistics.SerializeToString())
    version("2")
    (version("3") / "profile.pb").write_bytes(profile(3).statistics.SerializeToString())
    found = read_profiles(str(tmp_path), ["1", "2", "3", "4"])
    assert {span: one.rows for span, one in found.items()} == {"1": 2, "3": 3}
