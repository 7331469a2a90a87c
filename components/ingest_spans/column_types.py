"""What the cells of a column are: integers, numbers or text, decided on the whole span or by the schema."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import Enum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..lib.errors import RetrainerError
from .canonical_text import number_texts
from .number_spelling import any_code

NOT_UTF8 = "is not UTF-8"
NO_INTEGER, NO_NUMBER = "is no integer of 64 bits", "is no number"
"""What is wrong with a cell, in words."""
_FIRST_CELLS = 64
_EXACT_LIMIT = 2.0**53
# Numbers that Arrow parses whatever else stands in the column; what these leave out is looked at cell by cell.
_PLAIN_INTEGER = r"^-?[0-9]{1,18}$"
_PLAIN_NUMBER = r"^-?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][-+]?[0-9]{1,2})?$"
_INTEGER = r"^[-+]?[0-9]+$"
# Some versions of Arrow take it for a part of a floating-point number, some do not, and none of an integer.
_PLUS_SIGN = r"^\+([^-+])"
_ENDING_ZEROS = r"(\.[0-9]*?)0+$"


class Kind(Enum):
    """What a column holds. Each is stored as one Arrow type."""

    NOTHING = "nothing"
    FLAG = "flag"
    INTEGER = "integer"
    LONG = "long"
    """Integers of which some lie beyond 2^53, so that a floating-point number would lose their digits."""
    NUMBER = "number"
    TEXT = "text"

    @property
    def stored_as(self) -> pa.DataType:
        """The Arrow type of such a column in a span's files."""
        return _STORED_AS[self]

    def widened(self, other: "Kind") -> "Kind":
        """Give the narrowest kind that holds the values of both."""
        if self == other or other == Kind.NOTHING:
            return self
        if self == Kind.NOTHING:
            return other
        return _WIDENED.get(frozenset((self, other)), Kind.TEXT)


_WIDENED = {
    frozenset((Kind.INTEGER, Kind.LONG)): Kind.LONG,
    frozenset((Kind.INTEGER, Kind.NUMBER)): Kind.NUMBER,
}
_STORED_AS = {
    Kind.NOTHING: pa.null(),
    Kind.FLAG: pa.int64(),
    Kind.INTEGER: pa.int64(),
    Kind.LONG: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.TEXT: pa.string(),
}
_COUNTS_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_FAULTS = {
    Kind.NOTHING: "is not empty",
    Kind.FLAG: "is neither true nor false",
    Kind.INTEGER: NO_INTEGER,
    Kind.LONG: NO_INTEGER,
    Kind.NUMBER: NO_NUMBER,
    Kind.TEXT: NOT_UTF8,
}


class MisfitError(Exception):
    """A column has a value that its kind can't hold."""


def agree(stored_as: Mapping[str, str], wanted: Mapping[str, Kind]) -> bool:
    """Tell whether stored columns are of the kinds that are wanted.

    Args:
        stored_as: Arrow type of each column, as text.
        wanted: Kinds by column. Integers will do for numbers, and a column without any value for all.
    """
    for name, kind in wanted.items():
        stored = stored_as.get(name, "null")
        if stored not in ("null", str(kind.stored_as)) and (kind, stored) != (
            Kind.NUMBER,
            "int64",
        ):
            return False
    return True


def observe(column: pa.Array, narrow: bool) -> tuple[Kind, pa.Array]:
    """Find the narrowest kind that holds every value of a column.

    Text keeps what a number would lose: integers beyond 64 bits, integers beyond 2^53 beside fractions, and cells that
    are spelled as codes are (see `spelling`). A duration is a number of seconds.

    Args:
        column: Values of an Arrow type that `decode_text` gives.
        narrow: Whether text may be numbers.

    Returns:
        The kind, and what `fit` makes of the column.

    Raises:
        MisfitError: If its type is one that examples can't hold.
    """
    if column.null_count == len(column):
        return Kind.NOTHING, fit(column, Kind.NOTHING)
    if pa.types.is_string(column.type):
        candidates: Iterable[Kind] = (
            (Kind.INTEGER, Kind.LONG, Kind.NUMBER, Kind.FLAG) if narrow else ()
        )
    elif _is_whole(column.type):
        candidates = (Kind.INTEGER, Kind.LONG)
    elif _has_number(column.type):
        candidates = (Kind.NUMBER,)
    else:
        candidates = ()
    for kind in candidates:
        try:
            # Each cell that can't be parsed costs Arrow half a microsecond: a few tell that most would not be.
            _try_first(column.slice(0, _FIRST_CELLS), kind)
            return kind, fit(column, kind)
        except MisfitError:
            continue
    return Kind.TEXT, fit(column, Kind.TEXT)


