"""Reading what is noted in the store of runs, on whatever target they ran (see `run_records`)."""

import logging
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from ..errors import RetrainerError
from ..store import Store
from ..uris import join, list_names, read_json
from .run_failures import Failure, check_moment, failures_of, read_failures
from .run_records import FORMAT, SUBMISSION, RunKey, TaskRecord, TaskState

INGEST, CHAMPION, VALIDATE, PUSH = (
    "ingest_spans",
    "resolve_champion",
    "validate_examples",
    "push_model",
)
DEPLOY, PREDICT, WATCH = "deploy_model", "predict_batch", "watch_rollout"
MONITOR = "monitor_model"
RECORDED = frozenset({INGEST, CHAMPION, VALIDATE, PUSH, PREDICT, MONITOR})
"""Tasks that keep records, since they are never cached, and whose own errors are rules that stop a run.

`deploy_model` and `watch_rollout` keep one, too; what they can't deploy is a failure.
"""
_FILE = re.compile(r"(?P<task>[a-z_]+)\.(?P<key>[0-9a-f]{12})\.json")
_READERS = 16
_log = logging.getLogger("retrainer.run_traces")


class Outcome(StrEnum):
    """What became of a run, as far as its tasks know.

    `stopped`: a rule of ours stopped it (bad data, an older span), and its sentence says what to do. `failed`:
    something else went wrong in a task. `open`: it runs, or was ended before it could note anything.
    """

    PUSHED = "pushed"
    PENDING = "pending"
    REFUSED = "refused"
    UNCHANGED = "unchanged"
    PREDICTED = "predicted"
    ROLLED_BACK = "rolled_back"
    WATCHED = "watched"
    MONITORED = "monitored"
    STOPPED = "stopped"
    FAILED = "failed"
    OPEN = "open"


DONE_OUTCOMES = frozenset(
    {
        Outcome.PUSHED,
        Outcome.PENDING,
        Outcome.REFUSED,
        Outcome.UNCHANGED,
        Outcome.PREDICTED,
        Outcome.ROLLED_BACK,
        Outcome.WATCHED,
        Outcome.MONITORED,
    }
)
"""Outcomes of a run that came to its end."""


@dataclass(frozen=True)
class RunTrace:
    """What is noted in the store of one run.

    Attributes:
        key: Which run.
        tasks: What its tasks noted, by component; of those that keep no record, the one that failed last.
        submission: What was noted by whoever submitted it; empty where nobody did, as for runs of a schedule.
    """

    key: RunKey
    tasks: Mapping[str, TaskRecord]
    submission: Mapping[str, Any] = field(default_factory=dict)

    @property
    def started(self) -> str:
        """When it was submitted, or else when its first task began, in ISO 8601, UTC; empty if unknown."""
        moments = [str(self.submission.get("created_at") or ""), *(t.started for t in self._all)]
        return min((moment for moment in moments if moment), default="")

    @property
    def ended(self) -> str:
        """When the last of its tasks that keep records ended; empty while one runs."""
        if any(not task.ended for task in self._all):
            return ""
        return max((task.ended for task in self._all), default="")

    @property
    def outcome(self) -> Outcome:
        """What became of it, as far as its tasks know."""
        if self.failed:
            rule = self.failed.known and self.failed.task in RECORDED
            return Outcome.STOPPED if rule else Outcome.FAILED
        predicted = self.tasks.get(PREDICT)
        if predicted and predicted.state == TaskState.SUCCEEDED:
            return Outcome.PREDICTED
        watched = self.tasks.get(WATCH)
        if watched and watched.state == TaskState.SUCCEEDED:
            return Outcome.ROLLED_BACK if watched.notes.get("rolled_back") else Outcome.WATCHED
        monitored = self.tasks.get(MONITOR)
        if monitored and monitored.state == TaskState.SUCCEEDED:
            return Outcome.MONITORED
        push = self.tasks.get(PUSH)
        if push is None or push.state != TaskState.SUCCEEDED:
            return Outcome.OPEN
        noted = str(push.notes.get("outcome"))
        # None if its model is judged again; another word is a later release's.
        return Outcome(noted) if noted in DONE_OUTCOMES else Outcome.OPEN

    @property
    def sentence(self) -> str:
        """What there is to say of the outcome: the last task's verdict, or where and why a task stopped."""
        if self.failed and self.failed.task == DEPLOY and self.failed.known:
            # It says by itself that the push succeeded.
            return self.failed.error
        if self.failed:
            return f"stopped at {self.failed.task}: {self.failed.error}"
        last = (PUSH, PREDICT, WATCH, MONITOR)
        return next((self.tasks[one].verdict for one in last if one in self.tasks), "")

    @property
    def failed(self) -> TaskRecord | None:
        """The task that failed; None if none did."""
        return next((task for task in self._all if task.state == TaskState.FAILED), None)

    @property
    def spans(self) -> dict[str, str] | None:
        """The version of each span that it used; None if that is not known (yet)."""
        spans = self.noted(INGEST, "spans")
        return dict(spans) if isinstance(spans, Mapping) else None

    def noted(self, task: str, name: str) -> Any:
        """Look up what a task noted; None if it did not."""
        record = self.tasks.get(task)
        return record.notes.get(name) if record else None

    @property
    def _all(self) -> list[TaskRecord]:
        return sorted(self.tasks.values(), key=lambda task: (task.started, task.task))


