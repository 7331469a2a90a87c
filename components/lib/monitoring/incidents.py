"""Following incidents after a look: opening them for what was detected, and bringing each to its next state.

Everything is derived from what is recorded: signals' states, the registry, runs. So whoever follows next completes what
a killed process left, and doing it twice changes nothing.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from ..errors import RetrainerError
from ..registry.registry import CHAMPION, Registry
from ..runs.run_records import RunKey
from ..runs.run_traces import PUSH, Outcome, read_traces
from ..store import Store
from ..uris import read_json
from .incident import Detection, Group, Incident, IncidentState
from .incident_changes import started
from .incident_judgement import Facts, NewRows, RunEnd, judge, wants_rows
from .incident_records import ID, IncidentRecords
from .retraining_settings import RetrainingSettings

# How a trigger names the run of a cause: the pipeline, the cause, and a digest.
_OF_INCIDENT = re.compile(rf"-({ID.pattern})-[0-9a-f]{{12}}$")
_log = logging.getLogger("retrainer.incidents")
# An incident has a handful of states, each entered at most a few times.
_MOST_STEPS = 8


@dataclass(frozen=True)
class Seen:
    """The state of the signals after a look.

    Attributes:
        champion: The version that they were judged for.
        looks: How many looks have judged it.
        detected: The signals that are detected.
        judged: In how many looks each signal was judged, and not silent, by name; None if that is not known.
        passed: What was detected before and has cleared: an incident that nobody saw is opened and resolved.
    """

    champion: int
    looks: int
    detected: Sequence[Detection] = ()
    judged: Mapping[str, int] | None = None
    passed: Sequence[Detection] = ()

    def count_looks(self, incident: Incident) -> int:
        """Count the looks that say something of an incident: of another champion's, those that judged its signals."""
        if self.judged is None or self.champion == incident.champion:
            return self.looks
        names = {detection.name for detection in incident.detections}
        return max((self.judged.get(name, 0) for name in names), default=0)


def _now() -> datetime:
    return datetime.now(UTC)


def follow_incidents(
    store: str,
    seen: Seen | None,
    settings: RetrainingSettings | None,
    actor: str = "",
    count_rows: Callable[[Incident], NewRows | None] = lambda _: None,
    clock: Callable[[], datetime] = _now,
) -> list[Incident]:
    """Open incidents for what is detected, and bring each incident to the state that follows from what is known.

    Args:
        store: URI of the store.
        seen: The signals after the newest look; None if there was no look yet.
        settings: The section `retraining`; None if nothing retrains by itself.
        actor: Who or what looks: a run, a user.
        count_rows: Counts what a retrain for an incident would have that the champion's training had not; None if that
            can't be said here. It is called only where it matters.
        clock: Returns the time.

    Returns:
        The incidents that this call opened or changed, as they are now.

    Raises:
        RetrainerError: If a record is damaged, or others write all the time.
    """
    records = IncidentRecords(store)
    changed: dict[str, Incident] = {}
    registry = Registry(Store(store).models_uri)
    champion = registry.version_of(CHAMPION)
    # What was judged of another champion says nothing of the one that serves now.
    is_current = seen is not None and seen.champion == champion
    # First what follows from what was known before, so that what says that a retrain did not help joins its incident.
    for _ in range(2):
        known = {one.id: one for one in records.all()}
        for incident in [one for one in known.values() if not one.ended]:
            broken = [one.id for one in known.values() if one.state == IncidentState.DATA_BROKEN]
            others = [one for one in known.values() if one.id != incident.id]
            facts = Facts(
                clock(),
                champion,
                _own(seen.detected, others) if seen and is_current else (),
                seen.count_looks(incident) if seen and is_current else 0,
                _run_end(store, registry, champion, incident) if incident.run else None,
                broken_data=broken[-1] if broken else "",
            )
            after = _bring_forward(records, incident, facts, settings, actor, count_rows)
            if after:
                changed[after.id] = known[after.id] = after
        if not (seen and is_current):
            break
        opened = [
            found
            for group in Group
            if (
                detected := [
                    one for one in (*seen.detected, *seen.passed) if Group.of(one.kind) == group
                ]
            )
            and (found := records.open(group, seen.champion, detected, clock(), actor))
        ]
        changed |= {one.id: one for one in opened}
        if not opened:
            break
    return list(changed.values())


