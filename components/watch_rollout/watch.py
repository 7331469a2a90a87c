"""A look at a rollout: read, decide, record, then bring the services to what is recorded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pandas as pd

from ..lib.errors import RetrainerError
from ..lib.runs.run_records import TaskRecord
from ..lib.serving.lock import LockTiming
from ..lib.serving.plan import follow_plan
from ..lib.serving.reconcile import Reconciler
from ..lib.serving.rollout_ends import complete_rollout, roll_back_registry
from ..lib.serving.rollout_records import RolloutRecords
from ..lib.serving.rollout_settings import RolloutSettings
from ..lib.serving.rollout_state import Rollout, RolloutState, to_text
from ..lib.words import plural
from .decision import Decision, GuardReading, Look, decide
from .guards import GUARDS, LABELLED, REQUESTS, GuardState, describe, is_violated, look
from .observations import (
    WITHOUT_REQUEST,
    WITHOUT_TIME,
    Observations,
    Reading,
    key_text,
    read_labels,
    read_observations,
    requests_of,
)

_MOST_RACES = 10


@dataclass(frozen=True)
class Progress:
    """What was observed in a rollout, as its record keeps it.

    Attributes:
        seen: How many rows of each file were counted.
        labels_seen: The same of the files with labels.
        stage: Number of the stage that `requests` counts.
        requests: Requests of the new version in this stage.
        newest: When the newest observation was made.
        guards: The state of each guard.
    """

    seen: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    labels_seen: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    stage: int = 0
    requests: int = 0
    newest: str = ""
    guards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def watch(
    store: str,
    services: Mapping[str, Mapping[str, Any]],
    pipeline: str,
    section: Mapping[str, Any],
    by: str = "",
    record: TaskRecord | None = None,
    timing: LockTiming | None = None,
    clock: Callable[[], datetime] | None = None,
) -> str:
    """Look at the rollout of a store once.

    Args:
        store: URI of the store.
        services: Settings by service, as under `serving.deploy`.
        pipeline: Name of the project.
        section: The section `serving.rollout`.
        by: Who looks: a user, or a run.
        record: Takes the rollout's version, state and percent, and whether this run rolled it back.
        timing: How long the parts of the services' locks take.
        clock: Returns the time; the machine's if not given.

    Returns:
        The verdict.

    Raises:
        RetrainerError: If a service does not follow. The state is recorded; the next look goes on.
    """
    clock = clock or (lambda: datetime.now(UTC))
    record = record or TaskRecord("watch_rollout")
    actor = by or "watch_rollout"
    settings = RolloutSettings.of(section)
    follow_plan(store, section, actor)
    rollout = RolloutRecords(store).newest().rollout
    waiting: tuple[str, ...] = ()
    if rollout and rollout.in_stage:
        rollout, waiting = _look(store, settings, actor, clock)
    if rollout:
        roll_back_registry(store, rollout)
    plan = partial(follow_plan, store, section, actor)
    reconciler = Reconciler(store, pipeline, plan, actor, timing)
    results = [reconciler.reconcile(name, service) for name, service in services.items()]
    failed = {result.service: result.error for result in results if result.error}
    complete_rollout(store, results, actor)
    rollout = RolloutRecords(store).newest().rollout
    if rollout is None:
        return "no model is in service, so there is nothing to roll out"
    verdict = _verdict(rollout, waiting)
    # A retry of the task is the same run, whichever of its attempts recorded the end.
    back = rollout.state == RolloutState.ROLLED_BACK and rollout.changes[-1].actor == actor
    record.note(
        version=rollout.canary,
        state=str(rollout.state),
        percent=rollout.percent,
        rolled_back=back,
    )
    if failed:
        reasons = "; ".join(f"{service}: {error.rstrip('.')}" for service, error in failed.items())
        raise RetrainerError(
            f"{verdict}. That is recorded, but not yet so in {reasons}. The next look, or 'retrainer deploy', goes on."
        )
    return verdict


def _look(
    store: str, settings: RolloutSettings, actor: str, clock: Callable[[], datetime]
) -> tuple[Rollout, tuple[str, ...]]:
    records = RolloutRecords(store)
    for _ in range(_MOST_RACES):
        newest = records.newest()
        rollout = newest.rollout
        assert rollout is not None
        if not rollout.in_stage:
            return rollout, ()
        decision, changed = look_at(rollout, settings, actor, clock())
        if not changed:
            return rollout, decision.waiting
        if written := records.write(decision.rollout, newest):
            assert written.rollout is not None
            return written.rollout, decision.waiting
    raise RetrainerError("others write the rollout's state all the time. Run the same again.")


def look_at(
    rollout: Rollout, settings: RolloutSettings, actor: str, now: datetime
) -> tuple[Decision, bool]:
    """Read what is new of a rollout, and decide.

    Args:
        rollout: A rollout in a stage.
        settings: The section `serving.rollout`.
        actor: Who looks.
        now: The time.

    Returns:
        The decision, with what was observed in the rollout's progress; and whether there is anything to record.
    """
    before = Progress(**rollout.progress)
    progress, notes = _observe(rollout, before, settings)
    share = settings.alpha / max(1, len(settings.guards))
    states = {name: GuardState.of(guard) for name, guard in progress.guards.items()}
    readings = [
        GuardReading(
            name,
            is_violated(state, share),
            state.stage_rows,
            int(state.settings.get("min_rows", 1)),
            describe(name, state),
        )
        for name, state in states.items()
    ]
    found = Look(progress.requests, progress.newest, readings)
    decision = decide(rollout, settings, found, actor, now)
    kept = replace(decision.rollout, progress=vars(progress))
    waiting = (*decision.waiting, *notes) if decision.waiting else ()
    changed = decision.rollout is not rollout or progress != before
    return Decision(kept, waiting), changed


def _observe(
    rollout: Rollout, before: Progress, settings: RolloutSettings
) -> tuple[Progress, list[str]]:
    began = datetime.fromisoformat(rollout.changes[0].at)
    stages = [datetime.fromisoformat(change.at).timestamp() for change in rollout.changes]
    columns = metric_columns(settings)
    observed = read_observations(
        Reading(settings.observations, began, before.seen, columns), rollout.stable, rollout.canary
    )
    labels_seen, labelled, unreadable = before.labels_seen, None, dict(observed.unreadable)
    # Its section of retrain.yaml has labels, too, then.
    if "metric" in settings.guards:
        label = settings.guards["metric"]["label"]
        names = tuple(dict.fromkeys((*settings.label_key, label)))
        labels = read_labels(
            Reading(settings.labels, began, before.labels_seen, names, settings.label_key)
        )
        labels_seen, labelled = labels.seen, join_labels(observed, labels, settings.label_key)
        unreadable |= labels.unreadable
    rows = observed.rows[observed.rows["_new"]]
    requests = requests_of(observed.rows)
    by_kind = {REQUESTS: requests, LABELLED: labelled, "rows": rows}
    guards = {}
    for name, of in settings.guards.items():
        state = GuardState.of(before.guards[name]) if name in before.guards else None
        if state is None or dict(state.settings) != dict(of):
            state = GuardState(dict(of))
        found = by_kind[GUARDS[name].of]
        guards[name] = look(name, state, rows if found is None else found, stages).content()
    stage = len(stages)
    canary = requests[requests["arm"] == 1]
    counted = int((canary["time"] >= stages[-1]).sum())
    earlier = before.requests if before.stage == stage else 0
    newest = before.newest
    if len(canary):
        newest = max(newest, to_text(datetime.fromtimestamp(float(canary["time"].max()), UTC)))
    progress = Progress(observed.seen, labels_seen, stage, earlier + counted, newest, guards)
    notes = [f"'{file}' can't be read yet: {why}" for file, why in unreadable.items()]
    if not observed.seen and not observed.unreadable:
        notes.append(f"'{settings.observations}' matches no file with rows of this rollout's time")
    notes += [
        f"{plural(observed.left_out[why], 'new row')} {why} left out"
        for why in (WITHOUT_TIME, WITHOUT_REQUEST)
        if why in observed.left_out
    ]
    return progress, notes


def join_labels(observed: Observations, labels: Observations, key: tuple[str, ...]) -> pd.DataFrame:
    """Join rows with their labels; only pairs of which one is new.

    Args:
        observed: Rows of both versions.
        labels: Labels.
        key: Columns that both have.
    """
    named = list(key)
    right = labels.rows.rename(columns={"_new": "_new_label"})
    right = right.dropna()
    right = right.assign(**{name: key_text(right[name]) for name in key}).drop_duplicates(named)
    left = observed.rows.assign(**{name: key_text(observed.rows[name]) for name in key})
    joined = left.merge(right, on=named, suffixes=("", "_label"))
    fresh = joined["_new"].astype(bool) | joined["_new_label"].astype(bool)
    return joined[fresh].sort_values("time", kind="stable").reset_index(drop=True)


def metric_columns(settings: RolloutSettings) -> tuple[str, ...]:
    """Name the columns that guards need beside those of every table of predictions."""
    guards = settings.guards
    names = [guards["prediction_drift"]["column"]] if "prediction_drift" in guards else []
    if "metric" in guards:
        names += [guards["metric"]["prediction"], *settings.label_key]
    own = ("request_id", "row", "occurred_at", "model_version", "variant", "status", "sample_rate")
    return tuple(one for one in dict.fromkeys(names) if one not in (*own, "latency_ms"))


def _verdict(rollout: Rollout, waiting: tuple[str, ...]) -> str:
    words = rollout.describe()
    if waiting:
        return f"{words}; waiting: {'; '.join(waiting)}"
    return f"{words}: {rollout.changes[-1].reason}"
