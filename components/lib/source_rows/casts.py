"""Strict casts of columns: all values are of a type, or the cast fails."""

from collections.abc import Iterable
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..canonical_text import number_texts
from ..errors import RetrainerError
from .column_types import ColumnType
from .list_cells import to_lists
from .number_spelling import any_code

EXACT_LIMIT = 2.0**53
"""From here on a floating-point number may be another integer than was meant."""
_INTEGER = r"^[-+]?[0-9]+$"
_ENDING_ZEROS = r"(\.[0-9]*?)0+$"
_COUNTS_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


class CastError(Exception):
    """A column has a value that its column_type can't hold."""


def cast(column: pa.Array, target: ColumnType) -> pa.Array:
    """Cast a column whose values are all of a type.

    Args:
        column: Values of an Arrow type that `decode_text` gives.
        target: The type.

    Returns:
        As many values, of the Arrow type of `target`. NaN is a missing value.

    Raises:
        CastError: If a value is of another type, or the type is one that examples can't hold.
    """
    if target == ColumnType.TEXT:
        return to_text(column)
    if target == ColumnType.LIST:
        lists, rejected = to_lists(column)
        if len(rejected):
            raise CastError
        return lists
    if column.null_count == len(column):
        return pa.nulls(len(column), target.arrow_type)
    if pa.types.is_string(column.type):
        return _parse(column, target)
    if target in (ColumnType.INTEGER, ColumnType.LONG) and is_whole(column.type):
        try:
            values = column.cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise CastError from error
        _refuse_long(values, target)
        return values
    if target == ColumnType.NUMBER and is_whole(column.type):
        _refuse_inexact(column)
        return to_number(column)
    if target == ColumnType.NUMBER and has_fraction(column.type):
        if pa.types.is_decimal(column.type):
            _refuse_inexact(column)
        return to_number(column)
    raise CastError


def nested_column_error(column: pa.Array, name: str, where: str) -> RetrainerError:
    """Describe a column whose type examples can't hold.

    Args:
        column: The column.
        name: Its name.
        where: Its file.
    """
    return RetrainerError(
        f"column '{name}' of '{where}' holds {column.type}; examples hold one number or text in a cell. Flatten it in "
        f"the source, leave it out (data.drop), or, for slices by each value, say that it is a list (data.types: "
        f"{{{name}: list}})."
    )


def _parse(text: pa.Array, target: ColumnType) -> pa.Array:
    if target == ColumnType.BOOLEAN:
        return _parse_flags(text)
    if target == ColumnType.EMPTY:
        raise CastError
    values, text = cast_text(text, target)
    if any_code(text):
        raise CastError
    if target == ColumnType.NUMBER:
        values = _nan_to_null(values)
        _refuse_lost_digits(values, text)
    else:
        _refuse_long(values, target)
    return values


def cast_text(text: pa.Array, target: ColumnType) -> tuple[pa.Array, pa.Array]:
    """Parse cells as numbers.

    Returns:
        The numbers, and the cells as they were parsed: without spaces around them if there were some.

    Raises:
        CastError: If a cell is no number of that type.
    """
    try:
        return text.cast(target.arrow_type), text
    except pa.ArrowInvalid:
        # Spaces around a number are the source's, and rare enough to be looked for only now.
        bare = pc.utf8_trim_whitespace(text)
    try:
        return bare.cast(target.arrow_type), bare
    except pa.ArrowInvalid as error:
        raise CastError from error


def _parse_flags(text: pa.Array) -> pa.Array:
    lowered = pc.utf8_lower(pc.utf8_trim_whitespace(text))
    flags = pc.if_else(
        pc.equal(lowered, "true"),
        pa.scalar(1, pa.int64()),
        pc.if_else(
            pc.equal(lowered, "false"), pa.scalar(0, pa.int64()), pa.scalar(None, pa.int64())
        ),
    )
    if flags.null_count > text.null_count:
        raise CastError
    return flags