def fit(column: pa.Array, kind: Kind) -> pa.Array:
    """Convert a column whose values are all of a kind.

    Args:
        column: Values of an Arrow type that `decode_text` gives.
        kind: What they should be.

    Returns:
        As many values, of the type that the kind is stored as. NaN is a missing value.

    Raises:
        MisfitError: If one of them is not, or the type is one that examples can't hold.
    """
    if kind == Kind.TEXT:
        return _to_text(column)
    if column.null_count == len(column):
        return pa.nulls(len(column), kind.stored_as)
    if pa.types.is_string(column.type):
        return _parse(column, kind)
    if kind in (Kind.INTEGER, Kind.LONG) and _is_whole(column.type):
        try:
            values = column.cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise MisfitError from error
        _refuse_long(values, kind)
        return values
    if kind == Kind.NUMBER and _is_whole(column.type):
        _refuse_inexact(column)
        return _to_number(column)
    if kind == Kind.NUMBER and _has_number(column.type):
        if pa.types.is_decimal(column.type):
            _refuse_inexact(column)
        return _to_number(column)
    raise MisfitError


def convert(column: pa.Array, kind: Kind) -> tuple[pa.Array, np.ndarray, str]:
    """Convert a column of which a kind is demanded.

    What means the same is taken: `3.0` and `true` are integers.

    Args:
        column: Values of an Arrow type that `decode_text` gives.
        kind: What they should be.

    Returns:
        As many values, null where there is a misfit; the positions of the misfits; what is wrong with them.

    Raises:
        MisfitError: If the type is one that examples can't hold.
    """
    try:
        return fit(column, Kind.LONG if kind == Kind.INTEGER else kind), np.empty(0, np.int64), ""
    except MisfitError:
        if kind == Kind.TEXT:
            raise
    if kind.stored_as == pa.int64() and (
        pa.types.is_floating(column.type) or pa.types.is_duration(column.type)
    ):
        return *_whole_numbers(column), _FAULTS[kind]
    # Every type but a nested one has a text, and the text of a number is parsed as that number.
    text = _bare(_to_text(column))
    plain = pc.match_substring_regex(text, _PLAIN_NUMBER if kind == Kind.NUMBER else _PLAIN_INTEGER)
    values = pc.if_else(plain, text, pa.scalar(None, pa.string())).cast(kind.stored_as)
    odd = np.flatnonzero(pc.fill_null(pc.invert(plain), False).to_numpy(zero_copy_only=False))
    parse = _integer_of if kind.stored_as == pa.int64() else _number_of
    parsed = [parse(cell) for cell in text.take(pa.array(odd)).to_pylist()]
    if len(odd):
        mask = np.zeros(len(column), dtype=bool)
        mask[odd] = True
        found = [None if value is _MISFIT else value for value in parsed]
        values = pc.replace_with_mask(
            values, pa.array(mask), pa.array(found, kind.stored_as, from_pandas=True)
        )
    misfits = odd[[value is _MISFIT for value in parsed]] if len(odd) else odd
    return values, misfits, _FAULTS[kind]


def decode_text(column: pa.Array) -> tuple[pa.Array, np.ndarray, str]:
    """Undo encodings of text: dictionaries, bytes, views and wide offsets.

    Args:
        column: Values of any Arrow type.

    Returns:
        As many values, of type string where it was text or bytes; the positions of cells that are not UTF-8, which are
        null; what is wrong with them.
    """
    none = np.empty(0, np.int64)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or not (_is_text(column.type) or _is_bytes(column.type)):
        return column, none, ""
    try:
        return column.cast(pa.string()), none, ""
    except pa.ArrowInvalid:
        cells = [_utf8(cell) for cell in column.cast(pa.binary()).to_pylist()]
    misfits = np.array([i for i, cell in enumerate(cells) if cell is _MISFIT])
    text = pa.array([None if cell is _MISFIT else cell for cell in cells], pa.string())
    return text, misfits, _FAULTS[Kind.TEXT]


def name_nested(column: pa.Array, name: str, where: str) -> RetrainerError:
    """Make the error of a column whose type examples can't hold.

    Args:
        column: The column.
        name: Its name.
        where: Its file.
    """
    return RetrainerError(
        f"column '{name}' of '{where}' holds {column.type}; examples hold one number or text in a cell. Flatten it in "
        "the source, or leave it out (data.drop)."
    )


