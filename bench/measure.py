"""Run a command and measure its wall time and its peak memory: its hungriest process's, and that of all together."""

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.05
# The kernel walks all pages of a process to compute its proportional share, which takes milliseconds.
SHARE_SECONDS = 0.25


@dataclass(frozen=True)
class Measured:
    """What a command took.

    Attributes:
        seconds: Wall time from its start to its exit.
        peak_bytes: The largest resident set that any one of its processes reached.
        total_bytes: The most that its processes held together, pages that they share counted once; sampled every
            `SHARE_SECONDS`, so that a short peak may be missed.
        exit_code: Its exit code.
    """

    seconds: float
    peak_bytes: int
    total_bytes: int
    exit_code: int


def measure(command: list[str], log: Path, environment: dict[str, str] | None = None) -> Measured:
    """Run a command to its end.

    Args:
        command: The program and its arguments.
        log: Where its output goes.
        environment: Variables to set for it.

    Returns:
        Time, memory and exit code.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        started = time.monotonic()
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
        )
        watch = _PeakWatch(process.pid)
        watch.start()
        try:
            exit_code = process.wait()
        finally:
            seconds = time.monotonic() - started
            process.kill()
            watch.stop()
    return Measured(seconds, watch.peak, watch.total, exit_code)


class _PeakWatch(threading.Thread):
    """Asks the kernel again and again for the high-water mark of a process and its descendants.

    The mark only rises, so that what is asked late is still right; a process that lives for less
    than a poll is missed. A descendant is remembered once seen, because one whose parent has died
    is no longer found from the top.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self.total = 0
        self._seen = {pid}
        self._ended = threading.Event()

    def run(self) -> None:
        shares_at = 0.0
        while not self._ended.wait(POLL_SECONDS):
            self._seen |= _children(self._seen)
            self.peak = max(self.peak, *(_memory(pid, "status", "VmHWM:") for pid in self._seen))
            if time.monotonic() >= shares_at:
                shares = sum(_memory(pid, "smaps_rollup", "Pss:") for pid in self._seen)
                self.total = max(self.total, shares)
                shares_at = time.monotonic() + SHARE_SECONDS

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _children(parents: set[int]) -> set[int]:
    found: set[int] = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and _parent(folder) in parents | found:
            found.add(int(folder.name))
    return found


def _parent(folder: Path) -> int:
    try:
        # The name in parentheses may hold spaces; the parent is the second field after it.
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return -1


def _memory(pid: int, file: str, field: str) -> int:
    try:
        content = Path(f"/proc/{pid}/{file}").read_text()
    except OSError:
        return 0
    for line in content.splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0
