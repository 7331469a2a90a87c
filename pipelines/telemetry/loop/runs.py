"""Metrics of runs: the last outcome of each pipeline, refusals by reason, seconds of tasks."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from prometheus_client.metrics_core import Metric

from ....components.lib.runs.run_traces import (
    DONE_OUTCOMES,
    MONITOR,
    PREDICT,
    PUSH,
    WATCH,
    Outcome,
    RunTrace,
    list_folders,
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

_REASONS = ("not_blessed", "not_serving", "not_approved", "held", "older")
# Of releases that noted no reason, and of later ones with reasons of their own.
_OTHER = "other"
_OF_PIPELINE = {
    PREDICT: PREDICT_BATCH,
    WATCH: WATCH_ROLLOUT,
    MONITOR: MONITORING,
    "ingest_predictions": MONITORING,
    "join_labels": MONITORING,
}
# States of a run on this machine whose tasks may have recorded no end.
_ENDED_BADLY = (RunState.FAILED, RunState.INTERRUPTED, RunState.DIED, RunState.UNREADABLE)


# A run that ended so long ago is not resumed any more, as a rule.
_RESUMED_SECONDS = 86_400.0
# A run that noted no end in so long has none.
_SILENT_SECONDS = 7 * 86_400.0
_FORGET_SECONDS = 86_400.0


@dataclass(frozen=True)
class _Run:
    folder: str
    pipeline: str
    outcome: Outcome
    started: str
    seconds: Mapping[str, float]
    reasons: tuple[str, ...]

    def is_settled(self, now: float) -> bool:
        """Whether its record will not change, as a rule."""
        age = now - (timestamp(self.started) or now)
        return age > (_SILENT_SECONDS if self.outcome == Outcome.OPEN else _RESUMED_SECONDS)


class RunHistory:
    """The runs that the store knows; runs that ended long ago are read once a day, since a bucket bills each read."""

    def __init__(self, store: str) -> None:
        """Take the store's URI."""
        self._store = store
        self._settled: dict[str, list[_Run]] = {}
        self._forget_at = 0.0

    def metrics(self) -> Iterator[Metric]:
        """Yield the metrics of the runs, on whatever target they ran."""
        runs = sorted(self._read(), key=lambda run: run.started)
        yield from _outcomes(runs)
        yield _refusals(runs)
        yield _seconds(runs)

    def _read(self) -> list[_Run]:
        now = time.time()
        if now >= self._forget_at:
            self._settled, self._forget_at = {}, now + _FORGET_SECONDS
        folders = list_folders(self._store)
        self._settled = {one: self._settled[one] for one in folders if one in self._settled}
        fresh: dict[str, list[_Run]] = {one: [] for one in folders if one not in self._settled}
        for run in _read_runs(self._store, list(fresh)):
            fresh.setdefault(run.folder, []).append(run)
        for folder, runs in fresh.items():
            if runs and all(run.is_settled(now) for run in runs):
                self._settled[folder] = runs
        found = {**self._settled, **fresh}
        return [run for runs in found.values() for run in runs]


def _read_runs(store: str, folders: Sequence[str]) -> list[_Run]:
    records = {record.run_id: record for record in list_runs(store, folders)}
    traces = list_traces(store, folders)
    runs = [_of_trace(trace, records.get(trace.key.name)) for trace in traces]
    traced = {trace.key.name for trace in traces if is_local(trace)}
    return runs + [_of_record(one) for name, one in records.items() if name not in traced]


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


def _of_trace(trace: RunTrace, record: RunRecord | None) -> _Run:
    if record and is_local(trace):
        found = _of_record(record)
        outcome = trace.outcome if trace.outcome != Outcome.OPEN else found.outcome
        return replace(found, outcome=outcome, reasons=_reasons(trace))
    names = trace.tasks
    seconds = {
        name: took
        for name, task in names.items()
        if (took := _between(task.started, task.ended)) is not None
    }
    pipeline, folder = _pipeline(names), trace.key.folder
    return _Run(folder, pipeline, trace.outcome, trace.started, seconds, _reasons(trace))


def _of_record(record: RunRecord) -> _Run:
    tasks = {name.replace("-", "_"): task for name, task in record.tasks.items()}
    seconds = {
        name: task.seconds
        for name, task in tasks.items()
        # What was taken from an earlier run took no time.
        if task.seconds is not None and not task.reused_from
    }
    outcome = Outcome.FAILED if record.state in _ENDED_BADLY else Outcome.OPEN
    return _Run(record.run_id, _pipeline(tasks), outcome, record.started, seconds, ())


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
