"""CSV as a source of spans, read as text by Arrow's streaming reader."""

import codecs
import csv
import io
import os
import re
from collections import deque
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.csv

from ...errors import RetrainerError
from ...source_files import SourceFile
from .base import BLOCK_BYTES as SOURCE_BLOCK_BYTES
from .base import TEXT_KEPT, BadRow, Block, NoRowsError, SourceOptions
from .column_names import check_names
from .compression import open_native
from .encoding import BYTEWISE, begins_as_utf8, is_utf8, original_bytes, transcode

# Arrow reads some thirty of them ahead.
BLOCK_BYTES = SOURCE_BLOCK_BYTES // 16
# A row must fit into a block. Rows larger than a block of the usual size are read with this one.
_LARGEST_BLOCK_BYTES = 256 * BLOCK_BYTES
_HEADER_BYTES = 16 << 20
_CHUNK_BYTES = 1 << 20
# A row over more lines than these that has not as many cells as it should has swallowed the rows after it.
_MOST_LINES = 100
_UTF16_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Rows of another number of cells are quarantined, unless Arrow can't hand their text over since it is not UTF-8.
_NOT_HANDED_OVER = re.compile(r"Expected \d+ columns, got \d+")


def open_file(file: SourceFile, path: str, options: SourceOptions, scratch: str) -> "CsvSource":
    """Open a file; see `open_source`."""
    if not is_utf8(options.csv_encoding):
        target = os.path.join(scratch, f"{os.path.basename(path)}.utf-8")
        transcode(file.uri, path, options.csv_encoding, target)
        path = target
    return CsvSource(file, path, options, scratch)


