"""The files of a span: which rows are in which part, what is quarantined, and what is shown of it."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.ingest_spans.hash_split import hash_fractions

ROWS = 200


@pytest.fixture
def ingest(project, monkeypatch):
    """A function that ingests one span of CSV: its record, and the rows of each of its files by their name."""
    monkeypatch.setenv("RETRAINER_HASH_KEY", "a secret of enough bytes")

    def go(text, **settings):
        project.span("3", text)
        # Split by a hash, one span is enough.
        examples, _ = project.run(window=1, split="hash", max_bad_rows=0.9, **settings)
        folder = Path(examples.splits["train"][0].uri)
        files = {file.name: pq.read_table(file).to_pylist() for file in folder.glob("*.parquet")}
        bad = folder / "unreadable.jsonl"
        if bad.exists():
            files[bad.name] = [json.loads(line) for line in bad.read_text().splitlines()]
        record = json.loads((folder / "span.json").read_text())
        parts = {
            split: [row for part in parts for row in part.read_table().to_pylist()]
            for split, parts in examples.splits.items()
        }
        return record, files, parts

    return go


def table(*columns, rows=ROWS):
    """CSV of rows; `id` is distinct, `shop` one of ten, `y` 0 or 1."""
    cells = {
        "id": [f"i{i}" for i in range(rows)],
        "shop": [f"s{i % 10}" for i in range(rows)],
        "y": [i % 2 for i in range(rows)],
    }
    lines = [",".join(str(cells[name][i]) for name in columns) for i in range(rows)]
    return "\n".join([",".join(columns), *lines, ""])


@pytest.mark.parametrize(
    ("settings", "columns"),
    [
        ({"split_by": ("shop",), "key": ("id",)}, ["shop"]),
        ({"key": ("shop", "id")}, ["shop", "id"]),
        ({}, ["id", "shop", "label"]),
    ],
)
@pytest.mark.parametrize("fraction", [0.2, 0.5])
def test_rows_below_the_fraction_evaluate(ingest, settings, columns, fraction):
    text = table("id", "shop", "y").replace("y\n", "label\n", 1)
    record, _, parts = ingest(text, eval_fraction=fraction, **settings)
    by_name = {name: [row[name] for row in parts["train"] + parts["eval"]] for name in columns}
    batch = pa.RecordBatch.from_pydict(by_name)
    below = hash_fractions(batch, columns) < fraction
    assert below.tolist() == [False] * len(parts["train"]) + [True] * len(parts["eval"])
    assert len(parts["train"]) + len(parts["eval"]) == ROWS
    assert {name: part["rows"] for name, part in record["parts"].items()} == {
        "train": len(parts["train"]), "eval": len(parts["eval"]),
    }  # fmt: skip


def test_of_a_key_the_last_row_is_kept_on_its_side(ingest):
    text = table("id", "y").replace("y\n", "label\n", 1) + "i7,5\ni8,6\ni7,9\n"
    record, files, parts = ingest(text, key=("id",), eval_fraction=0.5)
    labels = {row["id"]: row["label"] for row in parts["train"] + parts["eval"]}
    assert (labels["i7"], labels["i8"], len(labels)) == (9, 6, ROWS)
    assert sorted(row["label"] for row in files["duplicate.parquet"]) == [0, 1, 5]
    assert record["counts"] == {
        "read": ROWS + 3, "kept": ROWS, "unlabelled": 0, "unweighted": 0, "unreadable": 0, "duplicate": 3,
    }  # fmt: skip
    assert set(files).isdisjoint({"unlabelled.parquet", "unweighted.parquet", "unreadable.jsonl"})


LABELS = "id,label,other,w\n"
GOOD = "".join(f"{i},{i % 2},0.5,{1 + i}\n" for i in range(100, 120))


def test_rows_without_a_finite_label_or_weight_are_quarantined(ingest):
    text = LABELS + GOOD
    text += (
        "1,,1,1\n2,1,,1\n3,inf,1,1\n4,1,-inf,\n5,1,1,-0.5\n6,1,1,\n7,1,1,inf\n8,1,1,0\n9,x,1,1,1\n"
    )
    record, files, parts = ingest(
        text, label_keys={"a": ("label", "other")}, weight="w", key=("id",)
    )
    assert [row["id"] for row in files["unlabelled.parquet"]] == [1, 2, 3, 4]
    assert [row["id"] for row in files["unweighted.parquet"]] == [5, 6, 7]
    kept = sorted(row["id"] for row in parts["train"] + parts["eval"])
    assert kept == [8, *range(100, 120)]
    (bad,) = files["unreadable.jsonl"]
    assert (bad["row"], bad["text"]) == (29, "9,x,1,1,1")
    assert record["counts"] == {
        "read": 29, "kept": 21, "unlabelled": 4, "unweighted": 3, "unreadable": 1, "duplicate": 0,
    }  # fmt: skip
    assert record["columns"]["label"] == "double"
    assert record["source_columns"] == ["id", "label", "other", "w"]


@pytest.mark.parametrize("settings", [{"hash": ("id",)}, {"drop": ("w",)}])
def test_where_a_column_is_private_or_left_out_a_bad_row_shows_no_cell(ingest, settings):
    text = LABELS + GOOD + "Ada,1,much,1\nBea,1,1,1,surplus\n"
    record, files, _ = ingest(text, types={"other": "number"}, **settings)
    rows = files["unreadable.jsonl"]
    assert [(row["row"], row["text"], row["cell"]) for row in rows] == [(21, "", ""), (22, "", "")]
    assert record["source_columns"] == ["id", "label", "other", "w"]
    assert set(record["columns"]) == {"id", "label", "other", "w"} - set(settings.get("drop", ()))


def test_without_private_columns_a_bad_row_shows_its_cell(ingest):
    _, files, _ = ingest(LABELS + GOOD + "Ada,1,much,1\n", types={"other": "number"})
    (row,) = files["unreadable.jsonl"]
    assert (row["row"], row["reason"], row["cell"]) == (21, "'other' is no number", "much")
    assert json.loads(row["text"])["id"] == "Ada"


def test_notes_of_a_private_column_show_no_cell_but_the_words_of_the_settings(ingest):
    rows = "".join(f"0{i},0{i},{'NA' if i == 5 else f'n{i}'},{i % 2}\n" for i in range(ROWS))
    record, *_ = ingest("code,plain,name,label\n" + rows, hash=("code", "name"))
    notes = {(note["column"], note["kind"]): note for note in record["notes"]}
    assert list(notes) == [("plain", "codes"), ("name", "missing_words")]
    assert notes["plain", "codes"]["examples"] == ["00", "01", "02"]
    assert notes["name", "missing_words"]["rows"] == 1
