"""Reading Parquet files, wherever they are."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from .errors import RetrainerError
from .uris import filesystem, join

with contextlib.suppress(ImportError):
    # pyarrow 10 reads files from outside safely only with this imported first (CVE-2023-47248); later
    # releases do without, and the newer dependency line does not install it.
    import pyarrow_hotfix  # noqa: F401

# As nanoseconds, moments before 1677 and after 2262 would become others without a word.
_INT96_UNIT = "us"


class DamagedParquetError(RetrainerError):
    """A Parquet file that can't be read.

    Attributes:
        reason: What Arrow says of it, one line.
    """

    def __init__(self, uri: str, error: Exception) -> None:
        self.reason = str(error).splitlines()[0].rstrip(".")
        super().__init__(
            f"the file '{uri}' is damaged: {self.reason}. If it is of a span in the store, delete its folder "
            "there, and run again to ingest the span; else restore it from a copy."
        )


@contextlib.contextmanager
def open_parquet(uri: str) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file anywhere.

    Args:
        uri: The file.

    Yields:
        The open file.

    Raises:
        DamagedParquetError: If it is damaged.
        RetrainerError: If it is missing.
    """
    fs, path = filesystem(uri)
    is_local = isinstance(fs, LocalFileSystem)
    try:
        # A local one is read by Arrow itself, whose threads then never wait for the interpreter's lock.
        with pa.OSFile(path) if is_local else fs.open(path, "rb") as raw:
            yield _parse(uri, raw)
    except FileNotFoundError as error:
        raise RetrainerError(
            f"the span file '{uri}' is missing in the store. Delete its folder there, and run again to ingest the span."
        ) from error
    except OSError as error:
        # The system's errors have a number. Arrow's, of pages that can't be decompressed, have none.
        if not is_local or error.errno is not None:
            raise
        raise DamagedParquetError(uri, error) from error


def _parse(uri: str, raw: Any) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(raw, coerce_int96_timestamp_unit=_INT96_UNIT)
    except pa.ArrowException as error:
        raise DamagedParquetError(uri, error) from error


def present_columns(file: pq.ParquetFile, columns: Sequence[str] | None) -> list[str] | None:
    """Return those of some columns that a file has; None for all of them."""
    if columns is None:
        return None
    names = set(file.schema_arrow.names)
    return [name for name in columns if name in names]


def read_files(
    uri: str, files: Sequence[str], columns: Sequence[str] | None = None, batch_rows: int = 65_536
) -> Iterator[pa.RecordBatch]:
    """Read Parquet files of a folder one after the other, with bounded memory.

    Args:
        uri: The folder.
        files: Their names, in order.
        columns: The columns to read; all if None.
        batch_rows: Rows of a batch at most.

    Yields:
        Record batches.
    """
    for file in files:
        with open_parquet(join(uri, file)) as parquet:
            yield from parquet.iter_batches(batch_size=batch_rows, columns=columns)
