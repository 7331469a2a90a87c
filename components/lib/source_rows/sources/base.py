"""The interface of sources: blocks of rows in the source's own types, and the rows that could not be read."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from ...errors import RetrainerError
from .options import SourceOptions as SourceOptions

# About so many bytes of a source are read at a time; what a block becomes in memory is a few times that.
BLOCK_BYTES = 8 << 20
# Rows of a block, in formats that are read by rows.
BLOCK_ROWS = 65_536
# Of a row that can't be read, so much is kept to recognise it by, in characters.
TEXT_KEPT = 2_000
# Of a cell that does not fit, so much, in characters.
CELL_KEPT = 100


@dataclass(frozen=True)
class BadRow:
    """A row that can't be read.

    Attributes:
        file: Name of its file, without folders.
        row: Its number in the file, from 1; a header is not counted.
        reason: What is wrong with it, without a full stop.
        text: Its text in the source, at most `TEXT_KEPT` characters. It may hold private cells: what is done with
            it is the caller's to decide.
        cell: The first cell that does not fit, of a row whose cells could be separated; as private as the text.
    """

    file: str
    row: int
    reason: str
    text: str = ""
    cell: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as the quarantine file holds it."""
        return asdict(self)


class Block(NamedTuple):
    """Some consecutive rows of a source.

    Attributes:
        batch: The rows that could be read x the columns that they have, in the source's own Arrow types and in its
            order. Columns may differ from block to block.
        first: Number of the block's first row in the file, from 1, read or not.
        bad: The rows of the block that could not be read, in order of their numbers.
        excluded: The columns of `SourceOptions.exclude` that the block has, and that were left out of `batch`.
        numbers: Number in the file of each row of `batch`, where the rows read and the bad ones leave some out.
    """

    batch: pa.RecordBatch
    first: int
    bad: Sequence[BadRow] = ()
    excluded: Sequence[str] = ()
    numbers: np.ndarray | None = None

    def row_numbers(self) -> np.ndarray:
        """Return the number in the file of each row of `batch`."""
        if self.numbers is not None:
            return self.numbers
        numbers = np.arange(self.first, self.first + len(self.batch) + len(self.bad))
        return np.setdiff1d(numbers, [row.row for row in self.bad], assume_unique=True)


class NoRowsError(RetrainerError):
    """A complete source without rows: valid as long as another source of its span has some."""


class Source(Protocol):
    """One file or table of a span."""

    narrow: bool
    """Whether columns of text are to become numbers where every cell is one, because the format knows text alone."""
    has_header: bool
    """Whether every row has the same columns, by a header or a schema; else a row has those that it names itself."""

    def blocks(self) -> Iterator[Block]:
        """Read the source from its beginning; may be called again.

        Memory is bounded: by a few blocks, whatever the source's size.

        Yields:
            Blocks in order. One without rows shows which columns there are.

        Raises:
            NoRowsError: If there is no row, at the end.
            RetrainerError: If the source as a whole can't be read: cut off, of another format.
        """
        ...
