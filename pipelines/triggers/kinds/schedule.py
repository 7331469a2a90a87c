"""Triggers on Cloud Scheduler: each of its slots starts a run."""

from datetime import UTC, datetime

from ...project.sections.triggers import TriggerConfig
from ..types import Cause
from .interface import Reading, TriggerKind

_SLOT_SECONDS = 60
"""Cloud Scheduler's finest slot, and so the least in which two messages can be one delivered twice."""


class ScheduleTrigger:
    """Starts a run whenever Cloud Scheduler says so, once for each of its slots."""

    def __init__(self, name: str, config: TriggerConfig) -> None:
        self._name, self._config = name, config
        self._seconds = max(_SLOT_SECONDS, config.coalesce_seconds)

    def find_causes(self, reading: Reading) -> list[Cause]:
        """Return the cause of a slot; see Trigger."""
        if reading.addressed is None:
            return []
        published = reading.message.published
        slot = int(published.timestamp() // self._seconds * self._seconds)
        readable = f"{self._name}-{datetime.fromtimestamp(slot, UTC):%Y%m%d-%H%M}"
        # Slots ask for the same: after an outage one run makes up for all that were missed.
        return [
            Cause(
                self._name,
                readable,
                str(slot),
                self._config.parameters,
                published,
                done_since=published,
            )
        ]


KIND = TriggerKind(make=lambda name, config, *_: ScheduleTrigger(name, config))