def _whole_numbers(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    numbers = _to_number(column).to_numpy(zero_copy_only=False)
    # Beyond, a double may be another integer than the source meant.
    whole = (np.floor(numbers) == numbers) & (np.abs(numbers) <= _EXACT_LIMIT)
    values = pa.array(np.where(whole, numbers, 0).astype(np.int64), mask=~whole)
    return values, np.flatnonzero(~whole & ~np.isnan(numbers))


class _Misfit:
    pass


_MISFIT = _Misfit()


def _parse(text: pa.Array, kind: Kind) -> pa.Array:
    if kind == Kind.FLAG:
        return _parse_flags(text)
    if kind == Kind.NOTHING:
        raise MisfitError
    values, text = _cast_text(text, kind)
    if any_code(text):
        raise MisfitError
    if kind == Kind.NUMBER:
        values = _nan_to_null(values)
        _refuse_lost_digits(values, text)
    else:
        _refuse_long(values, kind)
    return values


def _try_first(cells: pa.Array, kind: Kind) -> None:
    """Look whether a column's first cells are of a kind, by what costs least.

    Raises:
        MisfitError: If they are not. `fit` may still refuse cells that this lets through.
    """
    if pa.types.is_string(cells.type) and kind in (Kind.INTEGER, Kind.LONG, Kind.NUMBER):
        _cast_text(cells, kind)
    else:
        fit(cells, kind)


def _cast_text(text: pa.Array, kind: Kind) -> tuple[pa.Array, pa.Array]:
    """Parse cells as numbers, and give the cells as they were parsed as well."""
    try:
        return text.cast(kind.stored_as), text
    except pa.ArrowInvalid:
        # Spaces around a number are the source's, and rare enough to be looked for only now.
        text = pc.utf8_trim_whitespace(text)
    try:
        return text.cast(kind.stored_as), text
    except pa.ArrowInvalid as error:
        raise MisfitError from error


def _bare(text: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(pc.utf8_trim_whitespace(text), _PLUS_SIGN, r"\1")


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
        raise MisfitError
    return flags


def _refuse_lost_digits(values: pa.Array, text: pa.Array) -> None:
    largest = pc.max(pc.abs(values)).as_py()
    # At the limit it may be the next integer, rounded.
    if largest is None or largest < _EXACT_LIMIT:
        return
    wide = pc.greater_equal(pc.abs(values), _EXACT_LIMIT)
    # An integer would be another one; and what overflows is no infinity that somebody wrote.
    lost = pc.or_(
        pc.match_substring_regex(text, _INTEGER),
        pc.and_(pc.is_inf(values), pc.match_substring_regex(text, "[0-9]")),
    )
    if pc.any(pc.and_(wide, lost)).as_py():
        raise MisfitError


def _refuse_long(values: pa.Array, kind: Kind) -> None:
    if kind == Kind.LONG:
        return
    bounds = pc.min_max(values)
    if max(-bounds["min"].as_py(), bounds["max"].as_py()) >= _EXACT_LIMIT:
        raise MisfitError


def _refuse_inexact(column: pa.Array) -> None:
    largest = pc.max(pc.abs(_to_number(column))).as_py()
    if largest is not None and largest >= _EXACT_LIMIT:
        raise MisfitError


def _is_whole(kind: pa.DataType) -> bool:
    return pa.types.is_boolean(kind) or pa.types.is_integer(kind) or _is_whole_decimal(kind)


def _is_whole_decimal(kind: pa.DataType) -> bool:
    return pa.types.is_decimal(kind) and kind.scale == 0


def _has_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_duration(kind)


def _to_number(column: pa.Array) -> pa.Array:
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


def _to_text(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_nested(kind):
        raise MisfitError
    if pa.types.is_float16(kind) or pa.types.is_duration(kind):
        return number_texts(_to_number(column))
    if pa.types.is_floating(kind):
        return number_texts(column)
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
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
    kind = column.type
    zoned = pa.types.is_timestamp(kind) and kind.tz
    if zoned:
        # Arrow's text of a moment, which it makes with a time zone database alone, even in UTC.
        column = column.cast(pa.int64()).cast(pa.timestamp(kind.unit))
    # As many digits of a second as it takes, whatever the source counts in.
    texts = pc.replace_substring_regex(column.cast(pa.string()), _ENDING_ZEROS, r"\1")
    texts = pc.utf8_rtrim(texts, ".")
    return pc.binary_join_element_wise(texts, "Z", "") if zoned else texts


def _values(column: pa.Array) -> Iterable[object]:
    try:
        return column.to_pylist()
    except (ValueError, OverflowError) as error:
        # A moment that Python's own types can't hold.
        raise MisfitError from error


def _is_text(kind: pa.DataType) -> bool:
    view: Callable[[pa.DataType], bool] = getattr(pa.types, "is_string_view", lambda kind: False)
    return pa.types.is_large_string(kind) or view(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    view: Callable[[pa.DataType], bool] = getattr(pa.types, "is_binary_view", lambda kind: False)
    return (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or view(kind)
    )


def _utf8(cell: bytes | None) -> str | _Misfit | None:
    try:
        return None if cell is None else cell.decode()
    except UnicodeDecodeError:
        return _MISFIT


def _integer_of(cell: str) -> int | _Misfit | None:
    if (flag := {"true": 1, "false": 0}.get(cell.lower())) is not None:
        return flag
    try:
        return pa.array([cell]).cast(pa.int64())[0].as_py()
    except pa.ArrowInvalid:
        number = _number_of(cell)
    if isinstance(number, float) and number.is_integer() and abs(number) <= _EXACT_LIMIT:
        return int(number)
    return number if number is None else _MISFIT


def _number_of(cell: str) -> float | _Misfit | None:
    try:
        number = pa.array([cell]).cast(pa.float64())[0].as_py()
    except pa.ArrowInvalid:
        return _MISFIT
    return None if np.isnan(number) else number
