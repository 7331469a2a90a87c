"""Reading JSON objects one by one, where a block of them can't be read at once.

The standard library's reader is used, though others are faster: it gives a number as it is spelled, so that no digit of
an integer is lost, and a key that stands twice in an object; and it knows the `NaN` and `Infinity` that Python writes
(https://docs.python.org/3/library/json.html).
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...canonical_text import number_texts

# Numbers become bytes, as they are spelled, and an object the tuple of its pairs: each kind has a type of its own.
_DECODER = json.JSONDecoder(
    parse_int=str.encode,
    parse_float=str.encode,
    parse_constant=str.encode,
    object_pairs_hook=tuple,
)
_FLAGS = {False: b"0", True: b"1"}
_NESTED = {tuple, list}
_NAN = b"NaN"
# From here on a double may be another integer.
_EXACT_LIMIT = 2.0**53
_INTEGER = r"^-?[0-9]+$"
_WHOLE = re.compile(rb"-?[0-9]+")
_KINDS = {list: "an array", str: "text", bytes: "a number", bool: "a truth value"}


class JsonRows(NamedTuple):
    """What lines of JSON held.

    Attributes:
        batch: The lines that could be read x the columns that they have.
        numbers: Number of each line of `batch`.
        faults: Of each line that could not be read: its number, and what is wrong with it.
        excluded: The columns that were met and left out.
    """

    batch: pa.RecordBatch
    numbers: Sequence[int] | np.ndarray
    faults: Sequence[tuple[int, str]]
    excluded: Sequence[str]


def read_rows(lines: Iterable[tuple[int, bytes]], exclude: Collection[str] = ()) -> JsonRows:
    """Read lines that hold one JSON object each.

    A column of integers becomes int64, one of numbers double. `NaN` is missing. Numbers beside text become text, as
    `number_texts` writes them. So does a column that has an integer beyond 64 bits, or one beyond 2^53 beside
    fractions, with all of its digits. Truth
    values are 1 and 0 beside numbers, `true` and `false` beside text.

    Args:
        lines: Number and UTF-8 text of each line.
        exclude: Columns to leave out; what they hold is not looked at.
    """
    rows: list[dict[str, Any]] = []
    numbers, faults = [], []
    excluded: dict[str, None] = {}
    for number, line in lines:
        try:
            pairs = _pairs(line)
            wanted = [pair for pair in pairs if pair[0] not in exclude] if exclude else pairs
            row = _row(line, wanted)
        except _FaultError as fault:
            faults.append((number, str(fault)))
        else:
            rows.append(row)
            if len(wanted) < len(pairs):
                excluded |= dict.fromkeys(name for name, _ in pairs if name in exclude)
            numbers.append(number)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [_column([row.get(name) for row in rows]) for name in names]
    return JsonRows(make_batch(columns, names, len(rows)), numbers, faults, list(excluded))


def make_batch(columns: Sequence[pa.Array], names: Sequence[str], rows: int) -> pa.RecordBatch:
    """Make a record batch that has its rows even where it has no column."""
    if columns:
        return pa.RecordBatch.from_arrays(list(columns), names=list(names))
    return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))


class _FaultError(Exception):
    """What is wrong with a line."""


def _pairs(line: bytes) -> tuple[tuple[str, Any], ...]:
    try:
        value = _DECODER.decode(line.decode())
    except UnicodeDecodeError as error:
        raise _FaultError(
            f"not UTF-8: byte 0x{line[error.start]:02x} at byte {error.start + 1}"
        ) from error
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            raise _FaultError(
                f"more than one value on the line, from column {error.colno}"
            ) from error
        what = error.msg.removesuffix(" at")
        raise _FaultError(f"not JSON: {what} at column {error.colno}") from error
    except RecursionError as error:
        raise _FaultError("nested too deeply") from error
    if not isinstance(value, tuple):
        kind = _KINDS.get(type(value), "null")
        raise _FaultError(f"{kind} where an object should be")
    return value


def _row(line: bytes, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if not _NESTED.isdisjoint(map(type, row.values())):
        try:
            row = {name: _plain(cell) for name, cell in pairs}
        except RecursionError as error:
            raise _FaultError("nested too deeply") from error
    if len(row) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise _FaultError(f"the key '{twice}' stands in it more than once")
    if b"\\ud" in line.lower():
        _check_surrogates(row)
    return row


def _plain(value: Any) -> Any:
    """Turn a nested value into what Arrow takes; leave others."""
    if isinstance(value, tuple):
        return {name: _plain_inside(inner) for name, inner in value}
    if isinstance(value, list):
        return [_plain_inside(inner) for inner in value]
    return value


def _plain_inside(value: Any) -> Any:
    if isinstance(value, bytes):
        # Python refuses to make an integer of thousands of digits.
        whole = len(value) < 20 and not set(value) & set(b".eEIN")
        return int(value) if whole else float(value)
    return _plain(value)


def _check_surrogates(row: dict[str, Any]) -> None:
    for name, value in row.items():
        try:
            name.encode()
            if isinstance(value, str):
                value.encode()
        except UnicodeEncodeError as error:
            column = ascii(name)[1:-1]
            raise _FaultError(
                f"column '{column}' has half of a surrogate pair, which is no text"
            ) from error


def _column(values: list[Any]) -> pa.Array:
    kinds = set(map(type, values)) - {type(None)}
    if kinds & {dict, list}:
        return _nested(values)
    if str in kinds:
        return _as_text(values)
    if bytes in kinds:
        if bool in kinds:
            values = [_FLAGS[value] if isinstance(value, bool) else value for value in values]
        return _as_numbers(values)
    return pa.array(values, pa.bool_() if kinds else pa.null())


def _as_numbers(values: list[Any]) -> pa.Array:
    spelled = pa.array(values, pa.binary()).cast(pa.string())
    try:
        return spelled.cast(pa.int64())
    except pa.ArrowInvalid:
        numbers = spelled.cast(pa.float64())
    numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
    wide = spelled.filter(pc.greater_equal(pc.abs(numbers), _EXACT_LIMIT))
    # A double would lose digits, and make one of two.
    if pc.any(pc.match_substring_regex(wide, _INTEGER)).as_py():
        return _as_text(values)
    return numbers


def _as_text(values: list[Any]) -> pa.Array:
    # What other blocks, of numbers alone, will be when they become text.
    fractions = iter(
        number_texts(
            pa.array([float(value) for value in values if _is_fraction(value)], pa.float64())
        ).to_pylist()
    )
    return pa.array(
        [next(fractions) if _is_fraction(value) else _text(value) for value in values], pa.string()
    )


def _is_fraction(value: Any) -> bool:
    return isinstance(value, bytes) and value != _NAN and not _WHOLE.fullmatch(value)


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return None if value == _NAN else value.decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _nested(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, ValueError, OverflowError, TypeError):
        # Of several kinds. It stays nested, for whoever takes no nested column.
        return pa.array(
            [
                None if value is None else [json.dumps(value, default=bytes.decode)]
                for value in values
            ],
            pa.list_(pa.string()),
        )