def note_run(
    store: str, incident: str, run: str, actor: str, now: datetime | None = None
) -> Incident | None:
    """Note the run that was started for an incident.

    Args:
        store: URI of the store.
        incident: The incident's id.
        run: Name of the run.
        actor: Who or what started it.
        now: The time; the machine's if None.

    Returns:
        The incident if this call noted it; None if it was noted before, or the incident waits for no run.

    Raises:
        RetrainerError: If there is no such incident.
    """
    at = now or _now()
    return IncidentRecords(store).change(incident, lambda one: started(one, run, at, actor))


def incident_of_run(store: str, run: str) -> Incident | None:
    """Find the incident that a run was started for, also before its start is noted in the incident.

    Args:
        store: URI of the store.
        run: Name of the run, which has the incident's id in it.

    Returns:
        The incident; None for any other run, and where the incident can't be read: a run does not depend on it.
    """
    match = _OF_INCIDENT.search(run)
    if match is None:
        return None
    try:
        incident = IncidentRecords(store).find(match[1])
    # Every file system has errors of its own.
    except Exception as error:
        _log.warning("the incident of run '%s' can't be read: %s", run, error)
        return None
    return incident if incident and incident.run in ("", run) else None


def read_run_end(store: str, run: str) -> RunEnd | None:
    """Read how a run ended, on whatever target it ran.

    Args:
        store: URI of the store.
        run: The run's name.

    Returns:
        How it ended; None if nothing is recorded of it.
    """
    traces = read_traces(store, RunKey(run, run).folder)
    if not traces:
        return None
    trace = max(traces, key=lambda run_trace: run_trace.started)
    version = trace.noted(PUSH, "version")
    outcome, sentence = trace.outcome, trace.sentence
    if trace.noted(PUSH, "outcome") == Outcome.PUSHED:
        # Its model is the champion, also if a service could not be brought to it yet.
        outcome, sentence = Outcome.PUSHED, trace.tasks[PUSH].verdict
    if outcome == Outcome.OPEN and (error := _local_error(store, run)):
        outcome, sentence = Outcome.FAILED, error
    return RunEnd(outcome, sentence, None if version is None else int(version))


def _own(detected: Iterable[Detection], others: Sequence[Incident]) -> tuple[Detection, ...]:
    """Leave out what is another incident's, such as one that a person has resolved."""
    return tuple(
        detection for detection in detected if not any(other.covers(detection) for other in others)
    )


def _run_end(
    store: str, registry: Registry, champion: int | None, incident: Incident
) -> RunEnd | None:
    """Read how the run of an incident ended; a champion that it made says so whatever else is recorded.

    A push that was killed after it moved the alias, and tried again, finds its model in service already.
    """
    if champion is not None and champion != incident.champion and incident.pushed is None:
        with suppress(RetrainerError, OSError):
            if registry.get(champion).info.get("run") == incident.run:
                return RunEnd(Outcome.PUSHED, version=champion)
    return read_run_end(store, incident.run)


def _local_error(store: str, run: str) -> str:
    """Return why a run of the local runner failed; empty if it has not, or can be resumed."""
    try:
        content = read_json(Store(store).run_record_uri(RunKey(run, run).folder))
    except FileNotFoundError:
        return ""
    if content.get("state") != "failed":
        return ""
    return str(content.get("error") or "a task failed")


def _bring_forward(
    records: IncidentRecords,
    incident: Incident,
    facts: Facts,
    settings: RetrainingSettings | None,
    actor: str,
    count_rows: Callable[[Incident], NewRows | None],
) -> Incident | None:
    """Make every change of an incident that is due; None if none was."""
    last = None
    if wants_rows(incident, facts, settings):
        facts = Facts(**{**vars(facts), "new_rows": count_rows(incident)})
    for _ in range(_MOST_STEPS):
        after = records.change(incident.id, lambda one: judge(one, facts, settings, actor))
        if after is None:
            return last
        last = after
    return last
