"""Reading a span's rows as the list batches that TFDV takes."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..lib.examples import SpanPart, open_parquet, to_list_batch
from ..lib.files import join

# Rows of a batch shrink as columns or cells grow, so that a batch stays within a few dozen megabytes.
BATCH_CELLS = 4_000_000
BATCH_BYTES = 64 << 20
BATCH_ROWS = 65_536
MIN_BATCH_ROWS = 1_000


def list_batches(part: SpanPart, as_float: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
    """Read a part as list batches.

    Args:
        part: The part.
        as_float: Integer columns to hand over as floating point.

    Yields:
        Batches of at most `BATCH_ROWS` rows, in the order of the rows; fewer rows where there are many columns or
        large cells. Where a batch ends depends on the files alone.
    """
    for name in part.files:
        with open_parquet(join(part.uri, name)) as file:
            for batch in file.iter_batches(batch_size=_batch_rows(file.metadata)):
                yield to_list_batch(_cast(batch, as_float))


def column_count(part: SpanPart) -> int:
    """Count the columns of a part, 0 if it has no file."""
    for name in part.files[:1]:
        with open_parquet(join(part.uri, name)) as file:
            return file.metadata.num_columns
    return 0


def _batch_rows(metadata: pq.FileMetaData) -> int:
    by_columns = max(MIN_BATCH_ROWS, BATCH_CELLS // max(1, metadata.num_columns))
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    row_bytes = max((group.total_byte_size / max(1, group.num_rows) for group in groups), default=0)
    return max(1, min(BATCH_ROWS, by_columns, int(BATCH_BYTES / max(1.0, row_bytes))))


def _cast(batch: pa.RecordBatch, as_float: Sequence[str]) -> pa.RecordBatch:
    wanted = [name for name in as_float if name in batch.schema.names]
    if not wanted:
        return batch
    columns = [
        pc.cast(column, pa.float64(), safe=False) if name in wanted else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
