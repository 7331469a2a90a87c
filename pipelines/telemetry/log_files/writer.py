"""Writes rows to log files on threads of its own: a slow or missing store costs rows, and never the caller's time."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from ....components.lib.errors import RetrainerError
from ....components.lib.uris import filesystem, write_atomic
from .open_file import OpenFile, WholeFile, writer_name
from .waiting_rows import Limits, Row, WaitingRows

LOGGER = logging.getLogger("retrainer.log_files")
# A turn works on few rows, since whoever answers requests may wait for it: for the interpreter's lock while lines
# are made, for the core while they are compressed. Where many wait, it takes this share of them. Where none comes, it
# rests.
_TURN_SECONDS, _IDLE_SECONDS = 0.004, 0.1
_TURN_ROWS, _TURN_SHARE = 8, 1 / 16
# Of a turn at the end, when nobody is answered any more.
_LAST_ROWS = 1_000
_FIRST_RETRY_SECONDS = 0.5
_LONGEST_RETRY_SECONDS = 30.0
_REPORT_SECONDS = 60.0


@dataclass(frozen=True)
class Rolling:
    """When a file is closed and written.

    Attributes:
        seconds: After this long.
        size: At this many bytes, compressed.
    """

    seconds: float = 60.0
    size: int = 16 << 20


@dataclass(frozen=True)
class LogState:
    """Numbers of the rows so far, by their state.

    Attributes:
        written: Rows in files that are written.
        dropped: Rows that found no room, or were not written before the end.
        waiting: Rows in memory.
        waiting_bytes: Bytes of memory that they take.
        files: Files that are written.
        failures: How often a file could not be written.
        written_at: When a file was written last, by the clock; None if none was.
    """

    written: int
    dropped: int
    waiting: int
    waiting_bytes: int
    files: int
    failures: int
    written_at: float | None


class LogWriter:
    """Takes rows, and writes them to `<log>/<date>/<time>-<writer>-<n>.jsonl.gz`.

    Two threads work in turn: one makes lines and compresses them, the other writes whole files and repeats that until
    it succeeds. While it does not, files wait in memory, then rows, then rows are dropped.
    """

    def __init__(
        self,
        log: str,
        rolling: Rolling | None = None,
        limits: Limits | None = None,
        write: Callable[[str, bytes], None] = write_atomic,
    ) -> None:
        """Prepare a log.

        Args:
            log: URI of the folder that files are written to.
            rolling: When a file is written.
            limits: How much may wait in memory.
            write: Writes a whole file.

        Raises:
            RetrainerError: If the URI's protocol is unknown or its package is not installed.
        """
        filesystem(log)
        self._log = log
        self._rolling = rolling or Rolling()
        self._write = write
        self._rows = WaitingRows(limits or Limits())
        self._name = writer_name()
        self._file = OpenFile()
        self._files: deque[WholeFile] = deque()
        self._closed = 0
        self._written = self._written_files = self._failures = self._lost = 0
        self._written_at: float | None = None
        self._stopping = threading.Event()
        self._packed = threading.Event()
        self._hurry = threading.Event()
        self._abandoned = threading.Event()
        self._packer = threading.Thread(target=self._pack_until_stopped, daemon=True)
        self._storer = threading.Thread(target=self._store_until_stopped, daemon=True)

    def start(self) -> None:
        """Start the threads."""
        self._packer.start()
        self._storer.start()

    def add(self, row: Row) -> bool:
        """Take a row; returns at once.

        Args:
            row: The row.

        Returns:
            False if there was no room for it.
        """
        return self._rows.add(row)

    @property
    def state(self) -> LogState:
        """Numbers of the rows so far, by their state."""
        accepted = self._rows.accepted
        return LogState(
            written=self._written,
            dropped=self._rows.dropped + self._lost,
            waiting=max(0, accepted - self._written - self._lost),
            waiting_bytes=self._rows.size + self._rows.reserved,
            files=self._written_files,
            failures=self._failures,
            written_at=self._written_at,
        )

    def close(self, seconds: float) -> LogState:
        """Write what waits, and end the threads.

        Args:
            seconds: How long that may take; what is not written by then is dropped and counted.

        Returns:
            Numbers of all rows, by their state.
        """
        deadline = time.monotonic() + seconds
        self._stopping.set()
        self._packer.join(seconds)
        self._hurry.set()
        self._storer.join(max(0.0, deadline - time.monotonic()))
        if self._storer.is_alive():
            self._abandoned.set()
            self._lost = max(0, self._rows.accepted - self._written)
        return self.state

    def _pack_until_stopped(self) -> None:
        while not self._stopping.is_set():
            most = max(_TURN_ROWS, round(len(self._rows) * _TURN_SHARE))
            if self._pack(most):
                # Waiting for an event costs as much as a row.
                time.sleep(_TURN_SECONDS)
            else:
                self._stopping.wait(_IDLE_SECONDS)
        while self._pack(_LAST_ROWS):
            pass
        self._roll()
        self._packed.set()

    def _pack(self, most: int) -> bool:
        """Move some of the rows that wait into the open file; return whether there were any."""
        rows = self._rows.take(most)
        lines = [line for row in rows if (line := _line(row)) is not None]
        self._lost += len(rows) - len(lines)
        self._file.write(lines)
        self._count_waiting()
        age = time.monotonic() - self._file.started
        if self._file.size >= self._rolling.size or age >= self._rolling.seconds:
            self._roll()
        return bool(rows)

    def _roll(self) -> None:
        if self._file.rows:
            self._closed += 1
            self._files.append(self._file.close(self._log, self._name, self._closed))
        self._file = OpenFile()

    def _count_waiting(self) -> None:
        self._rows.reserve(self._file.size + sum(len(file.content) for file in tuple(self._files)))

    def _store_until_stopped(self) -> None:
        while True:
            done = self._packed.is_set()
            while self._files:
                if not self._store(self._files[0]):
                    return
                self._files.popleft()
            if done:
                return
            # A file is due every minute or so; half a second more is nobody's loss.
            self._packed.wait(0.5 if not self._hurry.is_set() else 0.01)

    def _store(self, file: WholeFile) -> bool:
        pause, reported = _FIRST_RETRY_SECONDS, 0.0
        while not self._abandoned.is_set():
            try:
                self._write(file.uri, file.content)
            except Exception as error:
                # Whatever the store says, requests go on and the next attempt may succeed.
                self._failures += 1
                now = time.monotonic()
                if not reported or now - reported >= _REPORT_SECONDS:
                    reported = now
                    LOGGER.warning("can't write the log, and will try again: %s", _describe(error))
            else:
                self._written += file.rows
                self._written_files += 1
                self._written_at = time.time()
                if reported:
                    LOGGER.info("the log is written again.")
                return True
            if not self._hurry.wait(pause):
                pause = min(2 * pause, _LONGEST_RETRY_SECONDS)
            else:
                self._abandoned.wait(_FIRST_RETRY_SECONDS)
        return False


def _line(row: Row) -> bytes | None:
    try:
        return row.line()
    except Exception:
        LOGGER.exception("a row of the log can't be written, and is left out.")
        return None


def _describe(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and not isinstance(error, RetrainerError):
        with suppress(Exception):
            return f"{error.strerror}: '{error.filename}'" if error.filename else error.strerror
    return str(error) or type(error).__name__
