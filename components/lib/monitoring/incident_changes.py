"""Changes of an incident that somebody makes: who starts its run, and a person who decides."""

from datetime import datetime

from ..errors import RetrainerError
from .incident import Group, Incident, IncidentState


def started(incident: Incident, run: str, at: datetime, actor: str) -> Incident | None:
    """Note the run that was started for an incident.

    Args:
        incident: The incident.
        run: Name of the run.
        at: The time.
        actor: Who or what started it.

    Returns:
        The incident after that; None if it is noted already, or the incident waits for no run.
    """
    if not incident.wants_run or incident.state not in (
        IncidentState.OPEN,
        IncidentState.NEEDS_A_PERSON,
    ):
        return None
    return incident.changed(
        IncidentState.RETRAINING,
        at,
        f"run {run} was started",
        actor,
        run=run,
        wants_run=False,
    )


def resolved(incident: Incident, at: datetime, why: str, actor: str) -> Incident | None:
    """Resolve an incident by hand: its detections count no more, so only one that clears and comes back is news.

    Args:
        incident: The incident.
        at: The time.
        why: Why.
        actor: Who resolves it.

    Returns:
        The incident after that; None if it is resolved already.
    """
    if incident.ended:
        return None
    return incident.changed(IncidentState.RESOLVED, at, why, actor, wants_run=False)


def asked(incident: Incident, at: datetime, why: str, actor: str) -> Incident:
    """Ask for the run of an incident by hand, whatever the section `retraining` says of its signals and rows.

    Args:
        incident: The incident.
        at: The time.
        why: Why.
        actor: Who asks.

    Returns:
        The incident after that.

    Raises:
        RetrainerError: If it has had its run, its data is broken, or it is resolved.
    """
    if incident.group == Group.DATA:
        raise RetrainerError(
            f"incident '{incident.id}' is broken data, and a model that is trained on it would be broken, too. Fix the "
            "data; the incident is resolved by itself then."
        )
    if incident.ended or incident.run:
        what = "is resolved" if incident.ended else f"has had its run, {incident.run}"
        raise RetrainerError(
            f"incident '{incident.id}' {what}, and a second run for it would be no other. To train all the same, start "
            "a run of its own: retrainer run, or retrainer submit."
        )
    return incident.changed(IncidentState.OPEN, at, why, actor, wants_run=True, by_hand=True)
