"""Notifying of incidents of monitoring: one message for the state that an incident has come to."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from ..lib.monitoring.incident import Incident, IncidentState
from ..lib.monitoring.incident_judgement import NO_RUN
from ..lib.monitoring.incident_records import IncidentRecords
from ..lib.store import Store
from ..lib.uris import join
from .channels import Channel
from .notification import Notification
from .send import ALL_SECONDS, Sent, send_all

NOTIFIED_FOLDER = "notified"
"""Within an incident's folder in the store: a file for each message that was sent."""
KEEP = timedelta(days=7)
"""What is older is not news: a channel that is added today is not sent last month's incidents."""
OUTCOMES = {
    IncidentState.OPEN: "incident",
    IncidentState.DATA_BROKEN: "incident",
    IncidentState.RETRAINING: "incident",
    IncidentState.NEEDS_A_PERSON: "needs_a_person",
    IncidentState.ESCALATED: "escalated",
    IncidentState.RESOLVED: "resolved",
}
"""What a message says of an incident in each state. A run that was started for it has messages of its own, and an
incident whose opening nobody was notified of yet is opened all the same."""


def notify_incidents(
    store: str,
    pipeline: str,
    channels: Sequence[Channel],
    seconds: float = ALL_SECONDS,
    now: datetime | None = None,
) -> list[Sent]:
    """Send what incidents have come to, each once on each channel, whoever notices it first.

    Args:
        store: URI of the store.
        pipeline: Name of the pipeline.
        channels: Where to.
        seconds: How long one message may take on all channels.
        now: The time; the machine's if None.

    Returns:
        How sending went; messages that were sent before are left out.

    Raises:
        RetrainerError: If an incident's record is damaged.
    """
    found: list[Sent] = []
    if not any(channel.on & set(OUTCOMES.values()) for channel in channels):
        return found
    for notice in _notices(store, pipeline, now or datetime.now(UTC)):
        wanted = [channel for channel in channels if notice.outcome in channel.on]
        if not wanted:
            continue
        claims = join(Store(store).incident_uri(notice.incident), NOTIFIED_FOLDER)
        found += send_all(wanted, notice, claims, seconds, only_claimed=True)
    return [one for one in found if one.words != "sent before"]


def _notices(store: str, pipeline: str, now: datetime) -> Iterator[Notification]:
    for incident in IncidentRecords(store).all():
        outcome = OUTCOMES[incident.state]
        # Of an incident that goes on, its opening is the news; of one that comes back to a state, each time is.
        number = 0 if outcome == "incident" else _entered(incident)
        change = incident.changes[number]
        if now - datetime.fromisoformat(change.at) > KEEP:
            continue
        yield Notification(
            pipeline,
            incident.run or incident.id,
            outcome,
            _reason(incident, outcome),
            task="monitor_model",
            model_version=incident.pushed,
            champion_version=incident.pushed or incident.champion,
            subject=f"{incident.id} {number} of {incident.opened}",
            incident=incident.id,
            of_store=True,
            at=change.at,
        )


def _reason(incident: Incident, outcome: str) -> str:
    if outcome == "incident":
        return _opening(incident)
    return f"{incident.reason.rstrip('.')}. It was opened because: {incident.changes[0].reason}"


def _entered(incident: Incident) -> int:
    """Return the number of the change that brought an incident into its present state."""
    number = len(incident.changes) - 1
    while number and incident.changes[number - 1].state == incident.state:
        number -= 1
    return number


def _opening(incident: Incident) -> str:
    said = incident.changes[0].reason.rstrip(".")
    if incident.state == IncidentState.DATA_BROKEN:
        return f"{said}. The data of serving is broken, so nothing is retrained meanwhile."
    if incident.run:
        return f"{said}. Run {incident.run} was started for it."
    if incident.wants_run:
        return f"{said}. A run is asked for."
    _, held, why = incident.reason.partition(NO_RUN)
    if held:
        return f"{said}. {held.capitalize()}{why.rstrip('.')}."
    return f"{said}."