def _refuse_lost_digits(values: pa.Array, text: pa.Array) -> None:
    largest = pc.max(pc.abs(values)).as_py()
    # At the limit it may be the next integer, rounded.
    if largest is None or largest < EXACT_LIMIT:
        return
    wide = pc.greater_equal(pc.abs(values), EXACT_LIMIT)
    # An integer would be another one; and what overflows is no infinity that somebody wrote.
    lost = pc.or_(
        pc.match_substring_regex(text, _INTEGER),
        pc.and_(pc.is_inf(values), pc.match_substring_regex(text, "[0-9]")),
    )
    if pc.any(pc.and_(wide, lost)).as_py():
        raise CastError


def _refuse_long(values: pa.Array, target: ColumnType) -> None:
    if target == ColumnType.LONG:
        return
    bounds = pc.min_max(values)
    if max(-bounds["min"].as_py(), bounds["max"].as_py()) >= EXACT_LIMIT:
        raise CastError


def _refuse_inexact(column: pa.Array) -> None:
    if pc.max(pc.abs(to_number(column))).as_py() >= EXACT_LIMIT:
        raise CastError


def is_whole(arrow_type: pa.DataType) -> bool:
    """Check whether an Arrow type has whole numbers alone."""
    return (
        pa.types.is_boolean(arrow_type)
        or pa.types.is_integer(arrow_type)
        or _is_whole_decimal(arrow_type)
    )


def _is_whole_decimal(arrow_type: pa.DataType) -> bool:
    return pa.types.is_decimal(arrow_type) and arrow_type.scale == 0


def has_fraction(arrow_type: pa.DataType) -> bool:
    """Check whether an Arrow type has numbers with a fraction."""
    return (
        pa.types.is_floating(arrow_type)
        or pa.types.is_decimal(arrow_type)
        or pa.types.is_duration(arrow_type)
    )


def to_number(column: pa.Array) -> pa.Array:
    """Cast numbers or durations to floating point; a duration becomes seconds, and NaN null."""
    if pa.types.is_duration(column.type):
        # In seconds, whatever the source counts them in.
        counts = column.cast(pa.int64()).cast(pa.float64(), safe=False)
        return pc.divide(counts, _COUNTS_PER_SECOND[column.type.unit])
    if pa.types.is_float16(column.type):
        # Arrow converts it to nothing.
        column = pa.array(
            column.to_numpy(zero_copy_only=False).astype(np.float64), from_pandas=True
        )
    return _nan_to_null(column.cast(pa.float64(), safe=False))


def _nan_to_null(values: pa.Array) -> pa.Array:
    nan = pc.is_nan(values)
    return pc.if_else(nan, pa.scalar(None, pa.float64()), values) if pc.any(nan).as_py() else values


def to_text(column: pa.Array) -> pa.Array:
    """Cast values of any Arrow type to text.

    Raises:
        CastError: If the type is nested.
    """
    arrow_type = column.type
    if pa.types.is_string(arrow_type):
        return column
    if pa.types.is_nested(arrow_type):
        raise CastError
    if pa.types.is_float16(arrow_type) or pa.types.is_duration(arrow_type):
        return number_texts(to_number(column))
    if pa.types.is_floating(arrow_type):
        return number_texts(column)
    if pa.types.is_timestamp(arrow_type) or pa.types.is_time(arrow_type):
        return _moment_texts(column)
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array(
            # Python's own text of a large decimal has an exponent.
            [
                None if cell is None else f"{cell:f}" if isinstance(cell, Decimal) else str(cell)
                for cell in _values(column)
            ],
            pa.string(),
        )


def _moment_texts(column: pa.Array) -> pa.Array:
    arrow_type = column.type
    zoned = pa.types.is_timestamp(arrow_type) and arrow_type.tz
    if zoned:
        # Arrow's text of a moment, which it makes with a time zone database alone, even in UTC.
        column = column.cast(pa.int64()).cast(pa.timestamp(arrow_type.unit))
    # As many digits of a second as needed, whatever unit the source has.
    texts = pc.replace_substring_regex(column.cast(pa.string()), _ENDING_ZEROS, r"\1")
    texts = pc.utf8_rtrim(texts, ".")
    return pc.binary_join_element_wise(texts, "Z", "") if zoned else texts


def _values(column: pa.Array) -> Iterable[object]:
    try:
        return column.to_pylist()
    except (ValueError, OverflowError) as error:
        # A moment that Python's own types can't hold.
        raise CastError from error
