"""Writing rows into Parquet files, block by block."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

# So few that one group of a span of common size is written while the next is read.
ROWS_PER_GROUP = 32_768
# Of many columns a row group has fewer rows, so that it stays within a few dozen megabytes.
CELLS_PER_GROUP = 8_000_000
# Of long texts it has fewer, too.
BYTES_PER_GROUP = 64 << 20
# Beam's workers share files of this size.
ROWS_PER_FILE = 32 * ROWS_PER_GROUP


@dataclass(frozen=True)
class Encoding:
    """How columns are written.

    Attributes:
        dictionary: Names of the columns that are written as dictionaries of their values; True for all. It costs time
            where nearly every value is another one.
        statistics: Names of the columns whose least and greatest value are written; True for all.
    """

    dictionary: bool | Sequence[str] = True
    statistics: bool | Sequence[str] = True


class RowFile:
    """A Parquet file that rows are added to.

    Attributes:
        path: The file. It is there once rows were written, or `close` was called.
        rows: How many rows were added.
    """

    def __init__(self, path: Path, schema: pa.Schema, encoding: Encoding = Encoding()) -> None:
        """Begin a file.

        Args:
            path: The file.
            schema: Its columns.
            encoding: How they are written.
        """
        self.path = path
        self.rows = 0
        self._schema = schema
        self._encoding = encoding
        self._group_rows = min(ROWS_PER_GROUP, max(1_000, CELLS_PER_GROUP // max(1, len(schema))))
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0
        self._writer: pq.ParquetWriter | None = None

    def write(self, rows: pa.Table) -> None:
        """Add rows, which have the file's columns."""
        if not len(rows):
            # A slice without rows would hold on to all rows that it was cut from.
            return
        self._waiting.append(rows)
        self._waiting_rows += len(rows)
        self._waiting_bytes += rows.nbytes
        self.rows += len(rows)
        if self._waiting_bytes >= BYTES_PER_GROUP:
            self._write_waiting(self._waiting_rows)
        elif self._waiting_rows >= self._group_rows:
            self._write_waiting(self._waiting_rows - self._waiting_rows % self._group_rows)

    def close(self) -> None:
        """Write what is waiting, and end the file."""
        self._write_waiting(self._waiting_rows)
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write_waiting(self, count: int) -> None:
        waiting = pa.concat_tables([self._schema.empty_table(), *self._waiting])
        self._write(waiting.slice(0, count))
        rest = waiting.slice(count)
        # Even an empty slice would keep all of its rows in memory.
        self._waiting = [rest] if len(rest) else []
        self._waiting_rows, self._waiting_bytes = len(rest), rest.nbytes

    def _write(self, rows: pa.Table) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                str(self.path),
                self._schema,
                use_dictionary=self._encoding.dictionary,
                write_statistics=self._encoding.statistics,
            )
        if len(rows):
            self._writer.write_table(rows, row_group_size=self._group_rows)


class PartFiles:
    """The files of one part of a span: `<name>-00000.parquet`, `<name>-00001.parquet` and so on.

    Attributes:
        rows: How many rows were added.
    """

    def __init__(
        self, folder: Path, name: str, schema: pa.Schema, encoding: Encoding = Encoding()
    ) -> None:
        """Begin a part, which has one file even without rows.

        Args:
            folder: Where to write.
            name: The part's name.
            schema: Its columns.
            encoding: How they are written.
        """
        self.rows = 0
        self._folder = folder
        self._name = name
        self._schema = schema
        self._encoding = encoding
        self._files = [self._next_file(0)]

    @property
    def files(self) -> list[str]:
        """Names of the files."""
        return [file.path.name for file in self._files]

    def write(self, rows: pa.Table) -> None:
        """Add rows, which have the part's columns."""
        self.rows += len(rows)
        while len(rows):
            room = ROWS_PER_FILE - self._files[-1].rows
            self._files[-1].write(rows.slice(0, room))
            rows = rows.slice(room)
            if self._files[-1].rows == ROWS_PER_FILE and len(rows):
                self._files[-1].close()
                self._files.append(self._next_file(len(self._files)))

    def close(self) -> None:
        """End the last file."""
        self._files[-1].close()

    def without(self, positions: np.ndarray, removed: RowFile) -> "PartFiles":
        """Rewrite a closed part without some of its rows.

        Args:
            positions: Of those rows, ascending.
            removed: Gets them.

        Returns:
            The new part, closed.
        """
        before = [file.path.rename(file.path.with_suffix(".before")) for file in self._files]
        rest = PartFiles(self._folder, self._name, self._schema, self._encoding)
        start = 0
        for path in before:
            with pa.OSFile(os.fspath(path)) as raw:
                for batch in pq.ParquetFile(raw).iter_batches(batch_size=ROWS_PER_GROUP):
                    rows = pa.Table.from_batches([batch])
                    begin, end = np.searchsorted(positions, (start, start + len(rows)))
                    gone = np.zeros(len(rows), dtype=bool)
                    gone[positions[begin:end] - start] = True
                    removed.write(rows.filter(pa.array(gone)))
                    rest.write(rows.filter(pa.array(~gone)))
                    start += len(rows)
            path.unlink()
        rest.close()
        return rest

    def _next_file(self, number: int) -> RowFile:
        path = self._folder / f"{self._name}-{number:05d}.parquet"
        return RowFile(path, self._schema, self._encoding)
