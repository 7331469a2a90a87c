"""The trigger that the section `retraining` is: each incident of monitoring that asks for a run starts one."""

from ....components.lib.monitoring.incident_records import ID
from ..messages.contents import read_request
from ..types import Cause, InvalidMessageError
from .interface import Reading, TriggerKind


class IncidentTrigger:
    """Starts one run for an incident, however often a message names it."""

    def __init__(self, name: str, pipeline: str) -> None:
        self._name, self._pipeline = name, pipeline

    def find_causes(self, reading: Reading) -> list[Cause]:
        """Return the cause of an incident; see Trigger. Whether it still asks for a run is for the store to say."""
        if reading.addressed is None:
            return []
        asked = read_request(reading.message, reading.body)
        if asked.pipeline not in ("", self._pipeline):
            return []
        if asked.parameters:
            raise InvalidMessageError(
                "the message names an incident and sets parameters; a retrain takes none."
            )
        if not ID.fullmatch(asked.key):
            raise InvalidMessageError(
                f"the incident's 'id' is {asked.key!a}, and an id is such as 'v3-model-1'."
            )
        return [Cause(self._name, asked.key, asked.key, {}, reading.message.published)]


KIND = TriggerKind(make=lambda name, _, pipeline, __: IncidentTrigger(name, pipeline))