class CsvSource:
    """A CSV file in UTF-8, compressed or not; quoted cells may hold line breaks."""

    narrow = True
    has_header = True

    def __init__(self, file: SourceFile, path: str, options: SourceOptions, scratch: str) -> None:
        """Take a file.

        Args:
            file: What it is called in errors.
            path: Where it is on this machine.
            options: Its columns, delimiter and missing values.
            scratch: Folder for a copy, which a file that is not all UTF-8 needs.
        """
        self._file = file
        self._path = path
        self._options = options
        self._scratch = scratch
        self._name = os.path.basename(file.uri)
        self._block_bytes = BLOCK_BYTES
        self._bytewise = False

    def blocks(self) -> Iterator[Block]:
        """Read the file from its beginning, every cell as text (Arrow's `binary`).

        Yields:
            Blocks in order.

        Raises:
            NoRowsError: If it has no row.
            RetrainerError: If it has a column twice, a header that is not UTF-8, a row of more than 128 MiB, or
                a quote that is not closed.
        """
        head = self._read_head()
        if not head.strip():
            raise NoRowsError(
                f"'{self._file.uri}' has no header and no rows. Upload the span again."
            )
        columns = list(self._options.csv_columns) or self._parse_header(head)
        no_header = (
            "" if self._options.csv_columns else " If it has no header, set data.csv.columns."
        )
        check_names(columns, self._file.uri, no_header)
        if not self._bytewise and not begins_as_utf8(head):
            self._read_bytewise()
        done = 0
        whole = False
        while not whole:
            try:
                for block in self._read(columns):
                    rest = _after(block, done)
                    if rest is not None:
                        done = rest.first + len(rest.batch) + len(rest.bad) - 1
                        yield rest
                whole = True
            except pa.ArrowInvalid as error:
                self._read_otherwise(error, done)
        if done == 0:
            raise NoRowsError(
                f"'{self._file.uri}' has {'no row' if self._options.csv_columns else 'a header and no rows'}. Upload "
                "the span again."
            )

    def _read_head(self) -> bytes:
        with open_native(self._file.uri, self._path) as stream:
            head = more = stream.read(_CHUNK_BYTES)
            while more and len(head) < _HEADER_BYTES and b"\n" not in head:
                more = stream.read(_CHUNK_BYTES)
                head += more
        if head.startswith(_UTF16_BOMS):
            raise RetrainerError(f"'{self._file.uri}' is UTF-16. Set data.csv.encoding to utf-16.")
        return head

    def _parse_header(self, head: bytes) -> list[str]:
        text = io.StringIO(head.decode("utf-8-sig", errors="surrogateescape"), newline="")
        for _ in range(self._options.csv_skip_rows):
            text.readline()
        quote = self._options.csv_quote
        rows = csv.reader(
            text,
            delimiter=self._options.csv_delimiter,
            quotechar=quote or None,
            quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        )
        try:
            header = next((row for row in rows if row), [])
            "".join(header).encode()
        except csv.Error as error:
            raise RetrainerError(
                f"'{self._file.uri}' has an unreadable header: {error}. Upload the span again, or name its "
                "columns (data.csv.columns) and format (data.format)."
            ) from error
        except UnicodeEncodeError as error:
            raise RetrainerError(
                f"the header of '{self._file.uri}' is not UTF-8. Set data.csv.encoding to what its writer uses, such "
                "as cp1252, or data.format if it is no CSV."
            ) from error
        if not header:
            raise NoRowsError(
                f"'{self._file.uri}' has no header and no rows. Upload the span again."
            )
        return header

    def _read_bytewise(self) -> None:
        target = os.path.join(self._scratch, f"{os.path.basename(self._path)}.{BYTEWISE}")
        transcode(self._file.uri, self._path, BYTEWISE, target)
        self._path, self._bytewise = target, True

    def _read_otherwise(self, error: pa.ArrowInvalid, done: int) -> None:
        if "straddling object" in str(error):
            if self._block_bytes == _LARGEST_BLOCK_BYTES:
                raise RetrainerError(
                    f"'{self._file.uri}' has a row after row {done:,} that does not end within "
                    f"{_LARGEST_BLOCK_BYTES >> 20} MiB. Is a quote opened there and never closed (data.csv.quote)?"
                ) from error
            self._block_bytes = _LARGEST_BLOCK_BYTES
        elif _NOT_HANDED_OVER.search(str(error)) and not self._bytewise:
            self._read_bytewise()
        else:
            raise error

    def _read(self, columns: Sequence[str]) -> Iterator[Block]:
        invalid = _InvalidRows(self._name, self._options, self._bytewise)
        wanted = [name for name in columns if name not in self._options.exclude]
        excluded = [name for name in columns if name in self._options.exclude]
        # The last column shows whether the last row's quotes are closed.
        looked_at = list(dict.fromkeys([*wanted, columns[-1]]))
        first = 1
        open_ended = False
        with open_native(self._file.uri, self._path) as stream:
            reader = self._open(stream, columns, looked_at, invalid)
            for batch in reader:
                bad = invalid.take(first, len(batch))
                first_of_block, first = first, first + len(batch) + len(bad)
                self._check_lines(invalid)
                if first > first_of_block:
                    last_is_bad = bool(bad) and bad[-1].row == first - 1
                    open_ended = invalid.breaks(first - 1) if last_is_bad else _breaks(batch)
                yield Block(self._select(batch, wanted), first_of_block, bad, excluded)
            bad = invalid.take_rest()
            self._check_lines(invalid)
            if bad:
                open_ended = invalid.breaks(bad[-1].row)
                nothing = pa.RecordBatch.from_pylist([], schema=reader.schema)
                yield Block(self._select(nothing, wanted), first, bad, excluded)
        if open_ended and not self._ends_closed():
            raise RetrainerError(
                f"'{self._file.uri}' ends within a quote, which was opened in row {first + len(bad) - 1:,}: what comes "
                "after that is lost. Fix the row, upload the span again, or, if cells are not quoted, set "
                "data.csv.quote to an empty text."
            )

    def _open(
        self,
        stream: pa.NativeFile,
        columns: Sequence[str],
        looked_at: Sequence[str],
        invalid: "_InvalidRows",
    ) -> pyarrow.csv.CSVStreamingReader:
        options = self._options
        return pyarrow.csv.open_csv(
            stream,
            # One thread, so that a quarantined row carries its number.
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False,
                block_size=self._block_bytes,
                skip_rows=options.csv_skip_rows,
                column_names=self._in_file(options.csv_columns) or None,
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=options.csv_delimiter,
                quote_char=options.csv_quote or False,
                newlines_in_values=bool(options.csv_quote),
                invalid_row_handler=invalid.add,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.binary() for name in self._in_file(columns)},
                # The rest is for the reader of the columns: what is missing depends on what they hold.
                null_values=[""] if self._empty_is_missing() else [],
                strings_can_be_null=True,
                include_columns=self._in_file(looked_at),
            ),
        )

    def _empty_is_missing(self) -> bool:
        options = self._options
        own = [one["null_values"] for one in options.csv_by_column.values() if "null_values" in one]
        usual = options.csv_null_values
        return all("" in values for values in (*own, *(() if usual is None else (usual,))))

    def _in_file(self, texts: Sequence[str]) -> list[str]:
        return [text.encode().decode(BYTEWISE) for text in texts] if self._bytewise else list(texts)

    def _select(self, batch: pa.RecordBatch, wanted: Sequence[str]) -> pa.RecordBatch:
        columns = batch.columns[: len(wanted)]
        if self._bytewise:
            columns = [original_bytes(column) for column in columns]
        return pa.RecordBatch.from_arrays(columns, names=list(wanted))

    def _check_lines(self, invalid: "_InvalidRows") -> None:
        if invalid.longest is not None:
            row, lines = invalid.longest
            raise RetrainerError(
                f"'{self._file.uri}' row {row:,} spans {lines:,} lines and has not as many cells as the header: "
                "a quote is opened there and not closed, so that the rows after it are lost. Fix the row, or, if cells "
                "are not quoted, set data.csv.quote to an empty text."
            )

    def _ends_closed(self) -> bool:
        before = tail = b""
        with open_native(self._file.uri, self._path) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                before, tail = tail, chunk
        end = (before + tail).rstrip(b"\r\n")
        # A quote within quotes is doubled.
        return (len(end) - len(end.rstrip(self._options.csv_quote.encode()))) % 2 == 1


