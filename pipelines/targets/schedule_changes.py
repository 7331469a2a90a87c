"""The differences between a schedule on a service and the one that is asked for."""

from datetime import UTC, datetime

from ...components.lib.errors import RetrainerError
from ..project.formats.cron import UTC_NAMES
from .errors import RefusedError
from .types import Schedule, ScheduleRequest, ScheduleState

DIGEST_LENGTH = 12
"""Of what stands for a pipeline. A schedule has that of the file, and after it that with the images pinned."""


def upcoming(start: datetime | None, now: datetime | None = None) -> datetime | None:
    """Return a start that is still to come, else None: then runs start from now on.

    Both services start what was missed since a start that has passed: Vertex AI every run (sky-uk/kfp-operator#580),
    Kubeflow Pipelines the latest one (kubeflow/pipelines backend/src/crd/controller/scheduledworkflow/util/
    cron_schedule.go, getEffectiveLastJobEpoch).
    """
    return start if start and start > (now or datetime.now(UTC)) else None


def check_times(request: ScheduleRequest) -> None:
    """Check when a schedule begins and ends.

    Raises:
        RetrainerError: If no run would start.
    """
    if not request.end:
        return
    if request.end <= datetime.now(UTC):
        raise RetrainerError(
            f"schedule '{request.name}' ends at {show(request.end)}, which has passed: no run would start. Set a later "
            "end, or leave it out."
        )
    if request.start and request.start >= request.end:
        raise RetrainerError(
            f"schedule '{request.name}' starts at {show(request.start)} and ends before, at {show(request.end)}."
        )


def list_changes(there: Schedule, wanted: ScheduleRequest) -> list[str]:
    """List what differs between a schedule and what is asked for.

    Args:
        there: The schedule as the service has it.
        wanted: The schedule that is asked for.

    Returns:
        A line for each difference, such as `cron: 0 3 * * * -> 0 4 * * *`; none if there is nothing to do.
    """
    pairs = {
        "cron": (there.cron, " ".join(wanted.cron.split())),
        "time_zone": (_zone(there.time_zone), _zone(wanted.time_zone)),
        "catch_up": (there.catch_up, wanted.catch_up),
        "start": (show(upcoming(there.start)), show(upcoming(wanted.start))),
        "end": (show(there.end), show(wanted.end)),
        "max_runs": (there.max_runs or "none", wanted.max_runs or "none"),
    }
    lines = [f"{key}: {old} -> {new}" for key, (old, new) in pairs.items() if old != new]
    # A registry that does not answer now is no change: then the wanted digest is that of the file alone.
    if not there.digest.startswith(wanted.digest):
        same_file = there.digest.startswith(wanted.digest[:DIGEST_LENGTH])
        lines.append(
            "image: its tag points to another image now"
            if same_file and there.digest
            else "pipeline: differs from retrain.yaml"
        )
    return lines


def check_removals(there: Schedule, wanted: ScheduleRequest) -> None:
    """Check that no limit is removed from a schedule of Vertex AI, which keeps limits.

    Args:
        there: The schedule as the service has it. One that has ended is replaced, and may lose anything.
        wanted: The schedule that is asked for.

    Raises:
        RefusedError: If the service would refuse it.
    """
    if there.state == ScheduleState.ENDED:
        return
    for key in ("end", "max_runs"):
        if getattr(there, key) and not getattr(wanted, key):
            raise refuse_removal(there.name, key)


def refuse_removal(name: str, key: str) -> RefusedError:
    """Build the error for a limit that Vertex AI keeps.

    "The non-empty fields cannot be unset" (aiplatform_v1 UpdateScheduleRequest).

    Args:
        name: The schedule.
        key: `end` or `max_runs`.
    """
    return RefusedError(
        f"schedule '{name}' has '{key}', which Vertex AI can't remove. Set it to another value, or delete the "
        "schedule ('retrainer schedule delete') and create it again."
    )


def _zone(name: str) -> str:
    return "UTC" if name in UTC_NAMES else name


def show(moment: datetime | None) -> str:
    """Format a moment for people."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else "none"
