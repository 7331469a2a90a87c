"""JSON objects one by one: the type that a column gets, and what is wrong with a line."""

import pyarrow as pa
import pytest

from retrainer.components.lib.source_rows.sources.json_rows import make_batch, read_rows


def column(*cells):
    """A column of cells, each as JSON spells it; an empty one is not in its object."""
    lines = [f'{{"a":{cell}}}' if cell else "{}" for cell in cells]
    read = read_rows(list(enumerate((line.encode() for line in lines), 1)))
    assert read.faults == []
    return str(read.batch.column(0).type), read.batch.column(0).to_pylist()


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        # Up to 2^53 a number keeps its digits beside a fraction, with either sign.
        (("9007199254740991", "0.5"), "double", [2.0**53 - 1, 0.5]),
        (("9007199254740992", "0.5"), "string", ["9007199254740992", "0.5"]),
        (("-9007199254740992", "0.5"), "string", ["-9007199254740992", "0.5"]),
        (("9007199254740992", "1"), "int64", [2**53, 1]),
        (("1e16", "0.5"), "double", [1e16, 0.5]),
        (("NaN", "9007199254740992"), "string", [None, "9007199254740992"]),
        (("true", "1"), "int64", [1, 1]),
        (("false", "", "1.5"), "double", [0, None, 1.5]),
        (("true", '"x"', "1.50", "7", "NaN"), "string", ["true", "x", "1.5", "7", None]),
        (("false", '"x"', "-0"), "string", ["false", "x", "-0"]),
        (("1e3", '"x"'), "string", ["1000", "x"]),
        (("true", ""), "bool", [True, None]),
        (("", "null"), "null", [None, None]),
        (("[true, null]",), "list<item: bool>", [[True, None]]),
        (("[12345678901234567890]",), "list<item: double>", [[12345678901234567890.0]]),
        (("[1234567890123456789]",), "list<item: int64>", [[1234567890123456789]]),
        (("[1e2, 1E2, 1.0]",), "list<item: double>", [[100, 100, 1]]),
        (("[1, -Infinity]",), "list<item: double>", [[1, float("-inf")]]),
        (('{"b": ["x"]}', "null"), "struct<b: list<item: string>>", [{"b": ["x"]}, None]),
        # Of several kinds, each is kept as its JSON.
        (("[1]", "2", "null"), "list<item: string>", [["[1]"], ['"2"'], None]),
    ],
)
def test_a_column_has_the_type_that_keeps_what_its_cells_spell(cells, kind, values):
    assert column(*cells) == (kind, values)


def test_columns_come_in_the_order_of_the_rows_and_faults_with_their_numbers():
    lines = [(3, b'{"b":1}'), (5, b"[]"), (7, b'{"a":2,"b":3,"c":4}'), (9, b"{"), (11, b"{}")]
    read = read_rows(lines, exclude=("c", "other"))
    assert read.batch.schema.names == ["b", "a"]
    assert read.batch.to_pydict() == {"b": [1, 3, None], "a": [None, 2, None]}
    assert list(read.numbers) == [3, 7, 11]
    assert [number for number, _ in read.faults] == [5, 9]
    assert list(read.excluded) == ["c"]
    assert list(read_rows(lines).excluded) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b'{"a":"\xe4"}', "not UTF-8: byte 0xe4 at byte 7"),
        (b'{"a":1} x', "more than one value on the line, from column 9"),
        (b'{"a" 1}', "not JSON: Expecting ':' delimiter at column 6"),
        (b"true", "a truth value where an object should be"),
        (b"1.5", "a number where an object should be"),
        (b'{"a":1,"b":[2],"b":3,"a":4,"b":5}', "the key 'b' stands in it more than once"),
        (b'{"a":"\\udc00"}', "column 'a' has half of a surrogate pair, which is no text"),
    ],
)
def test_a_fault_says_where_it_is(line, fault):
    read = read_rows([(1, line), (2, b'{"a":"\\ud83d\\ude00"}')])
    assert read.faults == [(1, fault)]
    assert read.batch.to_pylist() == [{"a": "😀"}]


def test_rows_without_columns_are_rows():
    assert make_batch([], [], 3).num_rows == 3
    assert make_batch([pa.array([1, 2])], ["a"], 2).to_pydict() == {"a": [1, 2]}
