"""Reads Parquet by a mapping: a row of the file is a row, or a request with several."""

from collections.abc import Iterator

from ..logged import Logged
from ..opened_log import OpenedLog
from .mapped_record import MappedRecords
from .parquet_records import read_records
from .reader import ReadContext


def open_reader(context: ReadContext) -> "ParquetReader":
    """Make a reader; see `Reader`."""
    return ParquetReader(context)


class ParquetReader:
    """Reads rows by a mapping."""

    endings = (".parquet", ".pq")
    whole = True
    pairs = False

    def __init__(self, context: ReadContext) -> None:
        """Take what it must know."""
        self._time = context.mapping.time
        self._records = MappedRecords(context)

    def read_moments(self, log: OpenedLog) -> Iterator[tuple[int | None, bytes]]:
        """See `Reader`."""
        for _, record in read_records(log, {self._time, self._time.partition(".")[0]}):
            yield self._records.moment(record), b""

    def read(self, log: OpenedLog) -> Iterator[Logged]:
        """See `Reader`."""
        for number, record in read_records(log):
            yield self._records.request(record, number, b"")

    def finish(self) -> Iterator[Logged]:
        """See `Reader`; each row is whole."""
        yield from ()
