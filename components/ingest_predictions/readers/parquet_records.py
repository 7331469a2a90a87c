"""Rows of Parquet files as records."""

from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa

from ...lib.parquet_reader import DamagedParquetError, open_parquet
from ..opened_log import CutOffError, OpenedLog

_ROWS = 8_192


def read_records(
    log: OpenedLog, wanted: Collection[str] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read the rows of a file.

    Args:
        log: The file.
        wanted: The columns to read; all if None. Those that the file lacks are left out.

    Yields:
        Number of each row, from 1, and its cells by column.

    Raises:
        CutOffError: If it is no whole Parquet file.
    """
    try:
        with open_parquet(log.file.uri) as parquet:
            names = parquet.schema_arrow.names
            columns = names if wanted is None else [name for name in names if name in wanted]
            first = 1
            for batch in parquet.iter_batches(batch_size=_ROWS, columns=columns or names[:1]):
                yield from enumerate(batch.to_pylist(), first)
                first += len(batch)
    except DamagedParquetError as error:
        raise CutOffError(error.reason) from error
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise CutOffError(str(error).splitlines()[0]) from error
