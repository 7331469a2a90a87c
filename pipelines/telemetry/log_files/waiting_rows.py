"""Rows that wait to be written, in bounded memory; what does not fit is dropped and counted."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Protocol


class Row(Protocol):
    """A line of a log, before it is written."""

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, about."""

    def line(self) -> bytes:
        """Return the line, without its end."""


@dataclass(frozen=True)
class Limits:
    """What may wait at most.

    Attributes:
        rows: Rows that are no part of a file yet.
        size: Bytes of rows, and of files that can't be written yet.
    """

    rows: int = 100_000
    size: int = 64 << 20


class WaitingRows:
    """Takes rows from one thread and hands them to another; taking one never blocks.

    Attributes:
        dropped: Rows that found no room, since the start.
        accepted: Rows that found room, since the start.
        size: Bytes that wait here.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rows: deque[Row] = deque()
        # Held for a few instructions at a time, so that whoever adds a row never waits for a disk.
        self._lock = threading.Lock()
        self.reserved = 0
        self.dropped = 0
        self.accepted = 0
        self.size = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Row) -> bool:
        """Add a row.

        Args:
            row: The row.

        Returns:
            False if there is no room; the row is then dropped and counted.
        """
        size = row.size
        with self._lock:
            full = self.size + self.reserved + size > self._limits.size
            if full or len(self._rows) >= self._limits.rows:
                self.dropped += 1
                return False
            self._rows.append(row)
            self.size += size
            self.accepted += 1
            return True

    def take(self, most: int) -> list[Row]:
        """Take rows, oldest first.

        Args:
            most: How many at most.
        """
        with self._lock:
            rows = [self._rows.popleft() for _ in range(min(most, len(self._rows)))]
            self.size -= sum(row.size for row in rows)
            return rows

    def reserve(self, size: int) -> None:
        """Set how many bytes wait elsewhere, which leave less room here."""
        self.reserved = size
