"""Opening a file or table of a span as a source of rows."""

from collections.abc import Iterator

import pyarrow as pa

from ...bigquery.bigquery_tables import is_bigquery
from ...errors import RetrainerError
from ...parquet_reader import DamagedParquetError
from ...source_files import SourceFile
from ..download import access_error
from .base import Block, NoRowsError, Source, SourceOptions
from .compression import compression_of
from .formats import format_of


def open_source(
    file: SourceFile, path: str, options: SourceOptions, span: str, scratch: str
) -> Source:
    """Open a file or table as a source of rows.

    Args:
        file: The file or table.
        path: The file on this machine; empty for a table.
        options: How it is read.
        span: Name of its span.
        scratch: Folder for a copy in another encoding.

    Raises:
        NoRowsError: If it is empty, in a format where an empty file is valid.
        RetrainerError: If its format is unknown, or it is damaged.
    """
    if is_bigquery(file.uri):
        from .bigquery import BigQuerySource

        return BigQuerySource(file, span, options)
    format = format_of(file.uri, options.format)
    if file.size == 0:
        # A compressed file has bytes even where nothing is in it.
        whole = not format.has_header and not compression_of(file.uri)
        raise (NoRowsError if whole else RetrainerError)(
            f"'{file.uri}' is empty (0 bytes). Upload the span again."
        )
    source: Source = format.load().open_file(file, path, options, scratch)
    return source


def read_blocks(source: Source, uri: str) -> Iterator[Block]:
    """Read a source; errors are one sentence.

    Args:
        source: The source.
        uri: Its name in errors.

    Yields:
        Its blocks.

    Raises:
        RetrainerError: If it can't be read.
    """
    try:
        yield from source.blocks()
    except (
        DamagedParquetError,
        pa.ArrowException,
        UnicodeDecodeError,
        OSError,
    ) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise access_error(uri, error) from error
        if isinstance(error, OSError) and error.errno is not None:
            raise
        said = error.reason if isinstance(error, DamagedParquetError) else str(error)
        reason = said.splitlines()[0].rstrip(".")
        raise RetrainerError(
            f"'{uri}' can't be read: {reason}. Upload the span again, or set data.format."
        ) from error
