import decimal

import numpy as np
import pyarrow as pa
import pytest

from retrainer.components.lib.source_rows import inferred_column
from retrainer.components.lib.source_rows.casts import CastError, cast
from retrainer.components.lib.source_rows.cell_rules import CellRules
from retrainer.components.lib.source_rows.column_types import ColumnType
from retrainer.components.lib.source_rows.inferred_column import InferredColumn, infer_type
from retrainer.components.lib.source_rows.rejecting_casts import cast_or_reject, decode_text


def observed(column, narrow):
    inferred, values = infer_type(column, narrow)
    assert values.equals(cast(column, inferred))
    return inferred, values.to_pylist()


@pytest.mark.parametrize(
    ("cells", "column_type", "values"),
    [
        (["1", " -2 ", None], ColumnType.INTEGER, [1, -2, None]),
        (["9007199254740991", None], ColumnType.INTEGER, [2**53 - 1, None]),
        (
            ["9223372036854775807", None, "-9223372036854775808"],
            ColumnType.LONG,
            [2**63 - 1, None, -(2**63)],
        ),
        (["1", "2.5", "1.0E3"], ColumnType.NUMBER, [1, 2.5, 1000]),
        (["1e-05", "1.5E+10", "-2e+3", "5."], ColumnType.NUMBER, [1e-5, 1.5e10, -2000, 5]),
        (["9007199254740993", "1.5"], ColumnType.TEXT, ["9007199254740993", "1.5"]),
        (["9007199254740991", "1.5"], ColumnType.NUMBER, [2.0**53 - 1, 1.5]),
        (["12345678901234567.5", "1.5e+17"], ColumnType.NUMBER, [12345678901234567.5, 1.5e17]),
        (["-0", "0", "-0.5", "0.10"], ColumnType.NUMBER, [0, 0, -0.5, 0.1]),
        (["1.5", "nan", "inf"], ColumnType.NUMBER, [1.5, None, float("inf")]),
        (["9223372036854775808", "1"], ColumnType.TEXT, ["9223372036854775808", "1"]),
        (["9223372036854775808", "1.5"], ColumnType.TEXT, ["9223372036854775808", "1.5"]),
        (["1e+300", "1.5"], ColumnType.NUMBER, [1e300, 1.5]),
        (["true", " FALSE", None], ColumnType.BOOLEAN, [1, 0, None]),
        (["true", "1"], ColumnType.TEXT, ["true", "1"]),
        (["1", "x "], ColumnType.TEXT, ["1", "x "]),
        (["+9223372036854775808", "1.5"], ColumnType.TEXT, ["+9223372036854775808", "1.5"]),
        (["+-1"], ColumnType.TEXT, ["+-1"]),
        (["2262-04-12", "1969-12-31"], ColumnType.TEXT, ["2262-04-12", "1969-12-31"]),
        ([None, None], ColumnType.EMPTY, [None, None]),
    ],
)
def test_text_becomes_the_narrowest_type_that_holds_all_of_it(cells, column_type, values):
    assert observed(pa.array(cells, pa.string()), True) == (column_type, values)


