import pyarrow as pa
import pytest

from retrainer.components.lib.source_rows.column_types import ColumnType
from retrainer.components.lib.source_rows.rejecting_casts import cast_or_reject, decode_text


@pytest.mark.parametrize(
    ("column", "column_type", "values", "rejected"),
    [
        (["3", "3.0", "true", "3.5", "x", None, "1e3"], ColumnType.INTEGER, [3, 3, 1, None, None, None, 1000], [3, 4]),
        (["99999999999999999999", "9223372036854775807"], ColumnType.INTEGER, [None, 2**63 - 1], [0]),
        (["1.5", "x", "inf", "nan", " 2 "], ColumnType.NUMBER, [1.5, None, float("inf"), None, 2], [1]),
        (["99999999999999999999"], ColumnType.NUMBER, [1e20], []),
        (["+1", "+1.0", "x"], ColumnType.INTEGER, [1, 1, None], [2]),
        (["+1", "+2.5", "++1"], ColumnType.NUMBER, [1, 2.5, None], [2]),
        ([1.0, 2.5, None, float("nan")], ColumnType.INTEGER, [1, None, None, None], [1]),
        ([float("inf")], ColumnType.INTEGER, [None], [0]),
        ([2.0**53, -(2.0**54)], ColumnType.INTEGER, [2**53, None], [1]),
        ([True, False], ColumnType.NUMBER, [1.0, 0.0], []),
        (['["a", 1]', "a", None, "[1", '[["a"]]'], ColumnType.LIST, ['["a", 1]', '["a"]', None, None, None], [3, 4]),
        ([["ü", None], [], None], ColumnType.LIST, ['["ü", null]', "[]", None], []),
        ([[b"a"], [b"\xff"]], ColumnType.LIST, ['["a"]', None], [1]),
        ([7, None], ColumnType.LIST, ["[7]", None], []),
        ([7, None], ColumnType.TEXT, ["7", None], []),
        ([1234567890123456.0, -0.0, 1e-7, None], ColumnType.TEXT, ["1234567890123456", "0", "0.0000001", None], []),
    ],
)  # fmt: skip
def test_equivalent_spellings_are_cast_and_other_cells_are_rejected(
    column, column_type, values, rejected
):
    converted, wrong, _ = cast_or_reject(pa.array(column), column_type)
    assert converted.type == column_type.arrow_type
    assert converted.to_pylist() == values
    assert wrong.tolist() == rejected


def test_unsigned_integers_beyond_64_bits_are_rejected_as_integers():
    values, rejected, fault = cast_or_reject(
        pa.array([1, 2**64 - 1], pa.uint64()), ColumnType.INTEGER
    )
    assert (values.to_pylist(), rejected.tolist()) == ([1, None], [1])
    assert fault == "is no integer of 64 bits"


@pytest.mark.parametrize("column_type", [pa.binary(), pa.large_binary(), pa.binary(2)])
def test_cells_that_are_not_utf8_are_rejected(column_type):
    text, rejected, fault = decode_text(pa.array([b"ab", b"\xff\xff", None], column_type))
    assert (text.to_pylist(), rejected.tolist(), fault) == (["ab", None, None], [1], "is not UTF-8")
