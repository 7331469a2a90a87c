"""Reading a span's sources as blocks of rows in their final types."""

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from .casts import CastError, cast, nested_column_error
from .cell_rules import CellRules, Rules
from .column_changes import ColumnChanges
from .column_expressions import derive_columns, rename_columns
from .column_types import ColumnType
from .inferred_column import INDEX, NEAR_MISS, Converted, InferredColumn, Note
from .near_misses import NearMisses
from .parsed_files import Opener, Parsed, parse_files
from .rejecting_casts import decode_text
from .required_columns import RequiredColumns
from .sources.base import CELL_KEPT, TEXT_KEPT, BadRow, Block, NoRowsError
from .sources.column_names import check_characters, is_index


class TypesChangedError(Exception):
    """A later block contradicts the column types inferred so far."""


class Rows(NamedTuple):
    """Rows in their final types.

    Attributes:
        table: The rows that could be read.
        bad: Those that could not.
        source: Which of the sources they are of, from 0.
        numbers: Of a reader that keeps faulty rows: number in the source of each row of `table`, from 1.
        faults: Of a reader that keeps faulty rows: what is wrong with rows of `table`, by their index. Their cells that
            do not fit are null.
    """

    table: pa.Table
    bad: Sequence[BadRow]
    source: int = 0
    numbers: np.ndarray | None = None
    faults: Mapping[int, Sequence[str]] = MappingProxyType({})


