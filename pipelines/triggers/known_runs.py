"""The runs that a process knows of, so that most messages need no network."""

from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from cachetools import LRUCache

from .claims.ledger import Submitted
from .types import Cause

MAX_KNOWN = 20_000


@dataclass(frozen=True)
class Known:
    """The newest run of a cause.

    Attributes:
        run: The run.
        generation: Which one of the cause's it is, from 1.
    """

    run: Submitted
    generation: int


class KnownRuns:
    """The newest runs of causes and triggers. All methods may be called from several threads at once."""

    def __init__(self) -> None:
        self._known: LRUCache[tuple[str, str], Known] = LRUCache(MAX_KNOWN)
        self._latest: dict[str, tuple[datetime, Submitted]] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, cause: Cause) -> Known | None:
        """Return the newest run of a cause."""
        with self._lock:
            return self._known.get((cause.trigger, cause.key))

    def remember(self, cause: Cause, run: Submitted, generation: int, now: datetime) -> None:
        """Remember a run as the newest of a cause, and of its trigger if it is.

        Args:
            cause: The cause.
            run: Its run.
            generation: Which one of the cause's it is.
            now: The time by this process's clock. What comes later than this the run is not taken to have seen, even
                if the service's clock is ahead.
        """
        seen = min(run.covers, now)
        with self._lock:
            self._known[cause.trigger, cause.key] = Known(run, generation)
            if cause.trigger not in self._latest or self._latest[cause.trigger][0] < seen:
                self._latest[cause.trigger] = (seen, run)

    def find(self, cause: Cause) -> Submitted | None:
        """Find a run that does what a cause asks for: its own, or any of the trigger's that was created late enough."""
        known = self.get(cause)
        if known and covers(known.run, cause):
            return known.run
        with self._lock:
            latest = self._latest.get(cause.trigger)
        done = latest and cause.done_since and latest[0] >= cause.done_since
        return latest[1] if latest and done else None


def covers(run: Submitted, cause: Cause) -> bool:
    """Return whether a run of a cause has seen what the cause is about."""
    return cause.since is None or run.covers >= cause.since
