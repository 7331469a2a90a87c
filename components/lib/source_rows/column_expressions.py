"""Columns of a block under new names, and columns computed from others, as `column_changes` says."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import RetrainerError
from .column_changes import (
    CLASS_OF,
    COMPARED,
    OF_A_LIST,
    OF_A_TEXT,
    OF_A_TIME,
    OF_ANY,
    OF_TWO_TIMES,
    SPLIT,
    VALUE,
    ColumnChanges,
    arguments_of,
    columns_of,
)
from .column_types import ColumnType
from .list_cells import lists_with, split_texts, to_lists
from .near_misses import NearMisses
from .rejecting_casts import cast_or_reject
from .sources.base import Block

_NO_TIME = "is no time in ISO's form"
_MOMENT = pa.timestamp("us")

Read = Callable[[str, pa.Array, bool], pa.Array]
"""Makes null what means a missing cell of a column, and where numbers are wanted, writes them with a point."""


def rename_columns(changes: ColumnChanges, block: Block, uri: str) -> Block:
    """Rename a block's columns.

    Args:
        changes: The changes.
        block: The block.
        uri: Its source.

    Returns:
        The block. One that has the new name already stays as it is.

    Raises:
        RetrainerError: If it has both names, or a column that is to be made of others.
    """
    names = block.batch.schema.names
    for name in names:
        new = changes.renamed.get(name, name)
        if new != name and new in names:
            raise RetrainerError(
                f"'{uri}' has the columns '{name}' and '{new}', and data.columns calls the first as the "
                "second. Choose another name, or leave the second out (data.drop)."
            )
        if name in changes.derived:
            raise RetrainerError(
                f"'{uri}' has a column '{name}', which data.columns derives from others. Choose another name."
            )
    if changes.renamed.keys().isdisjoint(names):
        return block
    new_names = [changes.renamed.get(name, name) for name in names]
    return block._replace(batch=pa.RecordBatch.from_arrays(block.batch.columns, names=new_names))


def derive_columns(
    changes: ColumnChanges,
    columns: Mapping[str, pa.Array],
    rows: int,
    read: Read,
    near_misses: NearMisses,
) -> Iterator[tuple[str, pa.Array, str, np.ndarray, str]]:
    """Make the derived columns of a block.

    Args:
        changes: The changes.
        columns: Its columns, as `decode_text` gives them. One that it lacks is missing in all rows.
        rows: How many rows it has.
        read: See `Read`.
        near_misses: Takes the texts that cells are compared with.

    Yields:
        The new column's name and cells; and a source column of it, the positions of its cells that can't be taken,
        and what is wrong with them. Such cells are missing in the new column.
    """
    for name, expression in changes.derived.items():
        call = _Expression(columns, rows, read, partial(near_misses.add, name))
        made = call.evaluate(expression)
        if isinstance(made, pa.ChunkedArray):
            made = made.combine_chunks()
        yield name, made, "", np.empty(0, np.int64), ""
        for column, (rejected, fault) in call.faults.items():
            yield name, made, column, rejected, fault


class _Expression:
    """Evaluates an expression on a block's columns.

    Attributes:
        faults: Positions of cells that can't be taken, and what is wrong with them, by column.
    """

    def __init__(
        self,
        columns: Mapping[str, pa.Array],
        rows: int,
        read: Read,
        compared: Callable[[str, pa.Array], None],
    ) -> None:
        self.faults: dict[str, tuple[np.ndarray, str]] = {}
        self._columns = columns
        self._rows = rows
        self._read = read
        self._compared = compared

    def evaluate(self, expression: Any) -> pa.Array:
        ((function, arguments),) = expression.items()
        given = arguments_of(arguments)
        if function in OF_A_LIST:
            return self._of_a_list(function, given[0], str(given[1][VALUE]))
        if function == CLASS_OF:
            return self._class_of(given[0], given[1][VALUE])
        if function in (*OF_A_TIME, *OF_TWO_TIMES):
            taken = [self._time(argument) for argument in given]
        elif function in OF_A_TEXT or (function in OF_ANY and not any(map(self._is_number, given))):
            taken = [self._text(argument) for argument in given]
            if function in COMPARED:
                self._look(*taken)
        else:
            taken = [self._number(argument) for argument in given]
        return getattr(pc, function)(*taken)

    def _of_a_list(self, function: str, argument: Any, text: str) -> pa.Array:
        if function == SPLIT:
            return split_texts(self._text(argument), text)
        if isinstance(argument, Mapping):
            return lists_with(self.evaluate(argument), text)
        lists, rejected = to_lists(self._column(argument))
        self._note(argument, rejected, "is no list of texts and numbers")
        return lists_with(lists, text)

    def _look(self, first: Any, second: Any) -> None:
        if isinstance(first, pa.Scalar):
            first, second = second, first
        if isinstance(second, pa.Scalar) and not isinstance(first, pa.Scalar):
            self._compared(second.as_py(), first)

    def _class_of(self, argument: Any, classes: Sequence[str]) -> pa.Array:
        texts = self._text(argument)
        made = pc.index_in(texts, value_set=pa.array(classes, pa.string()))
        other = pc.and_(pc.is_valid(texts), pc.is_null(made)).to_numpy(zero_copy_only=False)
        # Of an expression, the cell that is shown is that of the first column in it.
        for column in islice(columns_of(argument), 1):
            self._note(column, np.flatnonzero(other), f"is none of {', '.join(map(repr, classes))}")
        return made

    def _is_number(self, argument: Any) -> bool:
        if isinstance(argument, Mapping):
            return next(iter(argument)) not in (VALUE, *OF_A_TEXT[:3], *OF_ANY, *OF_A_LIST)
        if isinstance(argument, str):
            arrow_type = self._column(argument).type
            return (
                pa.types.is_integer(arrow_type)
                or pa.types.is_floating(arrow_type)
                or pa.types.is_decimal(arrow_type)
            )
        return True

    def _column(self, name: str, as_number: bool = False) -> pa.Array:
        column = self._columns.get(name)
        return pa.nulls(self._rows) if column is None else self._read(name, column, as_number)

    def _number(self, argument: Any) -> Any:
        if isinstance(argument, int | float):
            return pa.scalar(float(argument))
        if isinstance(argument, Mapping):
            if VALUE in argument:
                return pa.scalar(float(argument[VALUE]))
            return self.evaluate(argument).cast(pa.float64())
        values, rejected, fault = cast_or_reject(self._column(argument, True), ColumnType.NUMBER)
        self._note(argument, rejected, fault)
        return values

    def _text(self, argument: Any) -> Any:
        if isinstance(argument, Mapping):
            if VALUE in argument:
                return pa.scalar(str(argument[VALUE]))
            return cast_or_reject(self.evaluate(argument), ColumnType.TEXT)[0]
        return cast_or_reject(self._column(argument), ColumnType.TEXT)[0].cast(pa.string())

    def _time(self, argument: Any) -> pa.Array:
        column = self._column(argument)
        if pa.types.is_timestamp(column.type):
            return (
                column.cast(pa.int64())
                .cast(pa.timestamp(column.type.unit))
                .cast(_MOMENT, safe=False)
            )
        if pa.types.is_date(column.type):
            return column.cast(pa.date32()).cast(_MOMENT)
        encoded = self._text(argument).dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        moments = [_moment(text) for text in texts]
        wrong = np.array([moment is None for moment in moments], dtype=bool)
        if wrong.any():
            indices = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            rejected = np.flatnonzero((indices >= 0) & wrong[indices])
            self._note(argument, rejected, _NO_TIME)
        return pa.array(moments, _MOMENT).take(encoded.indices)

    def _note(self, column: str, rejected: np.ndarray, fault: str) -> None:
        if len(rejected):
            self.faults[column] = (rejected, fault)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    # With a zone in UTC, as the text of such a column is.
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
