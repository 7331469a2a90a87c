"""What is read does not depend on where its blocks end."""

import random
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.source_files import SourceFile
from retrainer.components.lib.source_rows.cell_rules import parse_rules
from retrainer.components.lib.source_rows.column_changes import parse_columns
from retrainer.components.lib.source_rows.column_types import ColumnType
from retrainer.components.lib.source_rows.required_columns import RequiredColumns
from retrainer.components.lib.source_rows.sources import (
    csv_files,
    json_lines,
    parquet_files,
)
from retrainer.components.lib.source_rows.sources import (
    join_blocks as joining,
)
from retrainer.components.lib.source_rows.sources.base import SourceOptions
from retrainer.components.lib.source_rows.sources.open_source import open_source
from retrainer.components.lib.source_rows.span_reader import SpanReader, TypesChangedError


@pytest.fixture(autouse=True)
def blocks_as_they_are_read(monkeypatch):
    """Keeps the small blocks of these tests from being joined."""
    monkeypatch.setattr(joining, "FEW_ROWS", 1)


@pytest.fixture
def reader(tmp_path):
    """A function that makes a reader of files."""

    def make(*paths, declared=None, options=None, **more):
        def opener(path):
            @contextmanager
            def opened():
                file = SourceFile(str(path), path.stat().st_size, "")
                chosen = SourceOptions(**(options or {}))
                yield open_source(file, str(path), chosen, "1", str(tmp_path))

            return opened

        sources = [(str(path), opener(path)) for path in paths]
        return SpanReader(sources, declared or {}, **more)

    return make


def read(reader):
    """Read a span as ingestion does: once more if the first block's kinds did not hold."""
    for _ in range(2):
        try:
            rows = list(reader.read())
        except TypesChangedError:
            continue
        table = pa.concat_tables([one.table for one in rows])
        return table.combine_chunks(), [bad for one in rows for bad in one.bad]
    raise AssertionError("the kinds changed in a pass that knew them")


CELLS = {
    "integer": lambda r: str(r.randrange(-99, 99)),
    "number": lambda r: r.choice(["1.5", "-2e+3", " 7 ", ".5", "inf"]),
    "code": lambda r: r.choice(["0700", "+49", "1E5", "7", "1.5"]),
    "version": lambda r: r.choice(["3.9", "3.10", "12", "3.11"]),
    "long": lambda r: str(r.choice([7, 2**53 + 1])),
    "wide": lambda r: r.choice(["1", "18446744073709551616"]),
    "text": lambda r: r.choice(["Ulm", '"Köln\nDeutz"', '"a ""b"", c"', '"two\n\nlines"', "é"]),
    "flag": lambda r: r.choice(["true", "False"]),
    "missing": lambda r: r.choice(["", "NA", "nan"]),
}


def random_csv(seed):
    """A CSV of 400 rows, whose columns change what they hold on the way, with bad rows and blank lines."""
    r = random.Random(seed)
    columns = [r.choices(list(CELLS), k=2) for _ in range(4)]
    lines = ["a,b,c,d"]
    for row in range(400):
        # The second kind comes late: it is in another block than the first.
        cells = [CELLS[kinds[row > 300 and r.random() < 0.1]](r) for kinds in columns]
        if r.random() < 0.02:
            cells = r.choice([cells[:2], [*cells, "surplus"], ["lone"]])
        line = ",".join(cells)
        if r.random() < 0.02:
            line += "\n" * r.randrange(1, 3)
        lines.append(line)
    body = "\n".join(lines).encode() + b"\n"
    # A few cells that are no UTF-8, in rows of any number of cells.
    places = [i for i in range(10, len(body)) if body[i : i + 2] == "é".encode()]
    for place in r.sample(places, min(3, len(places))):
        body = body[:place] + b"\xff\xfe" + body[place + 2 :]
    return body


