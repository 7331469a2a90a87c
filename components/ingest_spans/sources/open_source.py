"""Which source reads a file: by the format that was set, or by the file's ending."""

import os
import re
from collections.abc import Callable, Iterator

import pyarrow as pa

from ...lib.bigquery_tables import is_bigquery
from ...lib.errors import RetrainerError
from ...lib.span_discovery import SourceFile
from ..download import refused
from .base import Block, NoRowsError, Source, SourceOptions
from .compression import compression_of, without_compression
from .csv_files import CsvSource
from .encoding import is_utf8, transcode
from .json_lines import JsonLinesSource
from .parquet_files import ParquetSource

AUTO = "auto"
CSV, PARQUET, JSON_LINES, TFRECORD = "csv", "parquet", "jsonl", "tfrecord"
FORMATS = (CSV, PARQUET, JSON_LINES, TFRECORD)
_BY_ENDING = {
    ".csv": CSV,
    ".parquet": PARQUET,
    ".pq": PARQUET,
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
    ".json": JSON_LINES,
    ".tfrecord": TFRECORD,
    ".tfrecords": TFRECORD,
}
# TFX's own shards have no ending: `data_tfrecord-00000-of-00001.gz`.
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")


def open_source(
    file: SourceFile, path: str, options: SourceOptions, span: str, scratch: str
) -> Source:
    """Choose the source of a file or table.

    Args:
        file: The file or table.
        path: Where the file is on this machine; empty for a table.
        options: How it is read.
        span: Name of its span.
        scratch: Folder for what has to be written anew before it can be read.

    Raises:
        NoRowsError: If it is empty, in a format where that is no damage.
        RetrainerError: If its format is unknown, or it is damaged.
    """
    if is_bigquery(file.uri):
        from .bigquery import BigQuerySource

        return BigQuerySource(file, span, options)
    format = _format_of(file.uri, options.format)
    if file.size == 0:
        # Text without a line is whole; what a program packs or writes in a form of its own has bytes even then.
        whole = format != PARQUET and not compression_of(file.uri)
        raise (NoRowsError if whole else RetrainerError)(
            f"'{file.uri}' is empty (0 bytes). Upload the span again."
        )
    return _OPENERS[format](file, path, options, scratch)


def read_blocks(source: Source, uri: str) -> Iterator[Block]:
    """Read a source, and say in one sentence what is wrong with it.

    Args:
        source: The source.
        uri: What it is called in errors.

    Yields:
        Its blocks.

    Raises:
        RetrainerError: If it can't be read.
    """
    try:
        yield from source.blocks()
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise refused(uri, error) from error
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = str(error).splitlines()[0].rstrip(".")
        raise RetrainerError(
            f"'{uri}' can't be read: {reason}. Deliver the span again, or set data.format."
        ) from error


def _format_of(uri: str, format: str) -> str:
    if format != AUTO:
        return format
    name = without_compression(uri.lower())
    numbered = _SHARD.sub("", name)
    known = _BY_ENDING.get(os.path.splitext(numbered)[1])
    if known is None and numbered != name:
        known = TFRECORD
    if known is None:
        raise RetrainerError(
            f"can't tell the format of '{uri}' by its ending. Set data.format to {', '.join(FORMATS[:-1])} or "
            f"{FORMATS[-1]}."
        )
    return known


def _open_csv(file: SourceFile, path: str, options: SourceOptions, scratch: str) -> Source:
    if not is_utf8(options.csv_encoding):
        target = os.path.join(scratch, f"{os.path.basename(path)}.utf-8")
        transcode(file.uri, path, options.csv_encoding, target)
        path = target
    return CsvSource(file, path, options, scratch)


def _open_parquet(file: SourceFile, path: str, options: SourceOptions, scratch: str) -> Source:
    return ParquetSource(file, path, options)


def _open_json_lines(file: SourceFile, path: str, options: SourceOptions, scratch: str) -> Source:
    return JsonLinesSource(file, path, options)


def _open_tfrecord(file: SourceFile, path: str, options: SourceOptions, scratch: str) -> Source:
    from .tfrecords import TFRecordSource

    return TFRecordSource(file, path, options)


_OPENERS: dict[str, Callable[[SourceFile, str, SourceOptions, str], Source]] = {
    CSV: _open_csv,
    PARQUET: _open_parquet,
    JSON_LINES: _open_json_lines,
    TFRECORD: _open_tfrecord,
}
