"""Parquet as a source of spans."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pyarrow as pa
import pyarrow.parquet as pq

from ...errors import RetrainerError
from ...parquet_reader import DamagedParquetError, open_parquet
from ...source_files import SourceFile
from .base import BLOCK_BYTES, BLOCK_ROWS, Block, NoRowsError, SourceOptions
from .column_names import check_names

_BLOCK_BYTES = 4 * BLOCK_BYTES
_MAGIC = b"PAR1"


def open_file(file: SourceFile, path: str, options: SourceOptions, scratch: str) -> "ParquetSource":
    """Open a file; see `open_source`."""
    return ParquetSource(file, path, options)


class ParquetSource:
    """A Parquet file."""

    narrow = False
    has_header = True

    def __init__(self, file: SourceFile, path: str, options: SourceOptions) -> None:
        """Take a file.

        Args:
            file: What it is called in errors.
            path: Where it is on this machine.
            options: The columns that are not wanted.
        """
        self._file = file
        self._path = path
        self._exclude = options.exclude
        self._only = options.only

    def blocks(self) -> Iterator[Block]:
        """Read the file from its beginning.

        Yields:
            Blocks in order.

        Raises:
            NoRowsError: If it has no row.
            RetrainerError: If it has a column twice, or a type that this version of Arrow does not know.
        """
        with ExitStack() as stack:
            try:
                parquet = stack.enter_context(open_parquet(self._path))
            except DamagedParquetError as error:
                if not _is_whole(self._path):
                    raise
                raise RetrainerError(
                    f"'{self._file.uri}' is Parquet that Arrow {pa.__version__} can't read: {error.reason}. Upload the "
                    "span again if it is damaged; if a newer Arrow wrote it, run retrainer on Python 3.12 or later, or "
                    "have it written with older types."
                ) from error
            names = parquet.schema_arrow.names
            check_names(names, self._file.uri)
            if parquet.metadata.num_rows == 0:
                raise NoRowsError(
                    f"'{self._file.uri}' has columns and no rows. Upload the span again."
                )
            yield from self._read(parquet)

    def _read(self, parquet: pq.ParquetFile) -> Iterator[Block]:
        names = parquet.schema_arrow.names
        wanted = [
            name
            for name in names
            if name not in self._exclude and (not self._only or name in self._only)
        ]
        if self._only and not wanted:
            # A batch without columns has no rows.
            wanted = names[:1]
        excluded = [name for name in names if name not in wanted]
        first = 1
        for batch in parquet.iter_batches(batch_size=_block_rows(parquet), columns=wanted):
            yield Block(batch, first, (), excluded)
            first += len(batch)


def _is_whole(path: str) -> bool:
    with open(path, "rb") as file:
        start = file.read(len(_MAGIC))
        file.seek(max(0, os.path.getsize(path) - len(_MAGIC)))
        return start == file.read() == _MAGIC


def _block_rows(parquet: pq.ParquetFile) -> int:
    metadata = parquet.metadata
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    # Dictionaries are small in the file, and not in memory.
    least = 8 * metadata.num_rows * metadata.num_columns
    stored = max(least, sum(group.total_byte_size for group in groups))
    return max(1, min(BLOCK_ROWS, _BLOCK_BYTES * metadata.num_rows // max(1, stored)))
