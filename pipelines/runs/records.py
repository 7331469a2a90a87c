"""Records of runs: what ran, on what, with what result."""

import dataclasses
import json
import os
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from ...components.lib.errors import RetrainerError
from ...components.lib.run_failures import check_moment
from ...components.lib.run_traces import list_folders
from ...components.lib.store import Store
from ...components.lib.uris import (
    create_exclusive,
    exists,
    filesystem,
    is_local,
    join,
    read_json,
    write_json,
)
from .heartbeat import SILENCE_SECONDS, last_heard
from .lock import find_holder

LOCK_NAME = ".lock"
LAST = "last"
_READERS = 16
# Of runs of before there was a heartbeat: their record changes with each task, and a task may take hours.
_LONGEST_SILENCE_SECONDS = 24 * 3600.0


class TaskState(StrEnum):
    """Where a task stands."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    CACHED = "cached"
    FAILED = "failed"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"


class RunState(StrEnum):
    """Where a run stands; `died` says that its process is gone and recorded no end."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    DIED = "died"
    UNREADABLE = "unreadable"


DONE = frozenset({TaskState.SUCCEEDED, TaskState.CACHED})
"""States of a task whose outputs can be used."""


@dataclass
class ArtifactRecord:
    """An artifact that a task took or gave.

    Attributes:
        type: Its KFP type, as `system.Dataset`.
        uri: Where it lies.
        digest: SHA-256 of its content in hexadecimal digits; empty if nothing was written there.
        metadata: What the task noted on it.
    """

    type: str
    uri: str
    digest: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class TaskRecord:
    """One task of a run.

    Attributes:
        name: Its name in the spec.
        title: Its name for people.
        state: Where it stands.
        started: When it was its turn, in ISO 8601, UTC.
        seconds: How long it took from then to the exit of its process.
        start_seconds: How much of that passed until its process was there; the first ones wait for the libraries.
        peak_memory: The most memory that its process had resident, in bytes.
        attempts: How often it was started.
        inputs: Input parameters by name.
        input_artifacts: Input artifacts by name.
        outputs: Output parameters by name.
        output_artifacts: Output artifacts by name.
        metrics: What its `system.Metrics` artifacts say.
        reports: Its HTML and Markdown outputs, copied into the run's folder.
        log: Where its output went.
        error: Why it failed, in a few lines.
        log_tail: The log's last lines, where the error does not speak for itself.
        key: Digest of its code and inputs.
        reused_from: The run whose outputs it took, if it did not run itself.
    """

    name: str
    title: str = ""
    state: TaskState = TaskState.PENDING
    started: str | None = None
    seconds: float | None = None
    start_seconds: float | None = None
    peak_memory: int | None = None
    attempts: int = 0
    inputs: dict[str, Any] = field(default_factory=dict)
    input_artifacts: dict[str, ArtifactRecord] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    output_artifacts: dict[str, ArtifactRecord] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    reports: list[str] = field(default_factory=list)
    log: str | None = None
    error: str | None = None
    log_tail: list[str] = field(default_factory=list)
    key: str | None = None
    reused_from: str | None = None

    @property
    def verdict(self) -> str:
        """The task's own sentence on its result, or why there is none."""
        if self.error:
            return self.error
        verdict = self.outputs.get("verdict")
        return verdict if isinstance(verdict, str) else ""

    @property
    def warnings(self) -> list[str]:
        """What the task warns of, a line each: its output parameter `warnings`."""
        warnings = self.outputs.get("warnings")
        return [str(one) for one in warnings] if isinstance(warnings, list) else []