class _InvalidRows:
    """The rows that Arrow could not take apart, as it meets them.

    Attributes:
        longest: The first of them that goes over too many lines: its number, and how many; None if there is none.
    """

    def __init__(self, file: str, options: SourceOptions, bytewise: bool) -> None:
        self.longest: tuple[int, int] | None = None
        self._file = file
        self._header_rows = options.csv_skip_rows + (0 if options.csv_columns else 1)
        self._bytewise = bytewise
        self._rows: deque[BadRow] = deque()
        # The last row met that has line breaks.
        self._broken = 0

    def add(self, row: pyarrow.csv.InvalidRow) -> str:
        number = row.number - self._header_rows
        reason = f"it has {row.actual_columns} cells in place of {row.expected_columns}"
        lines = 1 + max(row.text.count("\n"), row.text.count("\r"))
        if lines > 1:
            reason += f", over {lines:,} lines: is a quote opened there and not closed?"
            self._broken = number
        if lines > _MOST_LINES and self.longest is None:
            self.longest = (number, lines)
        text = row.text[:TEXT_KEPT]
        if self._bytewise:
            text = text.encode(BYTEWISE).decode(errors="backslashreplace")
        self._rows.append(BadRow(self._file, number, reason, text))
        return "skip"

    def take(self, first: int, rows: int) -> tuple[BadRow, ...]:
        """Take the bad rows among, or right after, rows that could be read; the first has number `first`."""
        # Arrow reads ahead: what it could not read in a later block waits for that.
        bad: list[BadRow] = []
        while self._rows and self._rows[0].row <= first + rows + len(bad):
            bad.append(self._rows.popleft())
        return tuple(bad)

    def take_rest(self) -> tuple[BadRow, ...]:
        rest, self._rows = tuple(self._rows), deque()
        return rest

    def breaks(self, number: int) -> bool:
        return self._broken == number


def _breaks(batch: pa.RecordBatch) -> bool:
    cell = batch.columns[-1][len(batch) - 1].as_py() or b""
    return b"\n" in cell or b"\r" in cell


def _after(block: Block, done: int) -> Block | None:
    end = block.first + len(block.batch) + len(block.bad)
    if end <= done + 1:
        return None
    bad = tuple(row for row in block.bad if row.row > done)
    rows = end - max(block.first, done + 1) - len(bad)
    rest = block.batch.slice(len(block.batch) - rows)
    return Block(rest, max(block.first, done + 1), bad, block.excluded)
