"""Reading a span's source files into canonical columns: int64, float64 and string."""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from ...lib.errors import RetrainerError
from ...lib.files import filesystem
from ...lib.spans import SourceFile

NULL_VALUES = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
_CSV_BLOCK_BYTES = 16 << 20


@dataclass
class SourceTable:
    """What one source file held.

    Attributes:
        table: The rows that could be read.
        unreadable: The rows that could not, each with its file, line, reason and text.
    """

    table: pa.Table
    unreadable: list[dict[str, object]] = field(default_factory=list)


def read_source(
    source: SourceFile, format: str, null_values: Sequence[str] = NULL_VALUES
) -> SourceTable:
    """Read a source file.

    Args:
        source: The file.
        format: `csv`, `parquet`, `jsonl`, or `auto` to go by the name's ending (`.gz` is unpacked).
        null_values: Texts that mean a missing cell in CSV.

    Returns:
        Its rows in canonical columns.

    Raises:
        RetrainerError: If the file is empty, broken or of an unknown format, or has a column that examples
            can't hold.
    """
    if source.size == 0:
        raise RetrainerError(
            f"'{source.uri}' is empty (0 bytes). Deliver the span again, or remove the file."
        )
    reader = _READERS[_format_of(source.uri, format)]
    try:
        result = reader(source, null_values)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = str(error).splitlines()[0]
        raise RetrainerError(
            f"'{source.uri}' can't be read: {reason}. Deliver the span again, or set data.format."
        ) from error
    names = result.table.column_names
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise RetrainerError(
            f"'{source.uri}' has the column '{repeated[0]}' more than once. Rename one in the source."
        )
    if len(result.table) == 0 and not result.unreadable:
        raise RetrainerError(
            f"'{source.uri}' has a header and no rows. Deliver the span again, or remove the file."
        )
    result.table = pa.table(
        {
            name: _canonical(name, column, source.uri)
            for name, column in zip(names, result.table.columns, strict=True)
        }
    )
    return result


def _format_of(uri: str, format: str) -> str:
    if format != "auto":
        return format
    name = uri.lower().removesuffix(".gz")
    for ending, known in (
        (".csv", "csv"),
        (".parquet", "parquet"),
        (".pq", "parquet"),
        (".jsonl", "jsonl"),
        (".ndjson", "jsonl"),
        (".json", "jsonl"),
    ):
        if name.endswith(ending):
            return known
    raise RetrainerError(
        f"can't tell the format of '{uri}' by its ending. Set data.format to csv, parquet or jsonl."
    )


def _read_all(source: SourceFile) -> bytes:
    fs, path = filesystem(source.uri)
    compression = "gzip" if source.uri.lower().endswith(".gz") else None
    with fs.open(path, "rb", compression=compression) as raw:
        return raw.read()


def _read_csv(source: SourceFile, null_values: Sequence[str]) -> SourceTable:
    unreadable: list[dict[str, object]] = []

    def set_aside(row: pyarrow.csv.InvalidRow) -> str:
        unreadable.append(
            {
                "file": os.path.basename(source.uri),
                "line": row.number,
                "reason": f"{row.actual_columns} cells where the header has {row.expected_columns}",
                "text": row.text,
            }
        )
        return "skip"

    content = _read_all(source)
    header = next(csv.reader(io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline="")), [])
    table = pyarrow.csv.read_csv(
        # Arrow's own reader of memory: over a Python file its threads wait for the interpreter's lock, which the
        # thread that waits for them may hold.
        pa.BufferReader(content),
        # One thread, so that a row set aside carries its number.
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=_CSV_BLOCK_BYTES),
        parse_options=pyarrow.csv.ParseOptions(
            newlines_in_values=True, invalid_row_handler=set_aside
        ),
        # Text first, types once the whole span is known: the first rows alone may mislead.
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={name: pa.string() for name in header},
            null_values=list(null_values),
            strings_can_be_null=True,
        ),
    )
    columns = [_narrowest(column) for column in table.columns]
    return SourceTable(pa.Table.from_arrays(columns, names=table.column_names), unreadable)


def _narrowest(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Turn a column of text into integers, else floating point, else leave it."""
    if column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column))])
    for kind in (pa.int64(), pa.float64()):
        try:
            return column.cast(kind)
        except pa.ArrowInvalid:
            continue
    lowered = pc.utf8_lower(column)
    if (
        pc.all(
            pc.is_in(lowered, pa.array(["true", "false"]), skip_nulls=True), skip_nulls=True
        ).as_py()
        and not column.null_count
    ):
        return pc.equal(lowered, "true").cast(pa.int64())
    return column


def _read_parquet(source: SourceFile, null_values: Sequence[str]) -> SourceTable:
    return SourceTable(pq.read_table(pa.BufferReader(_read_all(source))))


def _read_jsonl(source: SourceFile, null_values: Sequence[str]) -> SourceTable:
    return SourceTable(pyarrow.json.read_json(pa.BufferReader(_read_all(source))))


_READERS = {"csv": _read_csv, "parquet": _read_parquet, "jsonl": _read_jsonl}


def _canonical(name: str, column: pa.ChunkedArray, uri: str) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_null(kind) or kind in (pa.int64(), pa.float64(), pa.string()):
        return column
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        target = pa.int64()
    elif pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        target = pa.float64()
    elif (
        pa.types.is_large_string(kind)
        or pa.types.is_temporal(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    ):
        target = pa.string()
    else:
        raise RetrainerError(
            f"column '{name}' of '{uri}' holds {kind}; examples hold numbers and text. Flatten it in the "
            "source, or leave it out (data.drop)."
        )
    try:
        return column.cast(target)
    except pa.ArrowInvalid as error:
        raise RetrainerError(
            f"column '{name}' of '{uri}' ({kind}) does not fit into {target}: {error}. Mend it in the source, "
            "or leave it out (data.drop)."
        ) from error
