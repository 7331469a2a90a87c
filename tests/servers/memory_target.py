"""A service that runs pipelines, in memory: it keeps to the protocol of targets, and fails on demand or to die."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from retrainer.pipelines.targets.types import RunRequest, Submission


class Killed(BaseException):
    """The process that called is gone from here on."""


class MemoryTarget:
    """Takes runs. One that does not name its runs takes the same id as often as it is sent.

    Attributes:
        runs: Every run that was started, with the time of its creation.
        looked_up: How often each id was looked for.
        before: Raised by the next submissions, before anything is done.
        after: Raised by the next submissions, once the run is there.
        unsure: Whether a run that is there is taken for our own, as after a lost reply.
        slow: Called within a submission, before the run is there.
    """

    name = "memory"
    place: Mapping[str, str] = {}

    def __init__(self, names_runs: bool, clock: Callable[[], float] = time.time) -> None:
        self.names_runs = names_runs
        self.runs: list[tuple[RunRequest, datetime]] = []
        self.looked_up: Counter[str] = Counter()
        self.before: deque[BaseException] = deque()
        self.after: deque[BaseException] = deque()
        self.unsure = False
        self.slow: Callable[[], object] = lambda: None
        self._clock = clock
        self._lock = threading.Lock()

    @property
    def ids(self) -> list[str]:
        return [request.run_id for request, _ in self.runs]

    def submit(self, request: RunRequest) -> Submission:
        if self.before:
            raise self.before.popleft()
        self.slow()
        with self._lock:
            there = self._there(request.run_id) if self.names_runs else None
            if there:
                return replace(there, existed=not self.unsure)
            self.runs.append((request, datetime.fromtimestamp(self._clock(), UTC)))
            created = self.runs[-1][1]
        if self.after:
            raise self.after.popleft()
        return Submission(request.run_id, f"runs/{request.run_id}", "https://run", created)

    def find(self, run_id: str) -> Submission | None:
        with self._lock:
            self.looked_up[run_id] += 1
            return self._there(run_id)

    def _there(self, run_id: str) -> Submission | None:
        for request, created in self.runs:
            if request.run_id == run_id:
                return Submission(run_id, f"runs/{run_id}", "https://run", created, existed=True)
        return None