@pytest.mark.parametrize(
    "code",
    [
        "0700", "-007", "00", "+49301", " +2", "0x10", "1E5", "1234e567", "1.5e999", "12_34", "1,204.50", "007.5",
        "+.5", "-0x1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("beside", ["7", "1.5"])
def test_a_cell_that_no_writer_of_numbers_writes_makes_text_of_its_column(code, beside):
    assert observed(pa.array([beside, code, None]), True) == (ColumnType.TEXT, [beside, code, None])


def test_text_of_a_format_with_types_stays_text():
    assert observed(pa.array(["1", "2"]), False) == (ColumnType.TEXT, ["1", "2"])


@pytest.mark.parametrize(
    ("column", "column_type", "values"),
    [
        (pa.array([1, None], pa.int8()), ColumnType.INTEGER, [1, None]),
        (pa.array([1, 2**53 + 1, None]), ColumnType.LONG, [1, 2**53 + 1, None]),
        (pa.array([decimal.Decimal(7), None], pa.decimal128(38, 0)), ColumnType.INTEGER, [7, None]),
        (
            pa.array([decimal.Decimal(2**53 + 1)], pa.decimal128(38, 0)),
            ColumnType.LONG,
            [2**53 + 1],
        ),
        (
            pa.array([decimal.Decimal(10**20)], pa.decimal128(38, 0)),
            ColumnType.TEXT,
            ["1" + 20 * "0"],
        ),
        (
            pa.array([decimal.Decimal(2**53 + 1), None], pa.decimal128(38, 9)),
            ColumnType.TEXT,
            ["9007199254740993.000000000", None],
        ),
        (pa.array([1, 2**64 - 1], pa.uint64()), ColumnType.TEXT, ["1", "18446744073709551615"]),
        (pa.array([True, None]), ColumnType.INTEGER, [1, None]),
        (pa.array([np.float16(1.5), None], pa.float16()), ColumnType.NUMBER, [1.5, None]),
        (pa.array([1.5, float("nan")], pa.float32()), ColumnType.NUMBER, [1.5, None]),
        (pa.array([decimal.Decimal("1.50"), None]), ColumnType.NUMBER, [1.5, None]),
        (pa.array([-1, 2932896], pa.date32()), ColumnType.TEXT, ["1969-12-31", "9999-12-31"]),
        (
            pa.array([-62135596800, 253402300799], pa.timestamp("s")),
            ColumnType.TEXT,
            ["0001-01-01 00:00:00", "9999-12-31 23:59:59"],
        ),
        (pa.array([-1], pa.timestamp("us")), ColumnType.TEXT, ["1969-12-31 23:59:59.999999"]),
        (
            pa.array([2**63 - 1], pa.timestamp("ns")),
            ColumnType.TEXT,
            ["2262-04-11 23:47:16.854775807"],
        ),
        (pa.array([61, None], pa.time32("s")), ColumnType.TEXT, ["00:01:01", None]),
        (pa.array([61, None], pa.duration("s")), ColumnType.NUMBER, [61, None]),
        (pa.array([61_500_000_001], pa.duration("ns")), ColumnType.NUMBER, [61.500000001]),
        (pa.array(["a", "b", None]).dictionary_encode(), ColumnType.TEXT, ["a", "b", None]),
        (pa.array([5, 6]).dictionary_encode(), ColumnType.INTEGER, [5, 6]),
        (pa.array(["a", None], pa.large_string()), ColumnType.TEXT, ["a", None]),
        (pa.array([b"a", None], pa.binary()), ColumnType.TEXT, ["a", None]),
        (pa.array([b"a", None], pa.large_binary()), ColumnType.TEXT, ["a", None]),
        (pa.array([b"ab", None], pa.binary(2)), ColumnType.TEXT, ["ab", None]),
        (pa.nulls(2), ColumnType.EMPTY, [None, None]),
        (pa.array([None], pa.list_(pa.int64())), ColumnType.EMPTY, [None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_types_of_parquet_become_column_types(column, column_type, values):
    decoded, rejected, _ = decode_text(column)
    assert not len(rejected)
    assert observed(decoded, False) == (column_type, values)


def test_views_of_text_are_text():
    if not hasattr(pa, "string_view"):
        pytest.skip("this pyarrow has no views of strings")
    for column in (pa.array(["a"], pa.string_view()), pa.array([b"a"], pa.binary_view())):
        assert observed(decode_text(column)[0], False) == (ColumnType.TEXT, ["a"])


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1]]),
        pa.array([{"a": 1}]),
        pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
    ],
)
@pytest.mark.parametrize("column_type", [ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.TEXT])
def test_nested_columns_have_no_column_type(column, column_type):
    with pytest.raises(CastError):
        infer_type(column, False)
    with pytest.raises(CastError):
        cast_or_reject(column, column_type)


BLOCKS = {
    "versions": (["3.9", "3.11", "3.10", None, "3.8"], ColumnType.TEXT),
    "numbers": (["3.9", "3.11", "7", None, "3.12"], ColumnType.NUMBER),
    "measures": (["3.9", "3.10", "-3.5", "3.11"], ColumnType.NUMBER),
    "whole": (["1", None, "7", "1000"], ColumnType.INTEGER),
    "long": (["1", "9007199254740993", None, "2"], ColumnType.LONG),
    "long beside a fraction": (["9007199254740993", "1.5", "2"], ColumnType.TEXT),
    "codes": (["7", "0700", None, "0700", "8", "+9"], ColumnType.TEXT),
    "codes after missing cells": ([*[None] * 64, "0700", "7"], ColumnType.TEXT),
    "a word": (["7", "0700", "seven", "NA", "8"], ColumnType.TEXT),
    "a word among numbers": (
        ["7", "2.5", None, "n/a", *map(str, range(9)), "true"],
        ColumnType.TEXT,
    ),
    "a late word among numbers": ([*map(str, range(1000)), "true", None, "-"], ColumnType.TEXT),
    "a flag among numbers": ([*map(str, range(9)), "true"], ColumnType.TEXT),
    "flags": (["true", None, "false"], ColumnType.BOOLEAN),
    "flags and numbers": (["1", "true", "0"], ColumnType.TEXT),
    "nothing": ([None, "NA", ""], ColumnType.EMPTY),
    "missing words": (["a", "NA", "b", "null", "NA"], ColumnType.TEXT),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_the_type_and_the_notes_do_not_depend_on_where_blocks_end(name):
    cells, column_type = BLOCKS[name]

    def read(*blocks):
        column = InferredColumn(None)
        for block in blocks:
            column.add(pa.array(block, pa.string()), CellRules())
        column.finish()
        return column.type, column.notes()

    whole = read(cells)
    assert whole[0] == column_type
    for end in range(1, len(cells)):
        assert read(cells[:end], cells[end:]) == whole, cells[end:]
    assert read(*([cell] for cell in cells)) == whole


def test_a_block_of_plain_numbers_is_cast_at_once(monkeypatch):
    column = InferredColumn(None)
    column.add(pa.array(["1.5", "NA"]), CellRules())
    monkeypatch.setattr(CellRules, "as_text", None)
    assert column.add(pa.array(["3.5", "4"]), CellRules())[0].to_pylist() == [3.5, 4]
    # Where a number may mean that a cell is missing, each cell is looked at.
    with pytest.raises(TypeError):
        column.add(pa.array(["3.5"]), CellRules(null_values=("", "-1")))
    with pytest.raises(TypeError):
        column.add(pa.array(["3.5"]), CellRules(decimal=","))


def test_words_among_the_first_cells_spare_a_column_from_being_parsed(monkeypatch):
    tried = []

    def note(column, target):
        tried.append((target, len(column)))
        return cast(column, target)

    monkeypatch.setattr(inferred_column, "cast", note)
    words = pa.array(["Ulm"] * 64 + ["7"] * 1000)
    assert infer_type(words, True)[0] == ColumnType.TEXT
    assert tried == [(ColumnType.BOOLEAN, 64), (ColumnType.TEXT, 1064)]


def test_a_cell_that_means_a_missing_one_is_none_where_a_number_is_meant():
    column = InferredColumn(None)
    rules = CellRules(null_values=("", "-1"))
    read = [
        column.add(pa.array(cells), rules)[0].to_pylist() for cells in (["7", "-1"], ["-1", "8"])
    ]
    assert read == [[7, None], [None, 8]]
    assert (column.type, column.notes()) == (ColumnType.INTEGER, [])


def test_a_finished_column_keeps_its_type_and_its_notes():
    column = InferredColumn(None)
    column.add(pa.array(["0700", "NA", "7"]), CellRules())
    column.finish()
    before = column.notes()
    assert [(note.kind, note.rows) for note in before] == [("missing_words", 1), ("codes", 1)]
    assert column.add(pa.array(["8", "NA", "09"]), CellRules())[0].to_pylist() == ["8", None, "09"]
    assert column.notes() == before
    whole = InferredColumn(None)
    whole.add(pa.array([1]), None)
    whole.finish()
    with pytest.raises(CastError):
        whole.add(pa.array(["x"]), None)


@pytest.mark.parametrize(
    ("declared", "strict", "values", "rejected", "notes"),
    [
        (ColumnType.INTEGER, False, [700, 7, None], [2], [("codes_as_numbers", 1)]),
        (ColumnType.INTEGER, True, [None, 7, None], [0, 2], [("codes_as_numbers", 1)]),
        (ColumnType.TEXT, False, ["0700", "7", "x"], [], []),
        (ColumnType.LIST, False, ['["0700"]', '["7"]', '["x"]'], [], []),
    ],
)
def test_a_declared_type_takes_codes_unless_it_is_strict(declared, strict, values, rejected, notes):
    column = InferredColumn(declared, strict)
    converted, wrong, fault = column.add(pa.array(["0700", "7", "x"]), CellRules())
    assert (converted.to_pylist(), wrong.tolist()) == (values, rejected)
    assert fault.endswith("has another spelling than numbers have") is strict
    assert [(note.kind, note.rows) for note in column.notes()] == notes
    # Cells of a format with types have no spelling.
    typed = InferredColumn(ColumnType.INTEGER, strict)
    assert typed.add(pa.array(["0700"]), None)[0].to_pylist() == [700]
    assert typed.notes() == []


def test_a_block_is_cast_once(monkeypatch):
    tried = []

    def note(column, target):
        tried.append((target, len(column)))
        return cast(column, target)

    monkeypatch.setattr(inferred_column, "cast", note)
    column, typed = InferredColumn(None), InferredColumn(None)
    column.add(pa.array(["1", "2"]), CellRules())
    column.add(pa.array(["3", "4", "5"]), CellRules())
    assert tried == [(ColumnType.INTEGER, 2), (ColumnType.INTEGER, 3)]
    tried.clear()
    typed.add(pa.array([1.5]), None)
    typed.add(pa.array([2, 3]), None)
    # The first cells of a column with a type of its own show what it is.
    assert tried == [(ColumnType.NUMBER, 1)] * 2 + [(ColumnType.NUMBER, 2)]