@pytest.mark.parametrize("seed", range(16))
def test_rows_kinds_and_bad_rows_of_csv_are_the_same_whatever_a_block_is(
    reader, tmp_path, monkeypatch, seed
):
    path = tmp_path / "1.csv"
    path.write_bytes(random_csv(seed))
    whole = reader(path)
    table, bad = read(whole)
    assert len(table)
    assert bad
    numbers = [row.row for row in bad]
    assert numbers == sorted(set(numbers))
    assert len(table) + len(bad) == 400
    for block_bytes in (97, 350, 4_000):
        monkeypatch.setattr(csv_files, "BLOCK_BYTES", block_bytes)
        blockwise = reader(path)
        assert read(blockwise) == (table, bad)
        assert blockwise.types == whole.types
        assert blockwise.notes() == whole.notes()


@pytest.mark.parametrize("seed", range(4))
def test_a_bad_rows_number_and_text_are_those_of_the_file(reader, tmp_path, monkeypatch, seed):
    r = random.Random(seed)
    bad_rows = sorted(r.sample(range(1, 1_000), 20))
    lines = [f'{row},"line\nbreak {row}"' for row in range(1, 1_000)]
    for row in bad_rows:
        lines[row - 1] = f"bad {row}"
    (tmp_path / "1.csv").write_text("a,b\n" + "\n".join(lines))
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 128)
    table, bad = read(reader(tmp_path / "1.csv"))
    assert [(row.row, row.text) for row in bad] == [(row, f"bad {row}") for row in bad_rows]
    assert table.column("a").to_pylist() == [i for i in range(1, 1_000) if i not in bad_rows]


@pytest.mark.parametrize("seed", range(4))
def test_json_lines_are_the_same_whatever_a_block_is(reader, tmp_path, monkeypatch, seed):
    r = random.Random(seed)
    cells = ['"Ulm"', '"K\\u00f6ln"', "null", '"2013-01-01"']
    lines = []
    for row in range(300):
        late = row > 250
        number = r.choice(["1.5", "3", "null"]) if late else str(row)
        line = f'{{"a": {number}, "b": {r.choice(cells)}' + (', "c": true}' if late else "}")
        lines.append(r.choice(["{", "", "[1]"]) if r.random() < 0.05 else line)
    path = tmp_path / "1.jsonl"
    path.write_text("\n".join(lines))
    table, bad = read(reader(path))
    assert table.column_names == ["a", "b", "c"]
    assert bad
    for block_bytes in (60, 1_000):
        monkeypatch.setattr(json_lines, "BLOCK_BYTES", block_bytes)
        assert read(reader(path)) == (table, bad)


def test_parquet_is_the_same_whatever_a_block_is(reader, tmp_path, monkeypatch):
    table = pa.table(
        {
            "a": pa.array([None, *range(500)], pa.int32()),
            "late": pa.array([None] * 400 + ["x"] * 101),
            "u": pa.array([*range(500), 2**64 - 1], pa.uint64()),
        }
    )
    pq.write_table(table, tmp_path / "1.parquet", row_group_size=128)
    whole = reader(tmp_path / "1.parquet")
    expected = read(whole)
    assert list(whole.types.values()) == [ColumnType.INTEGER, ColumnType.TEXT, ColumnType.TEXT]
    monkeypatch.setattr(parquet_files, "BLOCK_ROWS", 37)
    assert read(reader(tmp_path / "1.parquet")) == expected


def test_types_that_do_not_hold_are_reported_once_all_is_read(reader, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 64)
    (tmp_path / "1.csv").write_text("a\n" + "1\n" * 100 + "x\n" + "2\n" * 100)
    one = reader(tmp_path / "1.csv")
    blocks = one.read()
    before = []
    with pytest.raises(TypesChangedError):
        before.extend(blocks)
    assert before
    assert one.types == {"a": ColumnType.TEXT}
    assert sum(len(rows.table) for rows in one.read()) == 201


def test_files_of_a_span_have_the_columns_of_all(reader, tmp_path):
    (tmp_path / "1.csv").write_text("a,b\n1,x\n")
    (tmp_path / "2.csv").write_text("c,a\n2.5,2\n")
    table, _ = read(reader(tmp_path / "1.csv", tmp_path / "2.csv"))
    assert table.to_pydict() == {"a": [1, 2], "b": ["x", None], "c": [None, 2.5]}