def read_run(store: str, key: RunKey) -> RunTrace | None:
    """Read what is noted of one run.

    Args:
        store: URI of the store.
        key: The run.

    Returns:
        What is noted; None if nothing is.
    """
    traces = [trace for trace in _read_traces(store, key.folder) if trace.key.digest == key.digest]
    return _with_failures(store, traces)[0] if traces else None


def read_traces(store: str, folder: str) -> list[RunTrace]:
    """Read what is noted of the runs of one name.

    Args:
        store: URI of the store.
        folder: The runs' folder, `RunKey.folder`.

    Returns:
        Most often none or one; several where a service lets runs share a name. A damaged file is left out with a
        warning in the log: one that was written by hand must not hide the others.
    """
    return _with_failures(store, _read_traces(store, folder))


def _read_traces(store: str, folder: str) -> list[RunTrace]:
    uri = Store(store).run_tasks_uri(folder)
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for name in list_names(uri):
        match = _FILE.fullmatch(name)
        content = _read(join(uri, name)) if match else None
        if match and content:
            found.setdefault(match["key"], []).append((match["task"], content))
    return [_to_trace(files) for files in found.values()]


def list_folders(store: str) -> list[str]:
    """List the folders of runs in a store, whatever they hold."""
    return list_names(Store(store).runs_uri)


def list_traces(store: str, folders: Sequence[str] | None = None) -> list[RunTrace]:
    """Read what is noted of all runs in a store.

    Args:
        store: URI of the store.
        folders: Only the runs in these folders of `list_folders`; all if None.

    Returns:
        A trace for each run of which anything is noted, in no order.
    """
    # On a bucket each folder costs a few round trips, which can wait for each other.
    with ThreadPoolExecutor(_READERS) as pool:
        names = list_folders(store) if folders is None else folders
        found = pool.map(lambda folder: _read_traces(store, folder), names)
        traces = [trace for traces in found for trace in traces]
    return _with_failures(store, traces)


def _with_failures(store: str, traces: list[RunTrace]) -> list[RunTrace]:
    """Add to runs that came to no end the last failure of a task that keeps no record of its own."""
    opened = [trace.started for trace in traces if trace.outcome == Outcome.OPEN]
    if not opened:
        return traces
    failures = read_failures(store, min(opened))
    return [_with_failure(trace, failures_of(failures, trace.key.job)) for trace in traces]


def _with_failure(trace: RunTrace, failures: list[Failure]) -> RunTrace:
    # One that came as far as push_model had tried the task again.
    if not failures or trace.outcome != Outcome.OPEN or PUSH in trace.tasks:
        return trace
    last = failures[-1]
    record = TaskRecord(
        last.task,
        TaskState.FAILED,
        started=last.at,
        ended=last.at,
        error=last.error,
        known=last.known,
    )
    return replace(trace, tasks={**trace.tasks, last.task: record})


def _to_trace(files: list[tuple[str, dict[str, Any]]]) -> RunTrace:
    first = files[0][1]
    tasks = {task: _to_record(task, content) for task, content in files if task != SUBMISSION}
    submission = next((content for task, content in files if task == SUBMISSION), {})
    return RunTrace(RunKey(str(first["run"]), str(first["job"])), tasks, submission)


def _to_record(task: str, content: Mapping[str, Any]) -> TaskRecord:
    notes = content.get("notes")
    return TaskRecord(
        task,
        TaskState(content["state"]),
        notes=dict(notes) if isinstance(notes, Mapping) else {},
        known=bool(content.get("known")),
        **{name: str(content.get(name) or "") for name in ("started", "ended", "verdict", "error")},
    )


def _read(uri: str) -> dict[str, Any] | None:
    try:
        content = read_json(uri)
        if content["format"] != FORMAT or not content["run"] or not content["job"]:
            raise ValueError(f"its format is {content['format']}, and {FORMAT} is known here")
        is_task = not uri.rpartition("/")[2].startswith(f"{SUBMISSION}.")
        TaskState(content["state"] if is_task else TaskState.RUNNING)
        for name in ("started", "ended", "created_at"):
            check_moment(content.get(name))
        for name in ("place", "parameters", "labels", "notes"):
            if not isinstance(content.get(name) or {}, Mapping):
                raise ValueError(f"its {name} are {content[name]!r}")
    except FileNotFoundError:
        return None
    except (RetrainerError, KeyError, TypeError, ValueError) as error:
        _log.warning("'%s' is no record that retrainer wrote, and is left out: %s", uri, error)
        return None
    return dict(content)
