"""Reads JSON Lines by a mapping: a line is a row, or a request with several."""

from collections.abc import Iterator

from ..logged import Logged, Unreadable
from ..opened_log import OpenedLog
from .json_records import ENDINGS, read_objects
from .mapped_record import MappedRecords
from .reader import ReadContext


def open_reader(context: ReadContext) -> "JsonLinesReader":
    """Make a reader; see `Reader`."""
    return JsonLinesReader(context)


class JsonLinesReader:
    """Reads lines by a mapping."""

    endings = ENDINGS
    whole = pairs = False

    def __init__(self, context: ReadContext) -> None:
        """Take what it must know."""
        self._records = MappedRecords(context)

    def read_moments(self, log: OpenedLog) -> Iterator[tuple[int | None, bytes]]:
        """See `Reader`."""
        for _, line, found in read_objects(log):
            yield None if isinstance(found, Unreadable) else self._records.moment(found), line

    def read(self, log: OpenedLog) -> Iterator[Logged]:
        """See `Reader`."""
        for number, line, found in read_objects(log):
            if isinstance(found, Unreadable):
                yield found
            else:
                yield self._records.request(found, number, line)

    def finish(self) -> Iterator[Logged]:
        """See `Reader`; each line is whole."""
        yield from ()
