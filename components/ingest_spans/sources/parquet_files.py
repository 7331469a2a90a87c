"""Parquet as a source of spans."""

from collections.abc import Iterator

import pyarrow.parquet as pq

from ...lib.errors import RetrainerError
from ...lib.examples import open_parquet
from ...lib.spans import SourceFile
from .interface import BLOCK_BYTES, BLOCK_ROWS, Block, SourceOptions
from .names import check_names

_BLOCK_BYTES = 4 * BLOCK_BYTES


class ParquetSource:
    """A Parquet file."""

    narrow = False

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

    def blocks(self) -> Iterator[Block]:
        """Read the file from its beginning.

        Yields:
            Blocks in order.

        Raises:
            RetrainerError: If it has no row, or a column twice.
        """
        with open_parquet(self._path) as parquet:
            names = parquet.schema_arrow.names
            check_names(names, self._file.uri)
            if parquet.metadata.num_rows == 0:
                raise RetrainerError(
                    f"'{self._file.uri}' has columns and no rows. Deliver the span again, or remove the file."
                )
            yield from self._read(parquet)

    def _read(self, parquet: pq.ParquetFile) -> Iterator[Block]:
        names = parquet.schema_arrow.names
        wanted = [name for name in names if name not in self._exclude]
        excluded = [name for name in names if name in self._exclude]
        first = 1
        for batch in parquet.iter_batches(batch_size=_block_rows(parquet), columns=wanted):
            yield Block(batch, first, (), excluded)
            first += len(batch)


def _block_rows(parquet: pq.ParquetFile) -> int:
    metadata = parquet.metadata
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    # Dictionaries are small in the file, and not in memory.
    least = 8 * metadata.num_rows * metadata.num_columns
    stored = max(least, sum(group.total_byte_size for group in groups))
    return max(1, min(BLOCK_ROWS, _BLOCK_BYTES * metadata.num_rows // max(1, stored)))