class SpanReader:
    """Reads the sources of a span, and infers the types of their columns.

    Attributes:
        excluded: The columns that were found and left out.
    """

    def __init__(
        self,
        sources: Sequence[tuple[str, Opener]],
        declared: Mapping[str, ColumnType],
        required: RequiredColumns | None = None,
        rules: Rules | None = None,
        strict: Collection[str] = (),
        changes: ColumnChanges | None = None,
        only: Collection[str] | None = None,
        keep_faulty: bool = False,
        known: Mapping[str, InferredColumn] = MappingProxyType({}),
        files_ahead: int = 0,
        dropped: Collection[str] = (),
    ) -> None:
        """Take the sources.

        Args:
            sources: How each is opened, with its URI, in order.
            declared: Types that are not inferred: a cell of another type makes its row unreadable.
            required: The columns that the sources must have; None: they may have any.
            rules: How cells are read in formats that have text alone; None: the defaults.
            strict: Columns where a code, such as 0700, is rejected even if a number is declared.
            changes: Columns to rename and to derive before anything else.
            only: The columns to read, by their new names; all if None.
            keep_faulty: Whether rows with cells that do not fit stay in the table.
            known: Columns of the whole span, of which these are some of the sources: `columns` of the reader that read
                all of them. They are in the table whether these sources have them or not.
            files_ahead: How many sources are parsed beside the one whose rows are read.
            dropped: Columns, by their new names, that others are made of, and that are left out then.
        """
        self._columns: dict[str, InferredColumn] = {}
        self.excluded: set[str] = set()
        # Columns of pandas' index, as they came.
        self._indices: dict[str, None] = {}
        self._sources = sources
        self._declared = declared
        self._required = required or RequiredColumns({}, {})
        self._rules = rules or Rules(CellRules(), {})
        self._strict = frozenset(strict)
        self._changes = changes or ColumnChanges()
        self._only = only
        self._keep_faulty = keep_faulty
        self._known = known
        self._files_ahead = files_ahead
        self._dropped = frozenset(dropped)
        self._near_misses = NearMisses()

    @property
    def types(self) -> dict[str, ColumnType]:
        """The type of each column, in order of appearance, as far as it was read; first those that were known."""
        return {name: column.type for name, column in {**self._known, **self._columns}.items()}

    @property
    def columns(self) -> dict[str, InferredColumn]:
        """The columns that were found, in order of appearance."""
        return dict(self._columns)

    def notes(self) -> dict[str, list[Note]]:
        """List the notes of each column that has some; see `Note`."""
        notes = {name: column.notes() for name, column in self._columns.items()}
        notes |= {name: [Note(INDEX, 0, (), "")] for name in self._indices}
        for name, text, rows, examples in self._near_misses.found():
            notes.setdefault(name, []).append(Note(NEAR_MISS, rows, examples, repr(text)))
        return {name: of_column for name, of_column in notes.items() if of_column}

    def read(self) -> Iterator[Rows]:
        """Read all sources, with the types that are known so far.

        Yields:
            Rows, block by block, with the columns of `types`.

        Raises:
            TypesChangedError: Once everything is read, if a block contradicted the types of the first. By then `types`
                are those of the whole span. Blocks are yielded until then.
            NoRowsError: If no source has a row.
            RetrainerError: If a source can't be read.
        """
        started = changed = False
        empty: NoRowsError | None = None
        with closing(parse_files(self._sources, self._files_ahead)) as files:
            for number, parsed in enumerate(files):
                blocks = self._blocks(self._sources[number][0], parsed)
                while True:
                    known = self._arrow_types()
                    try:
                        rows = next(blocks, None)
                    except NoRowsError as error:
                        # Programs that write a file a task leave some without rows beside the others.
                        empty = empty or error
                        break
                    if rows is None:
                        break
                    changed = changed or (started and known != self._arrow_types())
                    started = True
                    if not changed:
                        yield rows._replace(source=number)
        if empty and not started:
            raise empty if len(self._sources) == 1 else no_rows([uri for uri, _ in self._sources])
        for column in self._columns.values():
            column.finish()
        if changed:
            raise TypesChangedError

    def _blocks(self, uri: str, parsed: Iterator[Parsed]) -> Iterator[Rows]:
        checked: list[str] = []
        for whole, narrow, has_header in parsed:
            block = self._without_index(rename_columns(self._changes, whole, uri))
            if block.batch.schema.names != checked:
                checked = block.batch.schema.names
                check_characters(checked, uri)
            self._required.check(block, uri, has_header)
            self.excluded.update(block.excluded)
            self.excluded.update(self._dropped.intersection(block.batch.schema.names))
            yield self._convert(self._wanted(block), uri, narrow)

    def _without_index(self, block: Block) -> Block:
        found = [name for name in block.batch.schema.names if is_index(name)]
        # One that the settings name is wanted.
        left_out = [
            name
            for name in found
            if not name or (name not in self._declared and not self._required.names(name))
        ]
        if not left_out:
            return block
        self._indices.update(dict.fromkeys(left_out))
        kept = [name for name in block.batch.schema.names if name not in left_out]
        batch = pa.RecordBatch.from_arrays([block.batch.column(name) for name in kept], names=kept)
        return block._replace(batch=batch, excluded=[*block.excluded, *left_out])

    def _wanted(self, block: Block) -> Block:
        if self._only is None:
            return block
        kept = [name for name in block.batch.schema.names if name in self._only]
        if not kept:
            # A batch without columns has no rows.
            kept = block.batch.schema.names[:1]
        batch = pa.RecordBatch.from_arrays(
            [block.batch.column(name) for name in kept],
            schema=pa.schema([block.batch.schema.field(name) for name in kept]),
        )
        return block._replace(batch=batch)

    def _arrow_types(self) -> dict[str, pa.DataType]:
        return {name: column_type.arrow_type for name, column_type in self.types.items()}

    def _convert(self, block: Block, uri: str, narrow: bool) -> Rows:
        faults: dict[int, list[str]] = {}
        decoded: dict[str, pa.Array] = {}
        for name, column in zip(block.batch.schema.names, block.batch.columns, strict=True):
            decoded[name], rejected, fault = decode_text(column)
            _note(faults, rejected, name, fault)
        final = {}
        for name, column in decoded.items():
            if name in self._dropped:
                continue
            try:
                final[name], rejected, fault = self._cast(name, column, narrow)
            except CastError as error:
                raise nested_column_error(column, name, uri) from error
            _note(faults, rejected, name, fault)
        length = len(block.batch)
        read = self._read_narrow if narrow else _read_typed
        for name, made, source, rejected, fault in derive_columns(
            self._changes, decoded, length, read, self._near_misses
        ):
            if not source:
                final[name], rejected, fault = self._cast(name, made, False)
            _note(faults, rejected, source or name, fault)
        columns = [
            final[name] if name in final else pa.nulls(length, column_type.arrow_type)
            for name, column_type in self.types.items()
        ]
        table = pa.Table.from_arrays(columns, names=list(self.types))
        if self._keep_faulty:
            return Rows(table, block.bad, numbers=block.row_numbers(), faults=faults)
        if not faults:
            return Rows(table, block.bad)
        kept = np.ones(length, dtype=bool)
        kept[list(faults)] = False
        bad = [*block.bad, *self._describe(block, faults, os.path.basename(uri))]
        return Rows(table.filter(pa.array(kept)), sorted(bad, key=lambda row: row.row))

    def _cast(self, name: str, column: pa.Array, narrow: bool) -> Converted:
        if name not in self._columns:
            self._columns[name] = self._known.get(name) or InferredColumn(
                self._declared.get(name), name in self._strict
            )
        return self._columns[name].add(column, self._rules.of(name) if narrow else None)

    def _read_narrow(self, name: str, column: pa.Array, as_number: bool) -> pa.Array:
        if not pa.types.is_string(column.type):
            return column
        rules = self._rules.of(name)
        text = rules.without_missing(column)
        return rules.as_numbers(text) if as_number else text

    def _describe(
        self,
        block: Block,
        faults: Mapping[int, list[str]],
        file: str,
    ) -> Iterator[BadRow]:
        numbers = block.row_numbers()
        names = block.batch.schema.names
        indices = pa.array(faults, pa.int64())
        cells = [_readable(column.take(indices)) for column in block.batch.columns]
        rows = zip(*cells, strict=True)
        for (index, reasons), row in zip(faults.items(), rows, strict=True):
            shown = dict(zip(names, row, strict=True))
            text = json.dumps(shown, ensure_ascii=False, default=str)[:TEXT_KEPT]
            # The reasons begin with the column's name.
            cell = next(
                (shown[name] for name in shown if reasons[0].startswith(f"'{name}' ")), None
            )
            cell = "" if cell is None else str(cell)[:CELL_KEPT]
            yield BadRow(file, int(numbers[index]), "; ".join(reasons), text, cell)


def no_rows(uris: Sequence[str]) -> NoRowsError:
    """Describe a span of several sources, none of which has a row.

    Args:
        uris: The sources.
    """
    return NoRowsError(
        f"none of the span's {len(uris)} files has a row; the first is '{uris[0]}'. Upload the span again."
    )


def _read_typed(name: str, column: pa.Array, as_number: bool) -> pa.Array:
    return column


def _readable(column: pa.Array) -> list[Any]:
    try:
        cells = column.to_pylist()
    except (ValueError, OverflowError):
        # A moment that Python's own types can't hold.
        cells = cast(column, ColumnType.TEXT).to_pylist()
    return [
        cell.decode(errors="backslashreplace") if isinstance(cell, bytes) else cell
        for cell in cells
    ]


def _note(faults: dict[int, list[str]], rejected: np.ndarray, name: str, fault: str) -> None:
    for index in rejected:
        faults.setdefault(int(index), []).append(f"'{name}' {fault}")
