"""How often a trigger may start runs, agreed between replicas: the cool-down and the daily limit."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ....components.lib.errors import RetrainerError
from ...project.sections.triggers import TriggerConfig
from .store import Claims, Record

_TRIES = 20
_AGAIN_SECONDS = 1.0
_MAX_RECENT = 50


@dataclass(frozen=True)
class Refusal:
    """A run that has to wait.

    Attributes:
        seconds: Until it may start.
        reason: In words.
    """

    seconds: float
    reason: str


class Admission:
    """Admits the runs of one trigger, one after the other.

    Each admission is a record that has its time, its number in its day (UTC), and the last runs that were admitted.
    Time in these records only goes forward, so that no day starts twice where the replicas' clocks differ; a cool-down
    is as exact as these clocks.

    Args:
        claims: Where replicas agree.
        pipeline: The pipeline's name.
        trigger: The trigger's name.
        config: Its cool-down and daily limit.
        clock: Gives the time in seconds since 1970.
    """

    def __init__(
        self,
        claims: Claims,
        pipeline: str,
        trigger: str,
        config: TriggerConfig,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._claims = claims
        self._key = f"triggers/{pipeline}.{trigger}"
        self._trigger, self._config = trigger, config
        self._clock = clock

    def admit(self, run_id: str) -> Refusal | None:
        """Admit a run, again if it was among the last.

        Returns:
            None if it may start, else how long it has to wait.

        Raises:
            RetrainerError: If the store of claims can't be read or written.
        """
        for _ in range(_TRIES):
            newest = self._claims.read(self._key)
            last = _read_admission(self._key, newest) if newest else _Admitted()
            if run_id in last.recent:
                return None
            now = datetime.fromtimestamp(self._clock(), UTC)
            refusal = self._refuse(last, now)
            if refusal:
                return refusal
            if self._claims.write(self._key, last.follow(run_id, now), newest):
                return None
        return Refusal(_AGAIN_SECONDS, f"the trigger '{self._trigger}' is busy.")

    def _refuse(self, last: "_Admitted", now: datetime) -> Refusal | None:
        cool_down = timedelta(seconds=self._config.cool_down_seconds)
        cool = last.at + cool_down
        if cool_down and last.count and now < cool:
            return Refusal(
                (cool - now).total_seconds(),
                f"the trigger '{self._trigger}' cools down until {cool:%Y-%m-%d %H:%M:%S} UTC.",
            )
        limit = self._config.daily_limit
        today = max(now, last.at)
        if limit and last.at.date() == today.date() and last.count >= limit:
            midnight = datetime(today.year, today.month, today.day, tzinfo=UTC) + timedelta(days=1)
            return Refusal(
                (midnight - now).total_seconds(),
                f"the trigger '{self._trigger}' has started {last.count} of {limit} runs of {today:%Y-%m-%d} (UTC).",
            )
        return None


@dataclass(frozen=True)
class _Admitted:
    """The state after an admission: its time, its number in its day, and the last runs."""

    at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    count: int = 0
    recent: tuple[str, ...] = ()

    def follow(self, run_id: str, now: datetime) -> dict[str, Any]:
        at = max(now, self.at)
        return {
            "run_id": run_id,
            "at": at.isoformat(),
            "count": self.count + 1 if at.date() == self.at.date() else 1,
            "recent": [*self.recent, run_id][-_MAX_RECENT:],
            "nonce": uuid.uuid4().hex,
        }


def _read_admission(key: str, record: Record) -> _Admitted:
    content = record.content
    try:
        return _Admitted(
            datetime.fromisoformat(content["at"]), int(content["count"]), tuple(content["recent"])
        )
    except (TypeError, KeyError, ValueError) as error:
        raise RetrainerError(
            f"record {record.number} of '{key}' in the claims is not as retrainer wrote it: {error!r} is wrong or "
            f"missing in {content!r}. Restore it from a copy, or delete it to count again from zero."
        ) from error