@dataclass
class RunRecord:
    """One run of a pipeline.

    Attributes:
        run_id: Its name, unique in the store.
        pipeline: The pipeline's name.
        store: URI of the store.
        state: Where it stands.
        started: When, in ISO 8601, UTC; a resumed run keeps the time of its first attempt.
        resumed: When it was resumed, each time.
        seconds: How long it took, all attempts together.
        parameters: The pipeline's parameters, defaults included.
        outputs: The pipeline's output parameters.
        tasks: Its tasks by name, each after those that it needs.
        error: Why it failed, in a few lines.
        spec_digest: SHA-256 of the compiled spec.
        pipeline_root: Local folder of its artifacts.
        pid: Process that runs or ran it.
        host: Machine of that process.
        uid: What distinguishes it from every other run, of any store; empty in records of before there was one.
        beats: Whether it gives signs of life, see `runners.heartbeat`.
    """

    run_id: str
    pipeline: str
    store: str
    state: RunState = RunState.RUNNING
    started: str = ""
    resumed: list[str] = field(default_factory=list)
    seconds: float | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    tasks: dict[str, TaskRecord] = field(default_factory=dict)
    error: str | None = None
    spec_digest: str = ""
    pipeline_root: str = ""
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)
    uid: str = ""
    beats: bool = False

    @property
    def uri(self) -> str:
        """The run's folder in the store."""
        return join(Store(self.store).runs_uri, self.run_id)

    @property
    def record_uri(self) -> str:
        """Where the record itself is."""
        return Store(self.store).run_record_uri(self.run_id)

    def locate(self, path: str) -> str:
        """Give the place of a log or report, which is named relative to the run's folder."""
        return path if os.path.isabs(path) else join(self.uri, path)

    @property
    def seconds_spent(self) -> float:
        """How long its attempts took until now, in seconds; of one that died, until its last task ended."""
        if self.seconds is not None or not self.started:
            return self.seconds or 0.0
        begin = datetime.fromisoformat(self.started)
        return max(
            (
                (datetime.fromisoformat(task.started) - begin).total_seconds() + (task.seconds or 0)
                for task in self.tasks.values()
                if task.started
            ),
            default=0.0,
        )

    @property
    def failed_tasks(self) -> list[TaskRecord]:
        """The tasks that failed, in the order of the spec."""
        return [task for task in self.tasks.values() if task.state == TaskState.FAILED]


