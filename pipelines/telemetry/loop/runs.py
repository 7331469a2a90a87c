"""Metrics of runs: the last outcome of each pipeline, refusals by reason, seconds of tasks."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric

from ....components.lib.run_traces import (
    DONE_OUTCOMES,
    MONITOR,
    PREDICT,
    PUSH,
    WATCH,
    Outcome,
    RunTrace,
    list_traces,
)
from ...project.pipelines import (
    CONTINUOUS_TRAINING,
    MONITORING,
    PIPELINES,
    PREDICT_BATCH,
    WATCH_ROLLOUT,
)
from ...runs.record_store import list_runs
from ...runs.records import RunRecord, RunState
from ...runs.remote_lookup import is_local
from .families import gauge, one_of, timestamp

_REASONS = ("not_blessed", "not_serving", "held", "older")
# Of releases that noted no reason, and of later ones with reasons of their own.
_OTHER = "other"
_OF_PIPELINE = {
    PREDICT: PREDICT_BATCH,
    WATCH: WATCH_ROLLOUT,
    MONITOR: MONITORING,
    "ingest_predictions": MONITORING,
    "join_labels": MONITORING,
}
# States of a run on this machine whose tasks can't say what became of it.
_ENDED_BADLY = (RunState.FAILED, RunState.INTERRUPTED, RunState.DIED, RunState.UNREADABLE)


@dataclass(frozen=True)
class _Run:
    pipeline: str
    outcome: Outcome
    started: str
    seconds: Mapping[str, float]
    reasons: tuple[str, ...]


def run_metrics(store: str) -> Iterator[Metric]:
    """Yield the metrics of the runs that the store knows, on whatever target they ran.

    Args:
        store: URI of the store.
    """
    records = {record.run_id: record for record in list_runs(store)}
    traces = list_traces(store)
    runs = [_read(trace, records.get(trace.key.name)) for trace in traces]
    traced = {trace.key.name for trace in traces if is_local(trace)}
    runs += [_of_record(one) for name, one in records.items() if name not in traced]
    runs.sort(key=lambda run: run.started)
    yield from _outcomes(runs)
    yield _refusals(runs)
    yield _seconds(runs)


def _outcomes(runs: Iterable[_Run]) -> Iterator[Metric]:
    last = {run.pipeline: run for run in runs if run.outcome != Outcome.OPEN}
    done = {run.pipeline: run for run in runs if run.outcome in DONE_OUTCOMES}
    counts = Counter((run.pipeline, str(run.outcome)) for run in runs)
    yield gauge(
        "last_run_timestamp_seconds",
        "When the last run that has ended was started.",
        ("pipeline",),
        [((name,), moment) for name, run in last.items() if (moment := timestamp(run.started))],
    )
    yield gauge(
        "last_done_run_timestamp_seconds",
        "When the last run that came to its end, whatever it decided, was started.",
        ("pipeline",),
        [((name,), moment) for name, run in done.items() if (moment := timestamp(run.started))],
    )
    yield gauge(
        "last_run_outcome",
        "1 for the outcome of the last run that has ended.",
        ("pipeline", "outcome"),
        [
            ((name, outcome), value)
            for name, run in last.items()
            for outcome, value in one_of(map(str, Outcome), str(run.outcome)).items()
        ],
    )
    yield gauge(
        "runs",
        "Runs that the store knows, by outcome.",
        ("pipeline", "outcome"),
        [(labels, count) for labels, count in sorted(counts.items())],
    )


def _refusals(runs: Iterable[_Run]) -> Metric:
    counts = Counter(reason for run in runs for reason in run.reasons)
    return gauge(
        "refusals",
        "Runs whose model was refused, by reason; a run may have several.",
        ("reason",),
        [((reason,), counts[reason]) for reason in (*_REASONS, _OTHER)],
    )


def _seconds(runs: Iterable[_Run]) -> Metric:
    # A task that a later run skipped keeps the time that it took last.
    last = {(run.pipeline, task): seconds for run in runs for task, seconds in run.seconds.items()}
    return gauge(
        "task_seconds",
        "Seconds that a task took when it ran last.",
        ("pipeline", "task"),
        sorted(last.items()),
    )


def _read(trace: RunTrace, record: RunRecord | None) -> _Run:
    if record and is_local(trace):
        found = _of_record(record)
        names = trace.tasks
        outcome = trace.outcome if trace.outcome != Outcome.OPEN else found.outcome
        return _Run(found.pipeline, outcome, found.started, found.seconds, _reasons(trace))
    names = trace.tasks
    seconds = {
        name: took
        for name, task in names.items()
        if (took := _between(task.started, task.ended)) is not None
    }
    return _Run(_pipeline(names), trace.outcome, trace.started, seconds, _reasons(trace))


def _of_record(record: RunRecord) -> _Run:
    tasks = {name.replace("-", "_"): task for name, task in record.tasks.items()}
    seconds = {
        name: task.seconds
        for name, task in tasks.items()
        # What was taken from an earlier run took no time.
        if task.seconds is not None and not task.reused_from
    }
    outcome = Outcome.FAILED if record.state in _ENDED_BADLY else Outcome.OPEN
    return _Run(_pipeline(tasks), outcome, record.started, seconds, ())


def _pipeline(tasks: Iterable[str]) -> str:
    names = [_OF_PIPELINE[task] for task in tasks if task in _OF_PIPELINE]
    return next((name for name in PIPELINES if name in names), CONTINUOUS_TRAINING)


def _reasons(trace: RunTrace) -> tuple[str, ...]:
    if trace.outcome != Outcome.REFUSED:
        return ()
    noted = trace.noted(PUSH, "reasons")
    found = [one if one in _REASONS else _OTHER for one in noted] if noted else [_OTHER]
    return tuple(dict.fromkeys(found))


def _between(started: str, ended: str) -> float | None:
    first, last = timestamp(started), timestamp(ended)
    return None if first is None or last is None else max(0.0, last - first)
