"""TFRecord files of tf.Examples as a source of rows."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from ...source_files import SourceFile
from ...threads import ordered_map
from .base import TEXT_KEPT, BadRow, Block, NoRowsError, SourceOptions
from .compression import compression_of, open_native
from .record_io import begins_with_record, read_records
from .tf_examples import decode_examples

_GZIP = b"\x1f\x8b\x08"
# Decoding is the slow part, and releases the interpreter's lock.
_THREADS = 2


def open_file(
    file: SourceFile, path: str, options: SourceOptions, scratch: str
) -> "TFRecordSource":
    """Open a file; see `open_source`."""
    return TFRecordSource(file, path, options)


class TFRecordSource:
    """A TFRecord file of tf.Examples, compressed or not.

    A row's number is its record's. Columns are the features, sorted by name; texts are binary, as tf.Examples have
    them.
    """

    narrow = False
    has_header = False

    def __init__(self, file: SourceFile, path: str, options: SourceOptions) -> None:
        """Name the source.

        Args:
            file: The file, for errors and bad rows.
            path: Where it is on this machine, with the endings of its name.
            options: How to read it.
        """
        self._file = file
        self._path = path
        self._exclude = frozenset(options.exclude)

    def blocks(self) -> Iterator[Block]:
        """Read the file; see `Source.blocks`.

        Yields:
            Blocks of rows. A record that is no tf.Example is a bad row.

        Raises:
            NoRowsError: If the file has no record.
            RetrainerError: If the file is no TFRecord file, or is damaged or cut off.
        """
        uri = self._file.uri
        empty = True
        with (
            open_native(uri, self._path, _codec(self._path)) as stream,
            ThreadPoolExecutor(_THREADS) as pool,
        ):
            numbered = _number(read_records(stream, uri))
            for block in ordered_map(pool, self._block, numbered, _THREADS):
                empty = False
                yield block
        if empty:
            raise NoRowsError(f"'{uri}' has no records. Upload the span again.")

    def _block(self, numbered: tuple[int, list[bytes]]) -> Block:
        first, records = numbered
        decoded = decode_examples(records, self._exclude)
        name = os.path.basename(self._file.uri)
        bad = [
            BadRow(name, first + index, reason, _text(records[index]))
            for index, reason in decoded.faults
        ]
        return Block(decoded.batch, first, bad, decoded.excluded)


def _number(batches: Iterable[list[bytes]]) -> Iterator[tuple[int, list[bytes]]]:
    """Number records from 1: yield each batch with the number of its first record."""
    first = 1
    for records in batches:
        yield first, records
        first += len(records)


def _codec(path: str) -> str:
    """Detect the codec of a file whose name has no ending for it, as TFX's own writer leaves it out."""
    if compression_of(path):
        return ""
    with open(path, "rb") as file:
        start = file.read(64)
    return "gzip" if start.startswith(_GZIP) and not begins_with_record(start) else ""


def _text(record: bytes) -> str:
    return record[:TEXT_KEPT].decode(errors="backslashreplace")[:TEXT_KEPT]
