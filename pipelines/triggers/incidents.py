"""Starting the runs of incidents: a message only says which, and the store says whether.

A message may be lost, late, forged or sent a hundred times. So what it names is looked up: a run is started for an
incident that asks for one, as every trigger starts its runs (claims, cool-down, daily limit), and noted in the
incident. A process that is killed between the two leaves an incident that still asks; the next one finds its run, and
notes it.
"""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

from ...components.lib.errors import RetrainerError
from ...components.lib.monitoring.incident import Incident, IncidentState
from ...components.lib.monitoring.incident_records import ID, IncidentRecords
from ...components.lib.monitoring.incidents import note_run
from ..project.formats.names import TRIGGER_KEY
from ..project.sections.retraining import RETRAINING_TRIGGER
from .dispatch import Dispatcher
from .kinds.incident import IncidentTrigger
from .kinds.interface import Reading
from .messages.contents import read_body, read_request
from .types import InvalidMessageError, Message, Outcome, Result

_AGAIN_SECONDS = 10.0
_log = logging.getLogger(__name__)


class IncidentHandler:
    """Handles messages: those that name incidents itself, all others by the dispatcher. Safe from several threads.

    Args:
        dispatcher: Starts runs.
        store: URI of the store.
        actor: Who starts them, for the incident's record.

    Attributes:
        store: URI of the store.
    """

    def __init__(self, dispatcher: Dispatcher, store: str, actor: str = "trigger service") -> None:
        self._dispatcher, self._actor = dispatcher, actor
        self.store = store
        self._records = IncidentRecords(store)

    def glance(self, message: Message) -> Outcome | None:
        """Return the outcome of a message if that needs no network, else None; incidents always do."""
        return None if _names_incident(message) else self._dispatcher.glance(message)

    def handle(self, message: Message) -> Outcome:
        """Start what a message asks for, unless that was started before. Waits for the network."""
        if not _names_incident(message):
            return self._dispatcher.handle(message)
        try:
            name = read_request(message, read_body(message)).key
        except InvalidMessageError:
            # The trigger says what is wrong with it.
            return self._dispatcher.handle(message)
        try:
            return self._start(name, message)
        # A store has errors of many libraries, and none of them may lose a message.
        except Exception as error:
            said = (
                str(error)
                if isinstance(error, RetrainerError)
                else f"{type(error).__name__}: {error}."
            )
            return Outcome(
                Result.FAILED,
                f"the incident '{name}' can't be read or written: {said}",
                RETRAINING_TRIGGER,
                retry_seconds=_AGAIN_SECONDS,
            )

    def start_open(self) -> Iterator[tuple[Incident, Outcome]]:
        """Start the runs of the incidents in the store that ask for one.

        Yields:
            Each of these incidents, as it was, and the outcome.

        Raises:
            RetrainerError: If the incidents can't be read.
        """
        for incident in self._asking():
            yield incident, self.handle(incident_message(incident.id))

    def messages(self) -> list[Message]:
        """Return a message for each incident in the store that asks for a run.

        Raises:
            RetrainerError: If the incidents can't be read.
        """
        return [incident_message(incident.id) for incident in self._asking()]

    def _asking(self) -> list[Incident]:
        return [one for one in self._records.all() if one.wants_run]

    def _start(self, name: str, message: Message) -> Outcome:
        incident = self._records.find(name)
        if incident and incident.run:
            return Outcome(
                Result.DUPLICATE,
                f"its run '{incident.run}' was started before.",
                RETRAINING_TRIGGER,
                (incident.run,),
            )
        if incident and not incident.wants_run:
            return Outcome(
                Result.IGNORED,
                f"the incident '{name}' asks for no run, it is {incident.state}: {incident.reason}",
                RETRAINING_TRIGGER,
            )
        if incident and (broken := self._broken_data()):
            return Outcome(
                Result.IGNORED,
                f"the data of serving is broken ({broken}), on which no model is trained.",
                RETRAINING_TRIGGER,
            )
        # What is no id at all the trigger rejects.
        if incident is None and ID.fullmatch(name):
            return Outcome(
                Result.IGNORED,
                f"there is no incident '{name}' in '{self.store}'.",
                RETRAINING_TRIGGER,
            )
        outcome = self._dispatcher.handle(message)
        if incident and outcome.result.acknowledged and outcome.run_ids:
            note_run(self.store, incident.id, outcome.run_ids[0], self._actor)
        return outcome

    def _broken_data(self) -> str:
        broken = [one for one in self._records.all() if one.state == IncidentState.DATA_BROKEN]
        return broken[-1].id if broken else ""


def incident_run_id(pipeline: str, incident: str) -> str:
    """Name the run of an incident, as the dispatcher does.

    Args:
        pipeline: The pipeline's name.
        incident: The incident's id.
    """
    message = incident_message(incident)
    (cause,) = IncidentTrigger(RETRAINING_TRIGGER, pipeline).find_causes(Reading(message))
    return cause.run_id(pipeline, 1)


def incident_message(incident: str) -> Message:
    """Return the message that asks for the run of an incident, as it would arrive.

    Args:
        incident: The incident's id.
    """
    return Message(
        f"incident-{incident}",
        json.dumps({"id": incident}).encode(),
        {TRIGGER_KEY: RETRAINING_TRIGGER},
        datetime.now(UTC),
    )


def _names_incident(message: Message) -> bool:
    return message.attributes.get(TRIGGER_KEY) == RETRAINING_TRIGGER
