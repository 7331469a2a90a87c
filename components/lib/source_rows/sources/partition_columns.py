"""Columns that stand in a file's path, as Hive and Spark write them: `site=north/part-0.parquet`."""

from collections.abc import Collection, Iterator

import pyarrow as pa

from ...errors import RetrainerError
from ...source_files import SourceFile
from .base import Block, Source


class PartitionedSource:
    """A source whose rows have the columns of its path, too."""

    def __init__(self, source: Source, file: SourceFile, exclude: Collection[str]) -> None:
        """Take a source.

        Args:
            source: The source.
            file: Its file, with the columns of its path.
            exclude: Columns that are not wanted.
        """
        self.narrow = source.narrow
        self.has_header = source.has_header
        self._source = source
        self._file = file
        self._exclude = exclude

    def blocks(self) -> Iterator[Block]:
        """Read the source; see `Source.blocks`.

        Yields:
            Its blocks, with the columns of the path behind its own. A column that it has itself stays as it is.

        Raises:
            RetrainerError: If it has one of the columns itself, with another value.
        """
        for block in self._source.blocks():
            batch, excluded = block.batch, list(block.excluded)
            names, columns = list(batch.schema.names), list(batch.columns)
            for name, value in self._file.partitions:
                if name in excluded:
                    continue
                if name in self._exclude:
                    excluded.append(name)
                elif name in names:
                    self._check_equal(name, value, columns[names.index(name)])
                else:
                    names.append(name)
                    columns.append(pa.array([value] * len(batch), pa.string()))
            yield block._replace(
                batch=pa.RecordBatch.from_arrays(columns, names=names), excluded=excluded
            )

    def _check_equal(self, name: str, value: str | None, column: pa.Array) -> None:
        for cell in column.unique().to_pylist():
            text = cell.decode(errors="replace") if isinstance(cell, bytes) else cell
            if text != value and (value is None or not _same(text, value)):
                raise RetrainerError(
                    f"'{self._file.uri}' has {name} = {value} in its path, and {text!r} in its column '{name}'. Rename "
                    "one of them, or leave the column out (data.drop)."
                )


def _same(cell: object, value: str) -> bool:
    try:
        return float(str(cell)) == float(value)
    except ValueError:
        return str(cell) == value
