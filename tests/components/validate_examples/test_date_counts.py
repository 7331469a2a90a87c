"""Days are counted over all files and both sides of a split, and a column is one of dates from nine in ten on."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.lib.examples import SpanPart
from retrainer.components.validate_examples import date_counts
from retrainer.components.validate_examples.date_counts import read_days


@pytest.fixture
def part(tmp_path):
    """A function that writes a part of a span, each file a column of texts."""

    def write(*files, name="all"):
        written = []
        for i, texts in enumerate(files):
            written.append(f"{name}-{i}.parquet")
            table = pa.table({"at": pa.array(texts, pa.string()), "x": [1] * len(texts)})
            pq.write_table(table, tmp_path / written[-1])
        rows = sum(map(len, files))
        return SpanPart("1", str(tmp_path), name, rows, tuple(written))

    return write


DAY, OTHER, NONE = "2024-02-28", "2024-02-29T10:00:00Z", "2024-02-30"


def test_two_files_and_two_parts_are_counted_together(part):
    parts = [part([DAY, OTHER, None], [DAY, NONE]), part([OTHER, NONE], name="eval")]
    (days,) = read_days(parts).values()
    assert days.present == 6
    assert days.days == {DAY: 2, "2024-02-29": 2}
    assert days.impossible == {NONE: 2}
    # Kept beside each part, and read again.
    assert list(read_days(parts).values()) == [days]


@pytest.mark.parametrize(("dates", "is_one"), [(9, True), (8, False)])
def test_a_column_is_one_of_dates_where_nine_of_ten_texts_are(part, dates, is_one):
    texts = [DAY] * dates + ["unknown"] * (10 - dates)
    found = read_days([part(texts)])
    assert list(found) == (["at"] if is_one else [])
    if is_one:
        assert (found["at"].present, found["at"].days) == (10, {DAY: 9})


def test_a_file_that_begins_without_rows_does_not_hide_the_dates_of_others(part):
    (days,) = read_days([part([], [DAY] * 3)]).values()
    assert days.days == {DAY: 3}


def test_a_column_that_is_no_text_in_another_file_or_not_there_is_not_counted(part, tmp_path):
    one = part([DAY] * 3, name="text")
    for i, table in enumerate(({"at": [5], "x": [1]}, {"x": [1]})):
        pq.write_table(pa.table(table), tmp_path / f"other-{i}.parquet")
    files = (*one.files, "other-0.parquet", "other-1.parquet", *part([OTHER], name="more").files)
    (days,) = read_days([SpanPart("1", str(tmp_path), "mixed", 6, files)]).values()
    assert (days.present, days.days) == (4, {DAY: 3, "2024-02-29": 1})


def test_days_are_counted_by_their_first_ten_characters(part):
    texts = [DAY, f"{DAY} 10:00", f"{DAY}T10:00:00+02:00", f"{DAY}T1000", f"{DAY}x", "-"]
    (days,) = read_days([part(texts * 10 + [DAY] * 200)]).values()
    assert (days.present, days.days) == (260, {DAY: 250})


@pytest.mark.parametrize(("text", "is_day"), [(f"{DAY}T1", False), (f"{DAY}_10:00", False)])
def test_a_day_is_followed_by_nothing_or_a_time(part, text, is_day):
    assert bool(read_days([part([text] * 10)])) is is_day


def test_a_store_that_is_read_only_is_counted_again(part, monkeypatch):
    def deny(uri, content):
        raise PermissionError(uri)

    monkeypatch.setattr(date_counts, "write_atomic", deny)
    one = part([DAY])
    assert [read_days([one])["at"].present for _ in range(2)] == [1, 1]


def test_the_first_kilobyte_of_cells_shows_what_a_column_is(part):
    assert read_days([part([DAY] * 922 + ["x"] * 102 + ["x"] * 5000)])
    assert read_days([part(["x"] * 103 + [DAY] * 5921, name="other")]) == {}


def test_what_an_earlier_release_counted_is_taken(part, tmp_path):
    one = part([DAY])
    counted = {"at": {"present": 9, "days": {DAY: 5}, "impossible": {NONE: 4}}}
    (tmp_path / "days-all.json").write_text(json.dumps({"format": 1, "columns": counted}))
    assert read_days([one]) == {"at": date_counts.Days(9, {DAY: 5}, {NONE: 4})}