def test_a_declared_type_rejects_cells_that_do_not_fit(reader, tmp_path):
    (tmp_path / "1.csv").write_text("a,b\n1,1\nx,2\n3.0,y\n4,4\n")
    declared = {"a": ColumnType.INTEGER, "b": ColumnType.NUMBER}
    table, bad = read(reader(tmp_path / "1.csv", declared=declared))
    assert table.to_pydict() == {"a": [1, 4], "b": [1.0, 4.0]}
    assert [(row.row, row.reason) for row in bad] == [
        (2, "'a' is no integer of 64 bits"),
        (3, "'b' is no number"),
    ]


def kinds_and_notes(one):
    table, _ = read(one)
    notes = {
        name: [(note.kind, note.rows, note.examples, note.reason) for note in notes]
        for name, notes in one.notes().items()
    }
    return table.to_pydict(), notes


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        (["0700", "12", "0700", "08"], ("codes", 3, ("0700", "08"), "leading zeros")),
        (["+49301", "49301"], ("codes", 1, ("+49301",), "a plus sign")),
        (["0x10", "16"], ("codes", 1, ("0x10",), "hexadecimal")),
        (["1E5", "1.5"], ("codes", 1, ("1E5",), "an exponent without a sign, as codes have")),
        (["12_34", "7"], ("codes", 1, ("12_34",), "underscores")),
        (['"1,204.50"', "7.5"], ("codes", 1, ("1,204.50",), "thousands marks")),
        (['"4,5"', "7"], ("codes", 1, ("4,5",), "a decimal comma")),
        (["5%", "7"], ("codes", 1, ("5%",), "a unit")),
        (["3.9", "3.10", "3.11"], ("versions", 1, ("3.10",), "")),
        (["9007199254740993", "1.5"], ("long", 1, ("9007199254740993",), "")),
        ([*map(str, range(9)), "n/a"], ("words", 1, ("n/a",), "")),
        ([*map(str, range(1000)), "n/a", "-", "7"], ("words", 1, ("n/a",), "")),
        (["Ulm", "NA", "NA", "null", ""], ("missing_words", 3, ("NA", "null"), "")),
    ],
)
def test_a_column_that_is_text_though_it_looks_like_numbers_says_why(reader, tmp_path, cells, note):
    (tmp_path / "1.csv").write_text("a,b\n" + "".join(f"{cell},1\n" for cell in cells))
    one = reader(tmp_path / "1.csv")
    table, notes = kinds_and_notes(one)
    missing = ("NA", "null", "")
    assert table["a"] == [None if cell in missing else cell.strip('"') for cell in cells]
    assert notes == {"a": [note]}


def test_white_space_among_numbers_is_a_missing_cell(reader, tmp_path):
    (tmp_path / "1.csv").write_text("a,b,c\n7, ,x\n ,2,y\n9,3, \n")
    table, notes = kinds_and_notes(reader(tmp_path / "1.csv"))
    assert (table, notes) == ({"a": [7, None, 9], "b": [None, 2, 3], "c": ["x", "y", " "]}, {})


@pytest.mark.parametrize(
    "cells",
    [
        # Of a writer with a fixed number of digits, of the shortest one, and of sums.
        ["12.50", "3.10", "7.00"],
        ["0.1", "3.0", "12.25"],
        ["3.9", "3.10", "1204.50"],
        ["3.9", "3.10", "-1"],
        ["33.3333333333333333", "2.5000000000000000", "3.10"],
        ["Ulm", "0700", "3.10"],
        ["Ulm", *map(str, range(8))],
    ],
)
def test_numbers_and_words_have_no_notes(reader, tmp_path, cells):
    (tmp_path / "1.csv").write_text("a\n" + "".join(f"{cell}\n" for cell in cells))
    one = reader(tmp_path / "1.csv")
    assert kinds_and_notes(one)[1] == {}
    assert one.types == {"a": ColumnType.TEXT if "Ulm" in cells else ColumnType.NUMBER}


