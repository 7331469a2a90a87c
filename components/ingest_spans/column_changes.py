"""Columns under another name, and columns that are made of others."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..lib.errors import RetrainerError
from ..lib.words import did_you_mean, plural
from .column_types import ColumnType
from .rejecting_casts import cast_or_reject
from .sources.base import Block

# Functions of pyarrow.compute (https://arrow.apache.org/docs/python/api/compute.html), by what they take.
_OF_A_TIME = (
    "year", "quarter", "month", "iso_week", "day", "day_of_year", "day_of_week", "hour", "minute", "second",
)  # fmt: skip
_OF_TWO_TIMES = ("days_between", "hours_between", "minutes_between", "seconds_between")
_OF_A_TEXT = ("utf8_lower", "utf8_upper", "utf8_trim_whitespace", "utf8_length")
_OF_NUMBERS = (
    "add", "subtract", "multiply", "divide", "greater", "greater_equal", "less", "less_equal",
)  # fmt: skip
_OF_ANY = ("equal", "not_equal", "coalesce")
FUNCTIONS = (*_OF_A_TIME, *_OF_TWO_TIMES, *_OF_A_TEXT, "abs", *_OF_NUMBERS, *_OF_ANY)
_ONE_ARGUMENT = (*_OF_A_TIME, *_OF_A_TEXT, "abs")
_VALUE = "value"
_NO_TIME = "is no time in ISO's form"

Read = Callable[[str, pa.Array, bool], pa.Array]
"""Makes null what means a missing cell of a column, and where numbers are wanted, writes them with a point."""


@dataclass(frozen=True)
class ColumnChanges:
    """What becomes of columns before anything else is done with them.

    Attributes:
        renamed: New names, by the source's.
        derived: Expressions, by the column that they make: a function with its arguments.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    derived: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def sources(self) -> dict[str, str]:
        """The columns that derived ones are made of, each with the first that is made of it."""
        found: dict[str, str] = {}
        for name, expression in self.derived.items():
            for source in _columns_of(expression):
                found.setdefault(source, name)
        return found

    def rename(self, block: Block, uri: str) -> Block:
        """Give a block's columns their new names.

        Args:
            block: The block.
            uri: Its source.

        Returns:
            The block. One that has the new name already stays as it is.

        Raises:
            RetrainerError: If it has both names, or a column that is to be made of others.
        """
        names = block.batch.schema.names
        for name in names:
            new = self.renamed.get(name, name)
            if new != name and new in names:
                raise RetrainerError(
                    f"'{uri}' has the columns '{name}' and '{new}', and data.columns calls the first as the "
                    "second. Choose another name, or leave the second out (data.drop)."
                )
            if name in self.derived:
                raise RetrainerError(
                    f"'{uri}' has a column '{name}', which data.columns makes of others. Choose another name."
                )
        if self.renamed.keys().isdisjoint(names):
            return block
        new_names = [self.renamed.get(name, name) for name in names]
        return block._replace(
            batch=pa.RecordBatch.from_arrays(block.batch.columns, names=new_names)
        )

    def derive(
        self, columns: Mapping[str, pa.Array], rows: int, read: Read
    ) -> Iterator[tuple[str, pa.Array, str, np.ndarray, str]]:
        """Make the derived columns of a block.

        Args:
            columns: Its columns, as `decode_text` gives them. One that it lacks is missing in all rows.
            rows: How many rows it has.
            read: See `Read`.

        Yields:
            The new column's name and cells; and a source column of it, the positions of its cells that can't be taken,
            and what is wrong with them. Such cells are missing in the new column.
        """
        for name, expression in self.derived.items():
            call = _Call(columns, rows, read)
            made = call.evaluate(expression)
            if isinstance(made, pa.ChunkedArray):
                made = made.combine_chunks()
            yield name, made, "", np.empty(0, np.int64), ""
            for column, (rejected, fault) in call.faults.items():
                yield name, made, column, rejected, fault


