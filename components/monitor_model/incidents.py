"""What follows from a look for incidents: they are opened, brought forward, and ask for runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..lib.errors import RetrainerError
from ..lib.messages.send_errors import MaybeSentError, NotSentError
from ..lib.monitoring.incident import Incident
from ..lib.monitoring.incident_judgement import NewRows
from ..lib.monitoring.incident_records import IncidentRecords
from ..lib.monitoring.incidents import follow_incidents
from ..lib.monitoring.look_signals import read_seen
from ..lib.monitoring.new_rows import count_new_rows
from ..lib.monitoring.retraining_settings import RetrainingSettings
from ..lib.monitoring.run_request import request_run
from ..lib.registry.registry import ModelVersion


@dataclass(frozen=True)
class Followed:
    """The incidents after a look.

    Attributes:
        changed: Those that were opened or changed.
        words: Clauses for the verdict.
    """

    changed: tuple[Incident, ...] = ()
    words: tuple[str, ...] = ()


def follow(
    store: str,
    retraining: Mapping[str, Any],
    champion: ModelVersion | None,
    actor: str,
) -> Followed:
    """Open incidents for what is detected, and bring each incident forward.

    Args:
        store: URI of the store.
        retraining: The section `retraining`, with `pipeline`, and `pattern`, `marker` and `label` of the data that a
            run trains on; empty if incidents ask for no run.
        champion: The champion; None if there is none.
        actor: Who looks.

    Returns:
        The incidents that changed, and words about them.

    Raises:
        RetrainerError: If a record is damaged.
    """
    settings = RetrainingSettings.of(retraining) if retraining else None
    problems: list[str] = []

    def count(_: Incident) -> NewRows | None:
        assert champion is not None
        assert settings is not None
        try:
            return count_new_rows(
                champion,
                str(retraining.get("pattern") or ""),
                str(retraining.get("marker") or ""),
                str(retraining.get("label") or ""),
                enough=settings.min_new_labelled_rows,
            )
        except (RetrainerError, OSError) as error:
            # What is unknown is not taken for nothing: the next look counts again.
            problems.append(str(error))
            return None

    # Not the time that a look is as of: a run that is started now takes its time from now.
    changed = follow_incidents(store, read_seen(store, settings), settings, actor, count)
    problems += _request_runs(store, retraining) if retraining else []
    words = [
        f"incident {incident.id} {str(incident.state).replace('_', ' ')}" for incident in changed
    ]
    return Followed(tuple(changed), (*words, *problems))


def _request_runs(store: str, retraining: Mapping[str, Any]) -> list[str]:
    """Ask for the run of each incident that asks for one, also of those that were asked for before.

    Returns:
        A clause for each that could not be sent: the next look sends it again.
    """
    problems = []
    for incident in IncidentRecords(store).all():
        if not incident.wants_run:
            continue
        try:
            request_run(incident, retraining)
        except (NotSentError, MaybeSentError) as error:
            problems.append(f"the run of {incident.id} could not be asked for: {error}")
    return problems
