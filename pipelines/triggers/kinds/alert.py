"""Triggers on alerts: each incident that monitoring opens starts a run."""

from fnmatch import fnmatchcase

from ...project.sections.triggers import TriggerConfig
from ..messages.alerts import is_alert
from ..types import Cause, InvalidMessageError
from .interface import Reading, TriggerKind


class AlertTrigger:
    """Starts a run for each incident that monitoring opens."""

    def __init__(self, name: str, config: TriggerConfig) -> None:
        self._name, self._config = name, config

    def find_causes(self, reading: Reading) -> list[Cause]:
        """Return the causes of the incidents that match; see Trigger."""
        if reading.addressed is None and reading.is_storage:
            return []
        if not is_alert(reading.body):
            if reading.addressed is not None:
                raise InvalidMessageError(
                    f"the message names the trigger '{self._name}', which listens to alerts, and its body has "
                    "neither 'incident' (Cloud Monitoring) nor 'alerts' (Alertmanager)."
                )
            return []
        return [
            Cause(
                self._name,
                incident.name,
                incident.key,
                self._config.parameters,
                reading.message.published,
            )
            for incident in reading.incidents
            if fnmatchcase(incident.name, self._config.policy)
        ]


KIND = TriggerKind(make=lambda name, config, *_: AlertTrigger(name, config))
