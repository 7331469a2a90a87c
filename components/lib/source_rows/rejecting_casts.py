"""Casts that reject single cells: what can't be cast becomes null, and its position and reason are returned."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .casts import EXACT_LIMIT, CastError, cast, to_number, to_text
from .column_types import ColumnType
from .list_cells import to_lists

NOT_UTF8 = "is not UTF-8"
NO_INTEGER, NO_NUMBER = "is no integer of 64 bits", "is no number"
"""What is wrong with a rejected cell."""
# Numbers that Arrow parses in any column; other cells are parsed one by one.
_PLAIN_INTEGER = r"^-?[0-9]{1,18}$"
_PLAIN_NUMBER = r"^-?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][-+]?[0-9]{1,2})?$"
# Some versions of Arrow accept a plus sign in a floating-point number, and none accepts it in an integer.
_PLUS_SIGN = r"^\+([^-+])"
_FAULTS = {
    ColumnType.EMPTY: "is not empty",
    ColumnType.BOOLEAN: "is neither true nor false",
    ColumnType.INTEGER: NO_INTEGER,
    ColumnType.LONG: NO_INTEGER,
    ColumnType.NUMBER: NO_NUMBER,
    ColumnType.TEXT: NOT_UTF8,
    ColumnType.LIST: "is no list of texts and numbers",
}


class _Rejected:
    pass


_REJECTED = _Rejected()


def cast_or_reject(column: pa.Array, target: ColumnType) -> tuple[pa.Array, np.ndarray, str]:
    """Cast a column, and reject the cells that are of another type.

    Accepts equivalent spellings: `3.0` and `true` are integers.

    Args:
        column: Values of an Arrow type that `decode_text` gives.
        target: The type.

    Returns:
        As many values, null where a cell is rejected; the positions of those cells; what is wrong with them.

    Raises:
        CastError: If the type is one that examples can't hold.
    """
    try:
        return (
            cast(column, ColumnType.LONG if target == ColumnType.INTEGER else target),
            np.empty(0, np.int64),
            "",
        )
    except CastError:
        if target == ColumnType.TEXT:
            raise
    if target == ColumnType.LIST:
        return *to_lists(column), _FAULTS[target]
    if target.arrow_type == pa.int64() and (
        pa.types.is_floating(column.type) or pa.types.is_duration(column.type)
    ):
        return *_whole_numbers(column), _FAULTS[target]
    # Every type but a nested one has a text, and the text of a number is parsed as that number.
    text = _bare(to_text(column))
    plain = pc.match_substring_regex(
        text, _PLAIN_NUMBER if target == ColumnType.NUMBER else _PLAIN_INTEGER
    )
    values = pc.if_else(plain, text, pa.scalar(None, pa.string())).cast(target.arrow_type)
    odd = np.flatnonzero(pc.fill_null(pc.invert(plain), False).to_numpy(zero_copy_only=False))
    parse = _integer_of if target.arrow_type == pa.int64() else _number_of
    parsed = [parse(cell) for cell in text.take(pa.array(odd)).to_pylist()]
    if len(odd):
        mask = np.zeros(len(column), dtype=bool)
        mask[odd] = True
        found = [None if value is _REJECTED else value for value in parsed]
        values = pc.replace_with_mask(
            values, pa.array(mask), pa.array(found, target.arrow_type, from_pandas=True)
        )
    rejected = odd[[value is _REJECTED for value in parsed]] if len(odd) else odd
    return values, rejected, _FAULTS[target]


def decode_text(column: pa.Array) -> tuple[pa.Array, np.ndarray, str]:
    """Decode text from dictionaries, bytes, views and wide offsets.

    Args:
        column: Values of any Arrow type.

    Returns:
        As many values, of type string where it was text or bytes; the positions of cells that are not UTF-8, which are
        null; what is wrong with them.
    """
    none = np.empty(0, np.int64)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not (_is_text(column.type) or _is_bytes(column.type)):
        return column, none, ""
    try:
        return column.cast(pa.string()), none, ""
    except pa.ArrowInvalid:
        cells = [_utf8(cell) for cell in column.cast(pa.binary()).to_pylist()]
    rejected = np.array([i for i, cell in enumerate(cells) if cell is _REJECTED])
    text = pa.array([None if cell is _REJECTED else cell for cell in cells], pa.string())
    return text, rejected, _FAULTS[ColumnType.TEXT]


def _whole_numbers(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    numbers = to_number(column).to_numpy(zero_copy_only=False)
    # Beyond, a double may be another integer than the source meant.
    whole = (np.floor(numbers) == numbers) & (np.abs(numbers) <= EXACT_LIMIT)
    values = pa.array(numbers, mask=~whole).cast(pa.int64())
    return values, np.flatnonzero(~whole & ~np.isnan(numbers))


def _bare(text: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(pc.utf8_trim_whitespace(text), _PLUS_SIGN, r"\1")


def _is_text(arrow_type: pa.DataType) -> bool:
    view: Callable[[pa.DataType], bool] = getattr(
        pa.types, "is_string_view", lambda arrow_type: False
    )
    return pa.types.is_large_string(arrow_type) or view(arrow_type)


def _is_bytes(arrow_type: pa.DataType) -> bool:
    view: Callable[[pa.DataType], bool] = getattr(
        pa.types, "is_binary_view", lambda arrow_type: False
    )
    return (
        pa.types.is_binary(arrow_type)
        or pa.types.is_large_binary(arrow_type)
        or pa.types.is_fixed_size_binary(arrow_type)
        or view(arrow_type)
    )


def _utf8(cell: bytes | None) -> str | _Rejected | None:
    try:
        return None if cell is None else cell.decode()
    except UnicodeDecodeError:
        return _REJECTED


def _integer_of(cell: str) -> int | _Rejected | None:
    if (flag := {"true": 1, "false": 0}.get(cell.lower())) is not None:
        return flag
    try:
        return pa.array([cell]).cast(pa.int64())[0].as_py()
    except pa.ArrowInvalid:
        number = _number_of(cell)
    if isinstance(number, float) and number.is_integer() and abs(number) <= EXACT_LIMIT:
        return int(number)
    return number if number is None else _REJECTED


def _number_of(cell: str) -> float | _Rejected | None:
    try:
        number = pa.array([cell]).cast(pa.float64())[0].as_py()
    except pa.ArrowInvalid:
        return _REJECTED
    return None if np.isnan(number) else number
