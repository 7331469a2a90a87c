"""The report shows the rows that ingestion quarantined, why, and the first of them."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.compute_statistics.compute import compute
from retrainer.components.ingest_spans.ingest import ingest
from retrainer.components.lib.examples import Examples
from retrainer.components.lib.source_rows.settings import IngestSettings
from retrainer.components.lib.statistics.statistics_artifact import read_index
from retrainer.components.validate_examples.quarantine import read_quarantined
from retrainer.components.validate_examples.settings import parse_settings
from retrainer.components.validate_examples.validate import validate


@pytest.fixture
def ingested(tmp_path):
    """Two spans, the newer one with a row of each kind, and their statistics."""
    good = "".join(f"{i},{i % 7},{i % 2}\n" for i in range(300))
    (tmp_path / "s-1.csv").write_text("id,x,y\n" + good)
    other = "".join(f"{i},{i % 5},{i % 2}\n" for i in range(200))
    bad = "7,1,1\n901,<b>,\n902,3,\nbroken,SECRET,1,2,3\n"
    (tmp_path / "s-2.csv").write_text("id,x,y\n" + other + bad)
    settings = IngestSettings(label="y", key=("id",), max_bad_rows=0.1)
    store = str(tmp_path / "store")
    ingest(str(tmp_path / "s-{span}.csv"), store, settings, str(tmp_path / "examples"))
    compute(str(tmp_path / "examples"), str(tmp_path / "statistics"), str(tmp_path / "s.html"))
    return tmp_path


def read(home, with_examples=True):
    examples = Examples.read(home / "examples")
    found = read_quarantined(read_index(home / "statistics"), examples if with_examples else None)
    return {one.cause: one for one in found}


def newest_folder(home) -> Path:
    return Path(Examples.read(home / "examples").splits["eval"][0].uri)


def write_unreadable(home, rows):
    (newest_folder(home) / "unreadable.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows)
    )


def render(home):
    quiet = parse_settings(severity={"unexpected_values": "ignore", "wrong_type": "ignore"})
    out = [str(home / name) for name in ("anomalies", "schema")]
    page = home / "report.html"
    examples, statistics = str(home / "examples"), str(home / "statistics")
    validate(statistics, str(home / "store"), quiet, *out, str(page), "", examples)
    return page.read_text()


def test_rows_quarantined_are_counted_with_reason_and_examples(ingested):
    found = read(ingested)
    assert {cause: (one.span, one.rows) for cause, one in found.items()} == {
        "unreadable": ("2", 1), "unlabelled": ("2", 2), "duplicate": ("2", 1),
    }  # fmt: skip
    assert found["unlabelled"].examples == ("id 901", "id 902")
    assert found["unlabelled"].reason == "no value of y yet"
    assert found["duplicate"].reason == "a later row has the same id"
    assert {one.examples for one in read(ingested, with_examples=False).values()} == {()}
    page = render(ingested)
    assert "Quarantined rows" in page
    assert "id 901<br>id 902" in page
    assert "2 row 204: broken,SECRET,1,2,3" in page.replace("s-2.csv", "2"), "no column is private"


def test_unreadable_rows_are_counted_by_reason_with_file_and_row(ingested):
    rows = [{"file": "a.csv", "row": 1_205, "reason": "has 5 cells, not 3", "text": "x,<i>,1,2,3"}]
    rows += [{"file": "b.csv", "row": i, "reason": "is not UTF-8", "text": ""} for i in (3, 9, 11)]
    write_unreadable(ingested, rows)
    found = read(ingested)["unreadable"]
    assert found.reason == "is not UTF-8 (3); has 5 cells, not 3 (1)"
    assert found.examples == ("a.csv row 1,205: x,<i>,1,2,3", "b.csv row 3", "b.csv row 9")
    page = render(ingested)
    assert "a.csv row 1,205: x,&lt;i&gt;,1,2,3<br>b.csv row 3" in page


def test_of_many_reasons_the_frequent_ones_are_named_and_a_long_text_is_cut(ingested):
    rows = [
        {"file": "a.csv", "row": i, "reason": f"reason {i % 9}", "text": "y" * 10_000}
        for i in range(900)
    ]
    write_unreadable(ingested, rows)
    found = read(ingested)["unreadable"]
    assert found.reason.count("reason ") == 5
    assert found.reason.endswith("; other reasons (400)")
    assert all(len(example) < 120 for example in found.examples)


@pytest.mark.parametrize(("rows", "shown"), [(1, ("id 7",)), (0, ())])
def test_replaced_rows_are_shown_by_their_key(ingested, rows, shown):
    table = pa.table({"x": [3], "id": [7], "y": [1]})
    pq.write_table(table.slice(0, rows), newest_folder(ingested) / "duplicate.parquet")
    assert read(ingested)["duplicate"].examples == shown


def test_rows_without_a_key_are_shown_by_their_first_columns(ingested):
    table = pa.table({"y": [1], **{name: [7] for name in "xabcdefgh"}})
    pq.write_table(table, newest_folder(ingested) / "duplicate.parquet")
    (shown,) = read(ingested)["duplicate"].examples
    assert shown == "x 7, a 7, b 7, c 7"


@pytest.mark.parametrize(("length", "shown"), [(80, "y" * 80), (81, "y" * 79 + "…")])
def test_a_text_is_cut_beyond_eighty_characters(ingested, length, shown):
    write_unreadable(ingested, [{"file": "a", "row": 1, "reason": "r", "text": "y" * length}])
    assert read(ingested)["unreadable"].examples == (f"a row 1: {shown}",)


def test_of_rows_that_were_not_numbered_only_the_file_is_shown(ingested):
    row = {"file": "a.csv", "reason": "broken", "text": "private"}
    write_unreadable(ingested, [row, {"file": "b.csv", "row": 2, "reason": "broken", "text": None}])
    found = read(ingested)["unreadable"]
    assert found.examples == ("a.csv", "b.csv row 2")
    assert found.reason == "broken (2)"


@pytest.mark.parametrize(("count", "rest"), [(5, ""), (6, "; other reasons (1)")])
def test_five_reasons_are_named(ingested, count, rest):
    rows = [{"file": "a", "row": i, "reason": f"r{i}"} for i in range(count)]
    write_unreadable(ingested, rows)
    named = "; ".join(f"r{i} (1)" for i in range(5))
    assert read(ingested)["unreadable"].reason == named + rest


def test_files_that_are_gone_leave_the_counts(ingested):
    for file in newest_folder(ingested).iterdir():
        if file.suffix in (".jsonl", ".parquet"):
            file.unlink()
    found = read(ingested)
    assert {cause: (one.rows, one.examples) for cause, one in found.items()} == {
        "unreadable": (1, ()), "unlabelled": (2, ()), "duplicate": (1, ()),
    }  # fmt: skip
    assert found["unreadable"].reason == "unreadable"
