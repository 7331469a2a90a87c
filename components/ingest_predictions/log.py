"""What a log is, whatever keeps it."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from .log_files import Survey
from .logged import LogFile, Logged


class Log(Protocol):
    """A log: pieces, which are files or what a table has of a span.

    Attributes:
        note: Why it has none, after `survey`; empty if there is nothing to say.
    """

    note: str

    def survey(self, known: Mapping[str, Survey]) -> dict[LogFile, Survey]:
        """Find out which records of which spans the log has, without looking at what they hold.

        Args:
            known: What earlier looks found, by URI.

        Returns:
            What each piece has, by name.
        """
        ...

    def read(self, file: LogFile) -> Iterator[Logged]:
        """Read a piece.

        Args:
            file: The piece.

        Yields:
            Requests, and what could not be read.
        """
        ...

    def finish(self) -> Iterator[Logged]:
        """Return what waited for further pieces, after the last one."""
        ...