def parse_columns(columns: Mapping[str, Any]) -> ColumnChanges:
    """Read what the settings say of columns.

    Args:
        columns: By a column's name: the source's name for it, or a function with its arguments, such as
            `{hour: ordered_at}` or `{greater: [delay, 15]}`. An argument is a column's name, a number, an expression
            itself, or `{value: text}`.

    Raises:
        RetrainerError: If one of them can't be.
    """
    renamed: dict[str, str] = {}
    derived: dict[str, Mapping[str, Any]] = {}
    for name, what in columns.items():
        place = f"data.columns.{name}"
        if isinstance(what, str):
            if what in renamed:
                raise RetrainerError(
                    f"data.columns calls the column '{what}' both '{renamed[what]}' and '{name}'. Take one of them out."
                )
            renamed[what] = name
        else:
            _check(what, place)
            # A number is an argument, and no column.
            if not isinstance(what, Mapping) or _VALUE in what:
                raise RetrainerError(f"{place} is a value alone, and needs a function of a column.")
            derived[name] = what
    changes = ColumnChanges(renamed, derived)
    for source, made in changes.sources.items():
        if source in derived:
            raise RetrainerError(
                f"data.columns.{made} is made of '{source}', which is made itself. Write its expression there instead."
            )
        if source in renamed:
            raise RetrainerError(
                f"data.columns.{made} is made of '{source}', which is called '{renamed[source]}' here. Use that name."
            )
    return changes


def _check(expression: Any, place: str) -> None:
    if isinstance(expression, str) or (
        isinstance(expression, int | float) and not isinstance(expression, bool)
    ):
        return
    if not isinstance(expression, Mapping) or len(expression) != 1:
        raise RetrainerError(
            f"{place} is {expression!r}; give the source's name of the column, or one function with its arguments, "
            "such as {hour: ordered_at}."
        )
    ((function, arguments),) = expression.items()
    if function == _VALUE:
        return
    if function not in FUNCTIONS:
        hint = did_you_mean(function, FUNCTIONS)
        raise RetrainerError(
            f"{place} has the function '{function}', which is unknown.{hint} There are {', '.join(FUNCTIONS)}."
        )
    given = _arguments(arguments)
    count = 1 if function in _ONE_ARGUMENT else 2
    if len(given) != count:
        raise RetrainerError(
            f"{place}: '{function}' takes {plural(count, 'argument')}, and has {len(given)}."
        )
    for argument in given:
        _check(argument, place)


def _arguments(arguments: Any) -> Sequence[Any]:
    return arguments if isinstance(arguments, list | tuple) else [arguments]


def _columns_of(expression: Any) -> Iterator[str]:
    if isinstance(expression, str):
        yield expression
    elif isinstance(expression, Mapping):
        for function, arguments in expression.items():
            if function != _VALUE:
                for argument in _arguments(arguments):
                    yield from _columns_of(argument)


class _Call:
    """Evaluates an expression on a block's columns.

    Attributes:
        faults: Positions of cells that can't be taken, and what is wrong with them, by column.
    """

    def __init__(self, columns: Mapping[str, pa.Array], rows: int, read: Read) -> None:
        self.faults: dict[str, tuple[np.ndarray, str]] = {}
        self._columns = columns
        self._rows = rows
        self._read = read

    def evaluate(self, expression: Any) -> pa.Array:
        ((function, arguments),) = expression.items()
        given = _arguments(arguments)
        if function in (*_OF_A_TIME, *_OF_TWO_TIMES):
            taken = [self._time(argument) for argument in given]
        elif function in _OF_A_TEXT or (
            function in _OF_ANY and not any(map(self._is_number, given))
        ):
            taken = [self._text(argument) for argument in given]
        else:
            taken = [self._number(argument) for argument in given]
        return getattr(pc, function)(*taken)

    def _is_number(self, argument: Any) -> bool:
        if isinstance(argument, Mapping):
            return next(iter(argument)) not in (_VALUE, *_OF_A_TEXT[:3], *_OF_ANY)
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
            if _VALUE in argument:
                return pa.scalar(float(argument[_VALUE]))
            return self.evaluate(argument).cast(pa.float64())
        values, rejected, fault = cast_or_reject(self._column(argument, True), ColumnType.NUMBER)
        self._note(argument, rejected, fault)
        return values

    def _text(self, argument: Any) -> Any:
        if isinstance(argument, Mapping):
            if _VALUE in argument:
                return pa.scalar(str(argument[_VALUE]))
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


_MOMENT = pa.timestamp("us")


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    # With a zone in UTC, as the text of such a column is.
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