def now() -> str:
    """Give the time as records write it: ISO 8601, UTC, whole milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def lock_path(store: str, pipeline_root: str) -> str:
    """Give the place of the lock that one run at a time holds.

    Args:
        store: URI of the store. A local one is locked itself.
        pipeline_root: Local folder, which is locked where the store is a bucket.

    Returns:
        A local path.
    """
    if is_local(store):
        return os.path.join(filesystem(Store(store).runs_uri)[1], LOCK_NAME)
    return os.path.join(os.path.abspath(pipeline_root), LOCK_NAME)


def save_run(record: RunRecord) -> None:
    """Write a record to its place in the store, atomically.

    Raises:
        OSError: If the disk is full or refuses; the former record still stands then.
    """
    write_json(record.record_uri, _to_json(record))


def create_run(record: RunRecord) -> bool:
    """Write the first record of a run, unless a run of that name has one, on this or another machine.

    Args:
        record: The record; its `uid` distinguishes it from others.

    Returns:
        Whether the name is this run's now.

    Raises:
        OSError: If the disk is full or refuses.
    """
    uri = record.record_uri
    text = json.dumps(_to_json(record), indent=2, ensure_ascii=False) + "\n"
    # A request whose reply was lost is sent again, and finds what it wrote itself.
    return create_exclusive(uri, text) or bool(read_json(uri).get("uid") == record.uid)


def _to_json(record: RunRecord) -> dict[str, Any]:
    content = dataclasses.asdict(record)
    # Said by where the record lies, and wrong as soon as the store has moved.
    del content["store"]
    return content


def run_exists(store: str, run_id: str) -> bool:
    """Tell whether a run of that name was ever started on the store."""
    return exists(Store(store).run_record_uri(run_id))


def load_run(store: str, run_id: str) -> RunRecord:
    """Read the record of a run.

    Args:
        store: URI of the store.
        run_id: The run.

    Returns:
        The record. If it says `running` and the process is gone, the state is `died`.

    Raises:
        RetrainerError: If there is no such run, or its record is damaged.
    """
    record = _read(store, run_id)
    if record is None:
        known = ", ".join(f"'{record.run_id}'" for record in list_runs(store)[:3]) or "none"
        raise RetrainerError(f"there is no run '{run_id}' in '{store}'; the newest are: {known}.")
    return record


def list_runs(store: str) -> list[RunRecord]:
    """Read the records of all runs on this and other machines that run without a service.

    Args:
        store: URI of the store.

    Returns:
        The records, newest first. A damaged one is listed last with the state `unreadable`; a
        folder without a record is none of them.
    """

    def read(run_id: str) -> RunRecord | None:
        try:
            return _read(store, run_id)
        except RetrainerError as error:
            return RunRecord(run_id, "", store, RunState.UNREADABLE, error=str(error))

    # On a bucket each record costs a round trip, and they can wait together.
    with ThreadPoolExecutor(_READERS) as pool:
        records = [record for record in pool.map(read, list_folders(store)) if record]
    return sorted(records, key=lambda record: (record.started, record.run_id), reverse=True)


def _read(store: str, run_id: str) -> RunRecord | None:
    uri = Store(store).run_record_uri(run_id)
    try:
        record = _from_json(store, read_json(uri))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RetrainerError(
            f"'{uri}' is not a record that retrainer wrote ({error}). "
            "Restore it, or delete its folder."
        ) from error
    if record.state == RunState.RUNNING and not _alive(record):
        _mark_dead(record)
    return record


def _alive(record: RunRecord) -> bool:
    if not is_local(record.store) and record.host != socket.gethostname():
        silence = datetime.now(UTC) - last_heard(record.uri, record.record_uri)
        most = SILENCE_SECONDS if record.beats else _LONGEST_SILENCE_SECONDS
        return silence.total_seconds() < most
    holder = find_holder(lock_path(record.store, record.pipeline_root))
    return holder is not None and (holder.run_id, holder.pid) == (record.run_id, record.pid)


def _mark_dead(record: RunRecord) -> None:
    record.state = RunState.DIED
    record.error = (
        f"process {record.pid} on {record.host} ended without recording how. Resume the run: retrainer run --resume "
        f"{record.run_id}"
    )
    for task in record.tasks.values():
        if task.state == TaskState.RUNNING:
            task.state = TaskState.INTERRUPTED


def _known(kind: type, content: Mapping[str, Any]) -> dict[str, Any]:
    names = {entry.name for entry in dataclasses.fields(kind)}
    return {name: value for name, value in content.items() if name in names}


def _artifacts(content: Mapping[str, Any]) -> dict[str, ArtifactRecord]:
    return {
        name: ArtifactRecord(**_known(ArtifactRecord, value)) for name, value in content.items()
    }


def _task_from_json(content: Mapping[str, Any]) -> TaskRecord:
    task = TaskRecord(**_known(TaskRecord, content))
    task.state = TaskState(task.state)
    check_moment(task.started)
    task.input_artifacts = _artifacts(content.get("input_artifacts", {}))
    task.output_artifacts = _artifacts(content.get("output_artifacts", {}))
    return task


def _from_json(store: str, content: Mapping[str, Any]) -> RunRecord:
    record = RunRecord(**{**_known(RunRecord, content), "store": store})
    record.state = RunState(record.state)
    for moment in (record.started, *record.resumed):
        check_moment(moment)
    record.tasks = {name: _task_from_json(task) for name, task in content.get("tasks", {}).items()}
    return record


def find_run(store: str, run_id: str) -> RunRecord:
    """Look a run's record up.

    Args:
        store: URI of the store.
        run_id: The run's name, or `last` for the newest.

    Returns:
        The record.

    Raises:
        RetrainerError: If there is none.
    """
    if run_id != LAST:
        return load_run(store, run_id)
    records = [record for record in list_runs(store) if record.state != RunState.UNREADABLE]
    if not records:
        raise RetrainerError(f"there are no runs in '{store}' yet.")
    return records[0]
