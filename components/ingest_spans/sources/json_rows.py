"""Reading JSON objects one by one, where a block of them can't be read at once.

The standard library's reader is used, though others are faster: it gives a number as it is spelled, and a key that
stands twice in an object, and it knows the `NaN` and `Infinity` that Python writes
(https://docs.python.org/3/library/json.html).
"""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

# Numbers become bytes, as they are spelled, and an object the tuple of its pairs: each kind has a type of its own.
_DECODER = json.JSONDecoder(
    parse_int=str.encode,
    parse_float=str.encode,
    parse_constant=lambda name: None if name == "NaN" else name.encode(),
    object_pairs_hook=tuple,
)
_KINDS = {list: "an array", str: "text", bytes: "a number", bool: "a truth value"}


class JsonRows(NamedTuple):
    """What lines of JSON held.

    Attributes:
        batch: The lines that could be read x the columns that they have.
        numbers: Number of each line of `batch`.
        faults: Of each line that could not be read: its number, and what is wrong with it.
        excluded: The columns to leave out that were there.
    """

    batch: pa.RecordBatch
    numbers: Sequence[int]
    faults: Sequence[tuple[int, str]]
    excluded: Collection[str] = ()


def read_rows(lines: Iterable[tuple[int, bytes]], exclude: Collection[str] = ()) -> JsonRows:
    """Read lines that hold one JSON object each.

    A column of numbers becomes int64, or double where one has a fraction or does not fit. `NaN` is missing. Numbers
    beside text become text, as they are spelled, and truth values beside numbers 1 and 0.

    Args:
        lines: Number and UTF-8 text of each line.
        exclude: Columns to leave out; what they hold is not looked at.
    """
    rows: list[dict[str, Any]] = []
    numbers, faults = [], []
    excluded: set[str] = set()
    for number, line in lines:
        try:
            row = _row(line, exclude, excluded)
        except _FaultError as fault:
            faults.append((number, str(fault)))
        else:
            rows.append(row)
            numbers.append(number)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [_column([row.get(name) for row in rows]) for name in names]
    return JsonRows(make_batch(columns, names, len(rows)), numbers, faults, excluded)


def make_batch(columns: Sequence[pa.Array], names: Sequence[str], rows: int) -> pa.RecordBatch:
    """Make a record batch that has its rows even where it has no column."""
    if columns:
        return pa.RecordBatch.from_arrays(list(columns), names=list(names))
    return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))


class _FaultError(Exception):
    """What is wrong with a line."""


def _row(line: bytes, exclude: Collection[str], excluded: set[str]) -> dict[str, Any]:
    try:
        text = line.decode()
        value = _DECODER.decode(text)
        if not isinstance(value, tuple):
            kind = _KINDS.get(type(value), "null")
            raise _FaultError(f"{kind} where an object should be")
        pairs = [(name, _plain(cell)) for name, cell in value if name not in exclude]
        excluded.update(name for name, _ in value if name in exclude)
    except UnicodeDecodeError as error:
        raise _FaultError(
            f"not UTF-8: byte 0x{line[error.start]:02x} at byte {error.start + 1}"
        ) from error
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            raise _FaultError(
                f"more than one value on the line, from column {error.colno}"
            ) from error
        raise _FaultError(f"not JSON: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise _FaultError("nested too deeply") from error
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _FaultError(f"the key '{twice}' stands in it more than once")
    if "\\ud" in text.lower():
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
        whole = len(value) < 20 and not set(value) & set(b".eEI")
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
    kinds = {type(value) for value in values} - {type(None)}
    if kinds & {dict, list}:
        return _nested(values)
    if str in kinds:
        return pa.array([_spelled(value) for value in values], pa.string())
    if bytes in kinds:
        spelled = pa.array([_spelled_number(value) for value in values], pa.string())
        try:
            return spelled.cast(pa.int64())
        except pa.ArrowInvalid:
            return spelled.cast(pa.float64())
    return pa.array(values, pa.bool_() if kinds else pa.null())


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


def _spelled(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _spelled_number(value: Any) -> str | None:
    if isinstance(value, bool):
        return "1" if value else "0"
    return _spelled(value)
