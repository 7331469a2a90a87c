"""What every reader of logs has."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, cast

from ..log_mapping import LogMapping
from ..logged import Logged
from ..opened_log import OpenedLog
from . import READERS


@dataclass(frozen=True)
class ReadContext:
    """What a reader must know.

    Attributes:
        mapping: Where records have what, for formats that leave it open.
        only: The one column of a model that takes one; empty for others.
        output: The output that counts, of a model with several.
        columns: Columns to keep.
        tolerance: By how much clocks may differ, in microseconds.
    """

    mapping: LogMapping
    only: str = ""
    output: str = ""
    columns: tuple[str, ...] = ()
    tolerance: int = 3_600_000_000


class Reader(Protocol):
    """Reads the files of a log, one after the other.

    Attributes:
        endings: Endings of its files' names.
        whole: Whether a file is written at once, so that its content is that of all spans in it.
        pairs: Whether a request and its answer are two records, which may be in two files.
    """

    endings: tuple[str, ...]
    whole: bool
    pairs: bool

    def read_moments(self, log: OpenedLog) -> Iterator[tuple[int | None, bytes]]:
        """Read when each record is from, without looking at what it holds.

        Args:
            log: The file.

        Yields:
            Microseconds since 1970 for each record, None where the log does not say; and the record's bytes, by which a
            change is found.
        """
        ...

    def read(self, log: OpenedLog) -> Iterator[Logged]:
        """Read a file.

        Args:
            log: The file.

        Yields:
            Requests, and what could not be read.
        """
        ...

    def finish(self) -> Iterator[Logged]:
        """Return what waits for another file that does not come, after the last one."""
        ...


def open_reader(name: str, context: ReadContext) -> Reader:
    """Make the reader of a format.

    Args:
        name: A name of `READERS`.
        context: What it must know.
    """
    return cast(Reader, importlib.import_module(READERS[name]).open_reader(context))
