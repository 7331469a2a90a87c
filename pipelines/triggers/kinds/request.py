"""Triggers on requests: somebody asks for a run, in JSON."""

from ...project.sections.triggers import FLAGS, TriggerConfig
from ..messages.alerts import is_alert
from ..messages.contents import check_span, read_request
from ..types import Cause, InvalidMessageError
from .interface import Reading, TriggerKind


class RequestTrigger:
    """Starts a run that somebody asks for."""

    def __init__(self, name: str, config: TriggerConfig, pipeline: str) -> None:
        self._name, self._config, self._pipeline = name, config, pipeline

    def find_causes(self, reading: Reading) -> list[Cause]:
        """Return the cause of a request; see Trigger."""
        if reading.addressed is None and (reading.is_storage or is_alert(reading.body)):
            return []
        asked = read_request(reading.message, reading.body)
        if asked.pipeline not in ("", self._pipeline):
            return []
        for key, value in asked.parameters.items():
            if key not in self._config.allow:
                raise InvalidMessageError(
                    f"the request sets the parameter '{key}', and triggers.{self._name}.allow has "
                    f"{', '.join(self._config.allow) or 'none'}."
                )
            if key == "span":
                check_span(value)
            if key == "allow_older" and value not in FLAGS:
                raise InvalidMessageError(
                    f"the parameter 'allow_older' is {value!a}, and must be true or false."
                )
        parameters = {**self._config.parameters, **asked.parameters}
        return [Cause(self._name, asked.key, asked.key, parameters, reading.message.published)]


KIND = TriggerKind(make=lambda name, config, pipeline, _: RequestTrigger(name, config, pipeline))