def test_a_declared_number_takes_codes_and_says_so_but_never_in_a_key(reader, tmp_path):
    (tmp_path / "1.csv").write_text("id,zip\n0700,0700\n700,12\n7,13\n")
    declared = {"id": ColumnType.INTEGER, "zip": ColumnType.INTEGER}
    one = reader(tmp_path / "1.csv", declared=declared, strict=("id",))
    table, bad = read(one)
    assert table.to_pydict() == {"id": [700, 7], "zip": [12, 13]}
    assert [(row.row, row.cell) for row in bad] == [(1, "0700")]
    assert [note.kind for note in one.notes()["zip"]] == ["codes_as_numbers"]


def test_words_for_missing_cells_are_words_in_a_key_of_text_and_missing_in_one_of_numbers(
    reader, tmp_path
):
    rules = parse_rules(None, ".", "", {}, frozenset({"country", "id"}))
    (tmp_path / "1.csv").write_text("country,id,city\nNA,1,NA\nDE,NA,Ulm\n,3,Ulm\n")
    table, _ = read(reader(tmp_path / "1.csv", rules=rules))
    assert table.to_pydict() == {
        "country": ["NA", "DE", None], "id": [1, None, 3], "city": [None, "Ulm", "Ulm"],
    }  # fmt: skip


def test_a_row_with_several_faults_is_one_bad_row_with_all_of_them(reader, tmp_path):
    (tmp_path / "1.csv").write_bytes(b"a,b,c\nx,y,\xff\n")
    declared = {"a": ColumnType.INTEGER, "b": ColumnType.NUMBER}
    _, bad = read(reader(tmp_path / "1.csv", declared=declared))
    (row,) = bad
    assert row.reason == "'c' is not UTF-8; 'a' is no integer of 64 bits; 'b' is no number"
    assert row.text == '{"a": "x", "b": "y", "c": "\\\\xff"}'


def test_columns_left_out_are_remembered(reader, tmp_path):
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    one = reader(tmp_path / "1.csv", options={"exclude": ("b",)})
    table, _ = read(one)
    assert table.column_names == ["a"]
    assert one.excluded == {"b"}


def test_a_nested_column_is_named_with_its_file_and_type(reader, tmp_path):
    pq.write_table(pa.table({"a": [{"x": 1}]}), tmp_path / "1.parquet")
    with pytest.raises(
        RetrainerError, match=r"column 'a' of '.*1\.parquet' holds struct.*data\.drop"
    ):
        read(reader(tmp_path / "1.parquet"))


def test_only_the_columns_that_are_wanted_are_read(reader, tmp_path):
    (tmp_path / "1.csv").write_text("a,b,c\n1,x,3\n2,y,4\n")
    (tmp_path / "2.csv").write_text("b,d\nz,5\n")
    paths = tmp_path / "1.csv", tmp_path / "2.csv"
    table, _ = read(reader(*paths, only=("c", "a")))
    # The second file has none of them, and its row is one all the same.
    assert table.to_pydict() == {"a": [1, 2, None], "c": [3, 4, None], "b": [None, None, "z"]}
    assert read(reader(*paths, only=()))[0].num_rows == 3


def test_columns_that_were_known_are_there_and_keep_their_types(reader, tmp_path):
    (tmp_path / "1.csv").write_text("a,b\n1.5,x\n")
    (tmp_path / "2.csv").write_text("c,a\n7,2\n")
    whole = reader(tmp_path / "1.csv", tmp_path / "2.csv")
    read(whole)
    part = reader(tmp_path / "2.csv", known=whole.columns)
    table, _ = read(part)
    assert table.to_pydict() == {"a": [2.0], "b": [None], "c": [7]}
    assert list(part.types) == ["a", "b", "c"]
    assert list(part.columns) == ["c", "a"]


