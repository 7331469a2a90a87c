"""When did the machine take a core from everybody, the highest priority included?

`python taken_cores.py CORE`, as root, wakes each half millisecond at real-time priority until SIGTERM, then prints the
moments when it could not: a kernel that works for another process and can't be interrupted, or a host that gave the
core to another machine. No process of the bench can do that, whatever it computes.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_TICK = 0.0005
# So late wakes no timer by itself.
_LATE = 0.0007
_ABOVE_THE_BENCH = 5


@contextmanager
def real_time() -> Iterator[bool]:
    """Run this process, and those that it starts, at real-time priority; yield whether the system grants it."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


class TakenCores:
    """Watches cores while it is entered.

    Attributes:
        moments: Begin and end of each time that a core was taken, in microseconds since 1970; by begin. Empty until
            the end, and where the system does not grant real-time priority.
    """

    def __init__(self, cores: list[int], granted: bool) -> None:
        """Take the cores to watch, and whether real-time priority is granted."""
        self.moments: NDArray[np.int64] = np.empty((0, 2), np.int64)
        self._cores = cores if granted else []
        self._started = ExitStack()
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> "TakenCores":
        """Start."""
        for core in self._cores:
            command = [sys.executable, str(Path(__file__).resolve()), str(core)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            self._processes.append(self._started.enter_context(process))
            self._started.callback(process.terminate)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and read what was found."""
        found = []
        for process in self._processes:
            process.terminate()
            found += json.loads(process.communicate()[0])
        self._started.close()
        self.moments = np.array(sorted(found), np.int64).reshape(-1, 2)

    def met(self, begins: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which spans of time met a moment when a core was taken.

        Args:
            begins: Their begins, in microseconds since 1970.
            ends: Their ends.
        """
        latest = np.maximum.accumulate(self.moments[:, 1])
        # All moments before this place are over when the span begins.
        first = np.searchsorted(latest, begins, "left")
        last = np.searchsorted(self.moments[:, 0], ends, "right")
        return np.asarray(first < last)


def watch(core: int) -> list[tuple[int, int]]:
    """Watch a core until SIGTERM; return the moments, in microseconds since 1970."""
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    os.sched_setaffinity(0, {core})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_ABOVE_THE_BENCH))
    moments = []
    while not stopping:
        due = time.time() + _TICK
        time.sleep(_TICK)
        now = time.time()
        if now - due > _LATE:
            moments.append((round(due * 1e6), round(now * 1e6)))
    return moments


if __name__ == "__main__":
    print(json.dumps(watch(int(sys.argv[1]))))
