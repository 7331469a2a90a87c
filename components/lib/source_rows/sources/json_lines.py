"""JSON Lines as a source of rows: one object a line, in UTF-8 (https://jsonlines.org)."""

import os
from collections.abc import Collection, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from ...errors import RetrainerError
from ...source_files import SourceFile
from .base import BLOCK_BYTES, TEXT_KEPT, BadRow, Block, NoRowsError, SourceOptions
from .compression import open_native
from .json_rows import JsonRows, make_batch, read_rows

# A longer line is no row: it is a whole document, or no JSON Lines at all.
LINE_BYTES = 64 << 20
# Arrow reads deeper objects by recursion until the stack ends, and the process with it.
_DEEPEST = 100
# Arrow parses a block in parts of this size, one on each core.
_PART_BYTES = 1 << 20
# From here on a double may be another integer.
_EXACT_LIMIT = 2.0**53
_BLANK = b" \t\r\n"
_UTF8_BOM, _UTF16_BOMS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")


def open_file(
    file: SourceFile, path: str, options: SourceOptions, scratch: str
) -> "JsonLinesSource":
    """Open a file; see `open_source`."""
    return JsonLinesSource(file, path, options)


class JsonLinesSource:
    """A file of JSON Lines, compressed or not.

    A row's number is its line's; blank lines are no rows. What JSON holds as text stays text, dates too. `NaN` is
    missing. A block's column of numbers and text is text, and so is one that has an integer beyond 64 bits, or one
    beyond 2^53 beside fractions.
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
            Blocks of rows.

        Raises:
            NoRowsError: If the file has no row.
            RetrainerError: If the file is damaged as a compressed file, is one JSON document instead of
                lines, is UTF-16, or has a line longer than `LINE_BYTES`.
        """
        uri = self._file.uri
        first = 1
        empty = True
        parser = _BlockParser(self._exclude)
        with open_native(uri, self._path) as stream:
            for lines in _cut(stream, uri):
                if lines.strip(_BLANK):
                    if empty:
                        _check_document(lines, uri)
                    empty = False
                    yield self._block(parser.read(lines, first), lines, first)
                first += lines.count(b"\n")
        if empty:
            raise NoRowsError(f"'{uri}' has no rows. Upload the span again.")

    def _block(self, rows: JsonRows, lines: bytes, first: int) -> Block:
        texts = lines.split(b"\n") if rows.faults else []
        bad = []
        for number, reason in rows.faults:
            text = texts[number - first].strip(_BLANK)
            if number - first == len(texts) - 1:
                reason += "; the file ends in this line: was it cut off?"
            kept = text[: 4 * TEXT_KEPT].decode(errors="replace")[:TEXT_KEPT]
            bad.append(BadRow(os.path.basename(self._file.uri), number, reason, kept))
        first_row = min(
            int(number) for number in (*rows.numbers[:1], *(row.row for row in bad[:1]))
        )
        # Blank lines are no rows.
        return Block(rows.batch, first_row, bad, rows.excluded, np.asarray(rows.numbers))


class _BlockParser:
    """Reads block after block, and keeps what earlier blocks showed of the columns."""

    def __init__(self, exclude: Collection[str]) -> None:
        self._exclude = exclude
        # Columns of text that looks like dates, to Arrow.
        self._dates: set[str] = set()
        # As they came.
        self._names: dict[str, None] = {}

    def read(self, lines: bytes, first: int) -> JsonRows:
        """Read lines, of which one at least is not blank; `first` is the number of the first."""
        rows = self._read_at_once(lines, first) or read_rows(
            (
                (number, line)
                for number, line in enumerate(lines.split(b"\n"), first)
                if line.strip(_BLANK)
            ),
            self._exclude,
        )
        columns = dict(zip(rows.batch.schema.names, rows.batch.columns, strict=True))
        self._names |= dict.fromkeys(columns)
        ordered = [name for name in self._names if name in columns]
        batch = make_batch([columns[name] for name in ordered], ordered, rows.batch.num_rows)
        return rows._replace(batch=batch)

    def _read_at_once(self, lines: bytes, first: int) -> JsonRows | None:
        """Read lines with Arrow; none if one of them is not an object of the kinds that the others are."""
        shape = _Shape(lines)
        if not lines.isascii():
            try:
                lines.decode()
            except UnicodeDecodeError:
                return None
        numbers = shape.numbers(first)
        if numbers is None or shape.deepest(len(numbers)) > _DEEPEST:
            return None
        table = self._parse(lines, max(_PART_BYTES, shape.longest()))
        # Arrow takes two objects on a line for two rows.
        if table is None or len(table) != len(numbers):
            return None
        names, columns, excluded = [], [], []
        for name, chunks in zip(table.column_names, table.columns, strict=True):
            if name in self._exclude:
                excluded.append(name)
                continue
            column = _one_array(chunks)
            if pa.types.is_floating(column.type):
                largest = pc.max(pc.abs(column)).as_py()
                if largest is not None and largest >= _EXACT_LIMIT:
                    # Digits may be lost here; and `Inf`, which Arrow takes, is no number line by line.
                    return None
                nan = pc.is_nan(column)
                if pc.any(nan).as_py():
                    if b"-NaN" in lines:
                        return None
                    column = pc.if_else(nan, pa.scalar(None, pa.float64()), column)
            elif name in self._dates and column.null_count == len(column):
                column = pa.nulls(len(column))
            names.append(name)
            columns.append(column)
        return JsonRows(make_batch(columns, names, len(table)), numbers, (), excluded)

    def _parse(self, lines: bytes, part: int) -> pa.Table | None:
        # What was text may be numbers in this block.
        for text in dict.fromkeys((frozenset(self._dates), frozenset[str]())):
            try:
                table = _read_json(lines, part, text)
                if not text:
                    self._names |= dict.fromkeys(table.column_names)
                dates = {field.name for field in table.schema if pa.types.is_temporal(field.type)}
                if dates:
                    table = _read_json(lines, part, text | dates)
            except pa.ArrowInvalid:
                continue
            self._dates |= dates
            return table
        return None