def test_rows_with_faults_stay_where_they_are_to_be_kept(reader, tmp_path):
    (tmp_path / "1.csv").write_text("a,b\n1,x\nsurplus,1,2\nmuch,2\n3,4\n")
    (tmp_path / "2.csv").write_text("a,b\n5,5\n")
    declared = {"a": ColumnType.INTEGER, "b": ColumnType.NUMBER}
    paths = tmp_path / "1.csv", tmp_path / "2.csv"
    one, two = reader(*paths, declared=declared, keep_faulty=True).read()
    assert one.table.to_pydict() == {"a": [1, None, 3], "b": [None, 2, 4]}
    assert one.faults == {0: ["'b' is no number"], 1: ["'a' is no integer of 64 bits"]}
    assert (one.numbers.tolist(), [row.row for row in one.bad]) == ([1, 3, 4], [2])
    assert (one.source, two.source, two.numbers.tolist(), two.faults) == (0, 1, [1], {})
    left_out = list(reader(*paths, declared=declared).read())
    assert [(rows.source, rows.table.num_rows) for rows in left_out] == [(0, 1), (1, 1)]
    assert [(row.row, row.cell) for row in left_out[0].bad] == [(1, "x"), (2, ""), (3, "much")]


def test_columns_that_others_are_made_of_can_be_left_out_then(reader, tmp_path):
    (tmp_path / "1.csv").write_text("Betrag,kind,at\n7,a,2024-02-29\n20,b,soon\n")
    changes = parse_columns(
        {"amount": "Betrag", "large": {"greater": ["amount", 10]}, "day": {"day": "at"}}
    )
    one = reader(tmp_path / "1.csv", changes=changes, dropped=("amount",))
    table, (bad,) = read(one)
    assert table.to_pydict() == {"kind": ["a"], "at": ["2024-02-29"], "large": [0], "day": [29]}
    assert one.excluded == {"amount"}
    assert (bad.row, bad.reason, bad.cell) == (2, "'at' is no time in ISO's form", "soon")


@pytest.mark.parametrize("count", [1, 2])
def test_sources_without_a_row_say_so_once_all_are_read(reader, tmp_path, count):
    for name in range(count):
        (tmp_path / f"{name}.csv").write_text("a\n")
    one, several = (
        r"0\.csv' has a header and no rows",
        r"none of the span's 2 files has a row; the first is '.*0\.csv'",
    )
    says = one if count == 1 else several
    with pytest.raises(RetrainerError, match=says):
        read(reader(*(tmp_path / f"{name}.csv" for name in range(count))))
    (tmp_path / "9.csv").write_text("a\n1\n")
    for place in (0, count):
        paths = [tmp_path / f"{name}.csv" for name in range(count)]
        paths.insert(place, tmp_path / "9.csv")
        assert read(reader(*paths))[0].to_pydict() == {"a": [1]}


def test_an_index_is_left_out_unless_the_settings_name_it(reader, tmp_path):
    (tmp_path / "1.csv").write_text(",Unnamed: 0,a\n0,5,1\n1,6,2\n")
    one = reader(tmp_path / "1.csv")
    assert read(one)[0].column_names == ["a"]
    assert one.excluded == {"", "Unnamed: 0"}
    assert {name: notes[0].kind for name, notes in one.notes().items()} == {
        "": "index", "Unnamed: 0": "index",
    }  # fmt: skip
    named = (
        {"declared": {"Unnamed: 0": ColumnType.INTEGER}},
        {"required": RequiredColumns({"Unnamed: 0": "data.key"}, {})},
        {"required": RequiredColumns({}, {"Unnamed: 0": "data.hash.columns"})},
    )
    for more in named:
        assert read(reader(tmp_path / "1.csv", **more))[0].column_names == ["Unnamed: 0", "a"]


def test_cells_that_python_can_not_hold_are_shown_as_text(reader, tmp_path):
    far = pa.array([10**13, 0], pa.timestamp("s"))
    pq.write_table(
        pa.table({"t": far, "b": [b"\xff", b"x"], "n": ["x", "1"]}), tmp_path / "1.parquet"
    )
    one = reader(tmp_path / "1.parquet", declared={"n": ColumnType.NUMBER})
    _, (bad,) = read(one)
    assert bad.reason == "'b' is not UTF-8; 'n' is no number"
    assert '"b": "\\\\xff"' in bad.text
    assert bad.text.startswith('{"t": "')
