"""When the last file of a span has come, agreed between replicas that each see some of the messages.

Each replica records how late the newest file of a span was that it heard of, before it puts the message off. So whoever
looks at the record, when a message's time has come, knows of every file whose message has reached any replica. Nothing
is cut by the clock: a file a second before midnight and one a second after are as near as any other two.

A record is written once for each STEPS-th part of the wait in which a file came, and not for each file; it is rounded
up, so that the wait is never shorter than it was asked for.
"""

import math
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from cachetools import LRUCache

from ...components.lib.errors import RetrainerError
from ..targets.errors import UnavailableError
from .claims.store import Claims, Record
from .types import Cause

STEPS = 10
"""Into how many parts the wait is divided; the wait may be longer by one of them."""
LONGEST = 12
"""A file waits for so many times the wait at most, where new ones never stop coming: an hour with the default."""
_TRIES = 20
_MAX_KNOWN = 20_000
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Progress:
    """How far a span has come.

    Attributes:
        newest: The time of the newest file that any replica has received.
        generation: The number of the last run that was started for it; 0 for none.
    """

    newest: datetime = _NEVER
    generation: int = 0


class Coalescer:
    """The progress of spans. All methods may be called from several threads at once.

    Args:
        claims: Where replicas agree.
        pipeline: The pipeline's name.
    """

    def __init__(self, claims: Claims, pipeline: str) -> None:
        self._claims, self._pipeline = claims, pipeline
        self._known: LRUCache[str, Progress] = LRUCache(_MAX_KNOWN)
        self._lock = Lock()

    def get_known(self, cause: Cause) -> Progress | None:
        """Return what this process knows of a cause's span; None if it has not recorded the cause's file yet."""
        with self._lock:
            known = self._known.get(self._key(cause))
        return known if known and known.newest >= _rounded(cause) else None

    def record(self, cause: Cause) -> Progress:
        """Record a cause's file, unless a newer one of its span is, and read what the other replicas have recorded.

        Raises:
            RetrainerError: If the store of claims can't be read or written.
        """
        return self._update(cause, Progress(_rounded(cause)))

    def record_run(self, cause: Cause, generation: int) -> None:
        """Record which run of a cause's span is the last one.

        Raises:
            RetrainerError: If the store of claims can't be read or written.
        """
        self._update(cause, Progress(_rounded(cause), generation))

    def _update(self, cause: Cause, least: Progress) -> Progress:
        key = self._key(cause)
        for _ in range(_TRIES):
            record = self._claims.read(key)
            found = _read_progress(key, record) if record else Progress()
            merged = Progress(
                max(found.newest, least.newest), max(found.generation, least.generation)
            )
            if merged == found or self._claims.write(key, _show(merged), record):
                with self._lock:
                    self._known[key] = merged
                return merged
        raise UnavailableError(f"'{key}' in the claims is written by too many at once.")

    def _key(self, cause: Cause) -> str:
        return f"spans/{cause.run_id(self._pipeline, 1)}"


def ready_at(cause: Cause, progress: Progress) -> datetime:
    """Return when the run of a cause may start: when no file of its span has come for the wait, or the longest is over.

    Args:
        cause: A cause that waits for more files of its span.
        progress: How far the span has come.
    """
    wait = timedelta(seconds=cause.coalesce_seconds)
    written = cause.ready - wait
    return max(cause.ready, min(progress.newest + wait, written + LONGEST * wait))


def _rounded(cause: Cause) -> datetime:
    """Round the time of a cause's file up to the next step."""
    step = max(1.0, cause.coalesce_seconds / STEPS)
    written = (cause.ready - timedelta(seconds=cause.coalesce_seconds)).timestamp()
    return datetime.fromtimestamp(math.ceil(written / step) * step, UTC)


def _show(progress: Progress) -> dict[str, Any]:
    return {
        "newest": progress.newest.isoformat(),
        "generation": progress.generation,
        "nonce": uuid.uuid4().hex,
    }


def _read_progress(key: str, record: Record) -> Progress:
    content = record.content
    try:
        return Progress(datetime.fromisoformat(content["newest"]), int(content["generation"]))
    except (TypeError, KeyError, ValueError) as error:
        raise RetrainerError(
            f"record {record.number} of '{key}' in the claims is damaged: {error!r} is wrong or missing in "
            f"{content!r}. Restore it from a copy, or delete it."
        ) from error
