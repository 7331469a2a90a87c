"""Reading a span's rows in batches that depend on its files alone."""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..examples import SpanPart
from ..parquet_reader import open_parquet
from ..uris import join

# Rows of a batch shrink as columns or cells grow, so that a batch stays within a few dozen megabytes.
BATCH_CELLS = 4_000_000
BATCH_BYTES = 64 << 20
BATCH_ROWS = 65_536
MIN_BATCH_ROWS = 1_000


class PartReader:
    """The rows of a part, read some columns at a time.

    Its files stay open from one block of columns to the next: a wide table's metadata is slow to read.
    """

    def __init__(self, part: SpanPart, files: ExitStack) -> None:
        """Open the part's files.

        Args:
            part: The part.
            files: Closes them.
        """
        self._files = [
            files.enter_context(open_parquet(join(part.uri, name))) for name in part.files
        ]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the part's columns; none if it has no file."""
        return tuple(dict.fromkeys(name for f in self._files for name in f.schema_arrow.names))

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read some columns.

        Args:
            columns: Names of the columns.

        Yields:
            Batches of at most `BATCH_ROWS` rows, in the order of the rows; fewer rows with many columns or
            large cells. All batches of a file have one size, except the last. Batch boundaries depend on the files
            alone.
        """
        for file in self._files:
            names = file.schema_arrow.names
            present = [name for name in columns if name in set(names)]
            rows = _batch_rows(file.metadata, names, present)
            chosen = None if len(present) == len(names) else present
            yield from file.iter_batches(batch_size=rows, columns=chosen)


def cast_to_float(batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    """Cast some number columns to floating point; a batch may lack them."""
    wanted = [name for name in names if name in batch.schema.names]
    if not wanted:
        return batch
    columns = [
        pc.cast(column, pa.float64(), safe=False) if name in wanted else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _batch_rows(metadata: pq.FileMetaData, names: Sequence[str], columns: Sequence[str]) -> int:
    by_columns = max(MIN_BATCH_ROWS, BATCH_CELLS // max(1, len(columns)))
    place = {name: i for i, name in enumerate(names)}
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    row_bytes = max(
        (
            sum(group.column(place[name]).total_uncompressed_size for name in columns)
            / max(1, group.num_rows)
            for group in groups
        ),
        default=0,
    )
    most = max(1, min(BATCH_ROWS, by_columns, int(BATCH_BYTES / max(1.0, row_bytes))))
    count = math.ceil(metadata.num_rows / most)
    return math.ceil(metadata.num_rows / max(1, count)) or 1
