"""Who submits which run, agreed between replicas, for targets that would take the same id twice.

A run is claimed before it is submitted, and recorded when it is. If a claim's owner dies in between, another one takes
the claim over once it was silent for long enough, and looks the run up first. Silence is measured from when a replica
first saw the claim, by its own steady clock: clocks of different replicas are never compared.

One thing remains that no client can rule out: a replica that is halted for longer than CLAIM_SECONDS between its last
look at the clock and the request itself.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from cachetools import LRUCache

from ....components.lib.errors import RetrainerError
from ...targets.interface import SUBMIT_SECONDS
from ...targets.types import Submission
from .store import Claims, Record

CLAIM_SECONDS = 3 * SUBMIT_SECONDS
"""A claim that is not followed by a run for so long may be taken over. In that time a run is looked up and submitted,
each within SUBMIT_SECONDS, with a margin: a request connects and reads in turn, and may end a little late."""
USE_SECONDS = CLAIM_SECONDS / 2
"""A claim that is older than that is not used to submit a run any more."""
_TAKEN_SECONDS = 2.0
_MAX_SEEN = 10_000


@dataclass(frozen=True)
class Claim:
    """The right to submit a run.

    Attributes:
        run_id: The run.
        first: Whether nobody claimed it before; else the run must be looked up before it is submitted.
        record: The claim as it is stored.
        taken: When it was taken, by the ledger's steady clock.
    """

    run_id: str
    first: bool
    record: Record
    taken: float


@dataclass(frozen=True)
class Submitted:
    """A run that was submitted.

    Attributes:
        submission: The run.
        covers: What was known until this moment has been seen by the run.
    """

    submission: Submission
    covers: datetime


@dataclass(frozen=True)
class Busy:
    """Another process is submitting the run.

    Attributes:
        seconds: When another look makes sense, in seconds from now.
    """

    seconds: float


class Ledger:
    """Claims of runs. All methods may be called from several threads at once.

    Args:
        claims: Where replicas agree.
        steady: A clock that no one sets, in seconds.
    """

    def __init__(self, claims: Claims, steady: Callable[[], float] = time.monotonic) -> None:
        self.claims = claims
        self._steady = steady
        self._owner = uuid.uuid4().hex
        self._seen: LRUCache[str, tuple[int, float]] = LRUCache(_MAX_SEEN)
        self._lock = Lock()

    def find(self, run_id: str) -> Submitted | None:
        """Look up a run that was recorded as submitted.

        Raises:
            RetrainerError: If the store of claims can't be read.
        """
        record = self.claims.read(_key(run_id))
        return _read_submitted(run_id, record) if record else None

    def claim(self, run_id: str) -> Claim | Submitted | Busy:
        """Claim a run.

        Returns:
            The claim; or the run, if it was submitted; or how long to wait for the one who claimed it.

        Raises:
            RetrainerError: If the store of claims can't be read or written.
        """
        taken = self._steady()
        newest = self.claims.read(_key(run_id))
        if newest:
            submitted = _read_submitted(run_id, newest)
            if submitted:
                return submitted
            if newest.content.get("owner") != self._owner:
                left = CLAIM_SECONDS - self._silence(run_id, newest)
                if left > 0:
                    return Busy(left)
        # Our own claim is renewed, too: another replica may be about to take it over.
        record = self.claims.write(
            _key(run_id),
            {
                "state": "claimed",
                "owner": self._owner,
                "nonce": uuid.uuid4().hex,
                "at": datetime.now(UTC).isoformat(),
            },
            newest,
        )
        if record is None:
            return Busy(_TAKEN_SECONDS)
        return Claim(run_id, newest is None, record, taken)

    def holds(self, claim: Claim) -> bool:
        """Return whether there is time to submit a claimed run before anybody may take it over."""
        return self._steady() - claim.taken < USE_SECONDS

    def confirm(self, claim: Claim, submitted: Submitted) -> None:
        """Record that a claimed run was submitted.

        If the claim was taken over meanwhile, its new owner finds the run and records it.

        Raises:
            RetrainerError: If the store of claims can't be written.
        """
        submission = submitted.submission
        content = {
            "state": "submitted",
            "owner": self._owner,
            "reference": submission.reference,
            "url": submission.url,
            "created_at": submission.created_at.isoformat(),
            "covers": submitted.covers.isoformat(),
        }
        self.claims.write(_key(claim.run_id), content, claim.record)

    def _silence(self, run_id: str, record: Record) -> float:
        now = self._steady()
        with self._lock:
            number, since = self._seen.get(run_id, (0, now))
            if number != record.number:
                since = now
                self._seen[run_id] = (record.number, since)
        return now - since


def _key(run_id: str) -> str:
    return f"runs/{run_id}"


def _read_submitted(run_id: str, record: Record) -> Submitted | None:
    content: Mapping[str, Any] = record.content
    try:
        if content["state"] != "submitted":
            return None
        created = datetime.fromisoformat(content["created_at"])
        submission = Submission(run_id, content["reference"], content["url"], created, existed=True)
        return Submitted(submission, datetime.fromisoformat(content["covers"]))
    except (TypeError, KeyError, ValueError) as error:
        raise RetrainerError(
            f"the claim of run '{run_id}' is not as retrainer wrote it: {error!r} is wrong or missing in {content!r}. "
            "Restore it from a copy, or delete it if the run does not exist."
        ) from error