class _Shape:
    """Where the lines of a block end, and how they are nested."""

    def __init__(self, lines: bytes) -> None:
        self._lines = lines
        self._bytes = np.frombuffer(lines, np.uint8)
        ends = np.flatnonzero(self._bytes == ord("\n"))
        if not lines.endswith(b"\n"):
            ends = np.append(ends, len(lines))
        self._starts = np.concatenate(([0], ends[:-1] + 1))
        self._ends = ends

    def longest(self) -> int:
        """Bytes of the longest line, without its end."""
        return int((self._ends - self._starts).max())

    def numbers(self, first: int) -> np.ndarray | None:
        """Number of each line that is not blank; none if one of them does not begin and end as an object does."""
        starts, ends = self._starts, self._ends
        if not self._all_objects(starts, ends):
            stripped = [line.strip(_BLANK) for line in self._lines.split(b"\n")][: len(starts)]
            if not all(line[:1] == b"{" and line[-1:] == b"}" for line in stripped if line):
                return None
            return first + np.flatnonzero([bool(line) for line in stripped])
        return first + np.arange(len(starts))

    def deepest(self, rows: int) -> int:
        """How deep the deepest of the rows is, or a bound on it; counted as far as the block is JSON."""
        opened = self._lines.count(b"{") + self._lines.count(b"[")
        # Every row opens one and closes one.
        if opened <= rows + _DEEPEST:
            return _DEEPEST
        # Escapes stand in text alone, and their backslashes pair from the left.
        plain = self._lines.replace(rb"\\", b"  ").replace(rb"\"", b"  ")
        codes = np.frombuffer(plain, np.uint8)
        outside = np.cumsum(codes == ord('"'), dtype=np.int32) % 2 == 0
        opening = ((codes == ord("{")) | (codes == ord("["))) & outside
        closing = ((codes == ord("}")) | (codes == ord("]"))) & outside
        return int(np.cumsum(opening.astype(np.int8) - closing, dtype=np.int32).max())

    def _all_objects(self, starts: np.ndarray, ends: np.ndarray) -> bool:
        if (starts >= ends).any():
            return False
        last = ends - 1
        last = last - (self._bytes[last] == ord("\r"))
        return bool(
            (self._bytes[starts] == ord("{")).all() and (self._bytes[last] == ord("}")).all()
        )


def _read_json(lines: bytes, part: int, text: Collection[str]) -> pa.Table:
    return pyarrow.json.read_json(
        pa.BufferReader(lines),
        pyarrow.json.ReadOptions(block_size=part),
        pyarrow.json.ParseOptions(pa.schema([(name, pa.string()) for name in sorted(text)])),
    )


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _cut(stream: pa.NativeFile, uri: str) -> Iterator[bytes]:
    """Read blocks of whole lines."""
    parts: list[bytes] = []
    size = 0
    number = 1
    start = True
    while read := stream.read(BLOCK_BYTES):
        if start:
            if read.startswith(_UTF16_BOMS):
                raise RetrainerError(
                    f"'{uri}' is UTF-16; JSON Lines are UTF-8. Convert it (iconv -f UTF-16 -t UTF-8)."
                )
            read = read.removeprefix(_UTF8_BOM)
            start = False
        end = read.rfind(b"\n") + 1
        if end:
            block = b"".join([*parts, read[:end]])
            number += block.count(b"\n")
            yield block
            parts, size = [], 0
        parts.append(read[end:])
        size += len(read) - end
        if size > LINE_BYTES:
            raise RetrainerError(
                f"'{uri}' has more than {LINE_BYTES >> 20} MB in line {number}; JSON Lines has one object, a row, on "
                "each line. Write it so (jq -c '.[]'), or set data.format."
            )
    if size:
        yield b"".join(parts)


def _check_document(lines: bytes, uri: str) -> None:
    first = lines.lstrip(_BLANK).split(b"\n", 1)[0].strip(_BLANK)
    if first in (b"[", b"{") or first.replace(b" ", b"").startswith(b"[{"):
        raise RetrainerError(
            f"'{uri}' is one JSON document; JSON Lines has one object, a row, on each line. Write it so (jq -c '.[]' "
            "for an array)."
        )
