"""Cells of JSON in the types that columns have, as a server takes them."""

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from ..lib.canonical_text import number_texts
from ..lib.source_rows.casts import EXACT_LIMIT
from ..lib.source_rows.column_types import ColumnType

NO_CELL = "holds an object or a list"
_PLAIN: dict[ColumnType, set[type]] = {
    ColumnType.NUMBER: {float, int, type(None)},
    ColumnType.TEXT: {str, type(None)},
}
_INTEGERS: set[type] = {int, type(None)}
_LEAST, _GREATEST = -(2**63), 2**63 - 1


class _MisfitError(Exception):
    pass


def cast_cells(cells: Sequence[Any], target: ColumnType) -> tuple[pa.Array, dict[int, str]]:
    """Cast cells.

    A number may be written as an integer, an integer as a number without a fraction; `NaN` is missing. A cell in a list
    of its own is that cell, as models that take columns of shape (rows, 1) are sent it; bytes are `{"b64": ...}`. Text
    is no number: a server refuses it.

    Args:
        cells: Values of JSON.
        target: The column's type.

    Returns:
        As many values, null where a cell is missing or does not fit; what is wrong with those that do not fit, by
        their position.
    """
    arrow_type = pa.string() if target == ColumnType.EMPTY else target.arrow_type
    kinds = set(map(type, cells))
    plain = _PLAIN.get(target, _INTEGERS)
    if kinds <= plain:
        try:
            array = pa.array(cells, arrow_type, from_pandas=True)
        except (pa.ArrowInvalid, OverflowError):
            pass
        else:
            return array, {}
    cast = _CASTS.get(target, _to_integer)
    values, faults = [], {}
    for index, cell in enumerate(cells):
        try:
            values.append(cast(_bare(cell)))
        except _MisfitError as fault:
            values.append(None)
            faults[index] = str(fault)
    return pa.array(values, arrow_type, from_pandas=True), faults


def _bare(cell: Any) -> Any:
    while isinstance(cell, list) and len(cell) == 1:
        cell = cell[0]
    if isinstance(cell, Mapping) and set(cell) == {"b64"}:
        try:
            return base64.b64decode(cell["b64"], validate=True).decode()
        except (TypeError, ValueError, binascii.Error) as error:
            raise _MisfitError("is not UTF-8 in base64") from error
    if isinstance(cell, list | dict):
        raise _MisfitError(NO_CELL)
    return cell


def _to_number(cell: Any) -> float | None:
    if cell is None:
        return None
    if not isinstance(cell, int | float):
        raise _MisfitError("is no number")
    try:
        return float(cell)
    except OverflowError as error:
        raise _MisfitError("is no number of 64 bits") from error


def _to_integer(cell: Any) -> int | None:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, float):
        if not cell.is_integer() or abs(cell) > EXACT_LIMIT:
            raise _MisfitError("is no integer")
        cell = int(cell)
    if not isinstance(cell, int):
        raise _MisfitError("is no integer")
    if not _LEAST <= cell <= _GREATEST:
        raise _MisfitError("is no integer of 64 bits")
    return int(cell)


def _to_text(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bytes):
        try:
            return cell.decode()
        except UnicodeDecodeError as error:
            raise _MisfitError("is not UTF-8") from error
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        # Spelled as ingestion spells it.
        text: str | None = number_texts(pa.array([cell]))[0].as_py()
        return text
    return str(cell)


_CASTS = {
    ColumnType.NUMBER: _to_number,
    ColumnType.TEXT: _to_text,
    ColumnType.EMPTY: _to_text,
}
