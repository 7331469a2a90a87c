"""CSV as a source of spans, read as text by Arrow's streaming reader."""

import codecs
import csv
import io
import itertools
import os
from collections import deque
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.csv

from ...lib.errors import RetrainerError
from ...lib.spans import SourceFile
from .compression import open_native
from .interface import BLOCK_BYTES, TEXT_KEPT, BadRow, Block, SourceOptions

# A row must fit into a block. Rows larger than a block of the usual size are read with this one.
_LARGEST_BLOCK_BYTES = 16 * BLOCK_BYTES
_HEADER_BYTES = 16 << 20
_CHUNK_BYTES = 1 << 20


class CsvSource:
    """A CSV file in UTF-8, compressed or not; quoted cells may hold line breaks."""

    narrow = True

    def __init__(self, file: SourceFile, path: str, options: SourceOptions) -> None:
        """Take a file.

        Args:
            file: What it is called in errors.
            path: Where it is on this machine.
            options: Its columns, delimiter and missing values.
        """
        self._file = file
        self._path = path
        self._options = options
        self._name = os.path.basename(file.uri)

    def blocks(self) -> Iterator[Block]:
        """Read the file from its beginning, every cell as text (Arrow's `binary`).

        Yields:
            Blocks in order.

        Raises:
            RetrainerError: If it has no row, a column twice, or a row of more than 128 MiB.
        """
        columns = list(self._options.csv_columns) or self._read_header()
        repeated = sorted({name for name in columns if columns.count(name) > 1})
        if repeated:
            raise RetrainerError(
                f"'{self._file.uri}' has the column '{repeated[0]}' more than once. Rename one in the source."
            )
        done = 0
        for block_bytes in (BLOCK_BYTES, _LARGEST_BLOCK_BYTES):
            try:
                for block in self._read(columns, block_bytes):
                    rest = _after(block, done)
                    if rest is not None:
                        done = rest.first + len(rest.batch) + len(rest.bad) - 1
                        yield rest
            except pa.ArrowInvalid as error:
                if "straddling object" not in str(error):
                    raise
                continue
            break
        else:
            raise RetrainerError(
                f"'{self._file.uri}' has a row after row {done:,} that does not end within "
                f"{_LARGEST_BLOCK_BYTES >> 20} MiB. Is a quote opened there and never closed?"
            )
        if done == 0:
            raise RetrainerError(
                f"'{self._file.uri}' has {'no row' if self._options.csv_columns else 'a header and no rows'}. Deliver "
                "the span again, or remove the file."
            )

    def _read_header(self) -> list[str]:
        with open_native(self._file.uri, self._path) as stream:
            head = stream.read(_CHUNK_BYTES)
            while len(head) < _HEADER_BYTES and (more := stream.read(_CHUNK_BYTES)):
                if b"\n" in head:
                    break
                head += more
        text = io.StringIO(head.decode("utf-8-sig", errors="replace"), newline="")
        rows = csv.reader(text, delimiter=self._options.csv_delimiter)
        try:
            return next((row for row in rows if row), [])
        except csv.Error as error:
            raise RetrainerError(
                f"'{self._file.uri}' has no header that can be read: {error}. Deliver the span again, or name its "
                "columns (data.csv.columns) and format (data.format)."
            ) from error

    def _read(self, columns: Sequence[str], block_bytes: int) -> Iterator[Block]:
        invalid: deque[BadRow] = deque()
        header_rows = 0 if self._options.csv_columns else 1

        def set_aside(row: pyarrow.csv.InvalidRow) -> str:
            reason = f"it has {row.actual_columns} cells in place of {row.expected_columns}"
            text = row.text[:TEXT_KEPT]
            invalid.append(BadRow(self._name, row.number - header_rows, reason, text))
            return "skip"

        with open_native(self._file.uri, self._path) as stream:
            reader = pyarrow.csv.open_csv(
                stream,
                # One thread, so that a row set aside carries its number.
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False,
                    block_size=block_bytes,
                    column_names=list(self._options.csv_columns) or None,
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=self._options.csv_delimiter,
                    newlines_in_values=True,
                    invalid_row_handler=set_aside,
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={name: pa.binary() for name in columns},
                    null_values=list(self._options.csv_null_values),
                    strings_can_be_null=True,
                    include_columns=[n for n in columns if n not in self._options.exclude],
                ),
            )
            excluded = [name for name in columns if name in self._options.exclude]
            first = 1
            for batch in reader:
                bad = _take(invalid, first, len(batch))
                yield Block(batch, first, bad, excluded)
                first += len(batch) + len(bad)
            if invalid:
                batch = pa.RecordBatch.from_pylist([], schema=reader.schema)
                yield Block(batch, first, tuple(invalid), excluded)


def is_utf8(encoding: str) -> bool:
    """Tell whether an encoding is read as it is: UTF-8, or what is part of it.

    Args:
        encoding: One of Python's names of encodings.
    """
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii")


def transcode(uri: str, path: str, encoding: str, target: str) -> None:
    """Write a file anew as UTF-8.

    Args:
        uri: What the file is called in errors.
        path: Where it is on this machine, compressed or not.
        encoding: Its encoding, by one of Python's names for it.
        target: Where to write.

    Raises:
        RetrainerError: If it has bytes that mean nothing in that encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    with open_native(uri, path) as stream, open(target, "w", encoding="utf-8", newline="") as out:
        for number in itertools.count():
            chunk = stream.read(_CHUNK_BYTES)
            try:
                out.write(decoder.decode(chunk, final=not chunk))
            except UnicodeDecodeError as error:
                raise RetrainerError(
                    f"'{uri}' is not {encoding}: {error.reason} near byte {number * _CHUNK_BYTES + error.start:,}. Set "
                    "data.csv.encoding to what its writer uses, such as utf-8 or cp1252."
                ) from error
            if not chunk:
                return


def _take(invalid: deque[BadRow], first: int, rows: int) -> tuple[BadRow, ...]:
    # Arrow reads ahead: what it could not read in a later block waits for that.
    bad: list[BadRow] = []
    while invalid and invalid[0].row <= first + rows + len(bad):
        bad.append(invalid.popleft())
    return tuple(bad)


def _after(block: Block, done: int) -> Block | None:
    end = block.first + len(block.batch) + len(block.bad)
    if end <= done + 1:
        return None
    bad = tuple(row for row in block.bad if row.row > done)
    rows = end - max(block.first, done + 1) - len(bad)
    rest = block.batch.slice(len(block.batch) - rows)
    return Block(rest, max(block.first, done + 1), bad, block.excluded)
