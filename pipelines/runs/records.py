"""Records of runs: what ran, on what, with what result."""

import os
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from ...components.lib.store import Store
from ...components.lib.uris import join


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
        uid: What distinguishes it from every other run, of any store; empty in records of older releases.
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
        """Return the path of a log or report, which is named relative to the run's folder."""
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
    """Return the time as records write it: ISO 8601, UTC, whole milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
