"""One run: which task is next, what it gets, and what became of it."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...components.lib.errors import RetrainerError
from ...components.lib.files import is_local, write_atomic
from ...components.lib.progress import PROGRESS_FILE_VARIABLE
from ..runs import DONE, ArtifactRecord, RunRecord, RunState, TaskRecord, TaskState, now, save_run
from . import caching
from .observer import Progress, RunObserver
from .processes import Exit, TaskProcesses, tail_lines
from .spec import Pipeline, Task
from .values import task_parameters

POLL_SECONDS = 0.1
TAIL_LINES = 15
REPORT_SUFFIXES = {"system.HTML": ".html", "system.Markdown": ".md"}


@dataclass
class _Running:
    task: Task
    executor_input: dict[str, Any]
    scratch: str
    log: str
    since: float | None = None
    progress_written: int = 0
    log_read: int = 0


@dataclass
class RunSettings:
    """How a run is made.

    Attributes:
        pipeline_root: Local folder of artifacts and the cache.
        workers: How many tasks run at once, at the most.
        caching: Whether earlier results of tasks that allow it are used.
        earlier: The record of an earlier attempt at the same run, to take over what it finished.
    """

    pipeline_root: str
    workers: int
    caching: bool
    earlier: RunRecord | None = None


@dataclass
class Run:
    """Runs a pipeline's tasks, and keeps the record.

    Attributes:
        pipeline: What to run.
        record: The run's record; it lists all tasks.
        settings: How.
        processes: Where tasks run.
        observer: Who watches.
        stop_signal: Set (by a signal handler) to have the run stopped.
    """

    pipeline: Pipeline
    record: RunRecord
    settings: RunSettings
    processes: TaskProcesses
    observer: RunObserver
    stop_signal: int | None = None
    _running: dict[str, _Running] = field(default_factory=dict)
    _ready: dict[str, float] = field(default_factory=dict)
    _code: str = ""
    _since: float = 0.0

    def execute(self) -> None:
        """Run to the end: of all tasks, or of those that can run where one fails.

        Raises:
            OSError: If the record or the cache can't be written; the tasks are ended then.
        """
        self._since = time.monotonic()
        self._code = caching.digest_code()
        save_run(self.record)
        self.observer.run_started(self.record)
        try:
            while self.stop_signal is None:
                self._settle()
                self._start_ready()
                if not self._running and not self._ready:
                    break
                exits = self.processes.poll(self._patience())
                for name in self.processes.started():
                    self._note_start(name)
                for exit_ in exits:
                    self._finish(exit_)
                self._watch()
        except BaseException:
            self._interrupt()
            # The disk that is full may be what brought us here; the record then says `running`, and
            # reads as died.
            with contextlib.suppress(OSError):
                save_run(self.record)
            with contextlib.suppress(OSError):
                self.observer.run_finished(self.record)
            raise
        if self.stop_signal is not None:
            self._interrupt()
        self._conclude()

    def _settle(self) -> None:
        """Decide on every task that waits for no other: ready, taken over, cached or skipped."""
        for task in self.pipeline.tasks.values():
            record = self.record.tasks[task.name]
            waits = task.name in self._ready or task.name in self._running
            if record.state != TaskState.PENDING or waits:
                continue
            states = {self.record.tasks[name].state for name in task.after}
            if states & {TaskState.FAILED, TaskState.SKIPPED}:
                self._close(record, TaskState.SKIPPED)
            elif states <= DONE:
                self._prepare(task, record)

    def _prepare(self, task: Task, record: TaskRecord) -> None:
        try:
            self._take_inputs(task, record)
        except RetrainerError as error:
            record.error = str(error)
            self._close(record, TaskState.FAILED)
            return
        record.key = caching.task_key(task, record.inputs, record.input_artifacts, self._code)
        if self.settings.earlier and caching.take_over(self.settings.earlier, record):
            self._close(record, record.state)
            return
        use_cache = task.caching and self.settings.caching
        record.started, since = now(), time.monotonic()
        if use_cache and caching.recall(self.settings.pipeline_root, record):
            record.seconds = _elapsed(since)
            self._keep_results(record)
            self._close(record, TaskState.CACHED)
            return
        record.started = None
        self._ready[task.name] = 0.0

    def _take_inputs(self, task: Task, record: TaskRecord) -> None:
        context = {
            "$.pipeline_job_name": self.record.run_id,
            "$.pipeline_job_resource_name": self.record.run_id,
            "$.pipeline_job_uuid": self.record.run_id,
            "$.pipeline_task_name": task.name,
            "$.pipeline_task_uuid": f"{self.record.run_id}-{task.name}",
            "$.pipeline_root": self.record.pipeline_root,
            "$.pipeline_job_create_time_utc": self.record.started,
            "$.pipeline_job_schedule_time_utc": self.record.started,
        }
        record.inputs = task_parameters(task, self.record.parameters, self.record.tasks, context)
        record.input_artifacts = {
            name: self.record.tasks[source.task].output_artifacts[source.output]
            for name, source in task.artifacts.items()
        }
        for name, declared in task.takes_artifacts.items():
            if name not in record.input_artifacts and not declared.optional:
                raise RetrainerError(f"task '{task.name}' has no artifact for its input '{name}'.")

    def _start_ready(self) -> None:
        for name, not_before in list(self._ready.items()):
            if len(self._running) >= self.settings.workers:
                return
            if time.monotonic() >= not_before:
                del self._ready[name]
                self._start(self.pipeline.tasks[name], self.record.tasks[name])

    def _start(self, task: Task, record: TaskRecord) -> None:
        root = os.path.join(self.record.pipeline_root, self.record.run_id, task.name)
        # What an attempt that failed has left there is nobody's output.
        shutil.rmtree(root, ignore_errors=True)
        os.makedirs(root)
        record.log = self._log_name(task.name)
        log = self.record.locate(record.log)
        os.makedirs(os.path.dirname(log), exist_ok=True)
        record.attempts += 1
        scratch = os.path.join(self.processes.scratch, f"{task.name}-{record.attempts}")
        os.makedirs(scratch, exist_ok=True)
        running = _Running(
            task=task,
            executor_input=_executor_input(task, record, root),
            scratch=scratch,
            log=log,
            log_read=os.path.getsize(log) if os.path.exists(log) else 0,
        )
        self._running[task.name] = running
        request = {
            "source": task.executor.source,
            "function": task.executor.function,
            "executor_input": running.executor_input,
            "output_types": {name: output.type for name, output in task.gives.items()},
            "scratch": scratch,
        }
        env = {
            **task.executor.env,
            "_KFP_RUNTIME": "true",
            PROGRESS_FILE_VARIABLE: os.path.join(scratch, "progress.json"),
        }
        # The first tasks do not wait until the libraries that only later ones need are loaded.
        self.processes.start(task.name, request, log, early=not task.after, extra_env=env)

    def _note_start(self, name: str) -> None:
        record = self.record.tasks[name]
        self._running[name].since = time.monotonic()
        record.state, record.error, record.log_tail = TaskState.RUNNING, None, []
        record.started = now()
        save_run(self.record)
        self.observer.task_started(self.record, record)

    def _log_name(self, task: str) -> str:
        if is_local(self.record.store):
            return f"logs/{task}.log"
        return os.path.join(self.record.pipeline_root, self.record.run_id, "logs", f"{task}.log")

    def _finish(self, exit_: Exit) -> None:
        running = self._running.pop(exit_.task)
        record = self.record.tasks[exit_.task]
        self._follow(running, record)
        record.seconds = _elapsed(running.since)
        record.peak_memory = exit_.peak_memory
        if "error" in exit_.result:
            self._fail(running, record, exit_.result)
            return
        record.outputs = exit_.result["outputs"]
        record.output_artifacts = {
            name: ArtifactRecord(**artifact) for name, artifact in exit_.result["artifacts"].items()
        }
        self._keep_results(record)
        if running.task.caching:
            caching.remember(self.settings.pipeline_root, self.record.run_id, record)
        self._close(record, TaskState.SUCCEEDED)

    def _fail(self, running: _Running, record: TaskRecord, result: Mapping[str, Any]) -> None:
        record.error = result["error"]
        if not result["known"]:
            record.log_tail = tail_lines(running.log, TAIL_LINES)
        retry = running.task.retry
        if record.attempts <= retry.count and self.stop_signal is None:
            wait = retry.wait(record.attempts)
            record.state = TaskState.PENDING
            self._ready[record.name] = time.monotonic() + wait
            self.observer.task_retrying(self.record, record, wait)
            save_run(self.record)
            return
        # A report that a judging task wrote before it failed says why it did.
        for name, artifact in running.executor_input["outputs"]["artifacts"].items():
            entry = artifact["artifacts"][0]
            self._keep_report(record, name, entry["type"]["schemaTitle"], entry["uri"])
        self._close(record, TaskState.FAILED)

    def _keep_results(self, record: TaskRecord) -> None:
        record.metrics, record.reports = {}, []
        for name, artifact in record.output_artifacts.items():
            if artifact.type == "system.Metrics":
                record.metrics.update(artifact.metadata)
            self._keep_report(record, name, artifact.type, artifact.uri)

    def _keep_report(self, record: TaskRecord, output: str, kind: str, uri: str) -> None:
        if kind not in REPORT_SUFFIXES or not os.path.isfile(uri):
            return
        stem = f"{record.name}-{output}" if record.reports else record.name
        name = f"reports/{stem}{REPORT_SUFFIXES[kind]}"
        write_atomic(self.record.locate(name), Path(uri).read_bytes())
        record.reports.append(name)

    def _close(self, record: TaskRecord, state: TaskState) -> None:
        record.state = state
        save_run(self.record)
        self.observer.task_finished(self.record, record)

    def _patience(self) -> float:
        """Give the seconds until something is due that no process tells of."""
        due = [not_before - time.monotonic() for not_before in self._ready.values() if not_before]
        return max(0.0, min([POLL_SECONDS, *due]))

    def _watch(self) -> None:
        if warming := self.processes.warming():
            self.observer.warming_up(warming)
        for name, running in self._running.items():
            record = self.record.tasks[name]
            self._follow(running, record)
            path = Path(running.scratch) / "progress.json"
            try:
                written = path.stat().st_mtime_ns
                if written == running.progress_written:
                    continue
                running.progress_written = written
                content = json.loads(path.read_text())
            except (FileNotFoundError, ValueError):
                # Not there yet, or not the JSON that it should be: shown when it is.
                continue
            if isinstance(content, dict):
                progress = Progress(
                    str(content.get("message", "")), content.get("done"), content.get("total")
                )
                self.observer.task_progress(self.record, record, progress)

    def _follow(self, running: _Running, record: TaskRecord) -> None:
        if not self.observer.follows_logs or not os.path.exists(running.log):
            return
        with open(running.log, "rb") as file:
            file.seek(running.log_read)
            content = file.read()
        running.log_read += len(content)
        if content:
            self.observer.task_output(self.record, record, content.decode(errors="replace"))

    def _interrupt(self) -> None:
        """End what runs, and say in the record that it was ended."""
        exits = self.processes.stop_tasks()
        forked = set(self.processes.started())
        for exit_ in exits:
            if "error" not in exit_.result:
                # It was done before it heard that it should stop.
                with contextlib.suppress(OSError):
                    self._finish(exit_)
        for name, running in self._running.items():
            record = self.record.tasks[name]
            record.seconds = _elapsed(running.since)
            if running.since is not None or name in forked:
                record.state = TaskState.INTERRUPTED
        self._running, self._ready = {}, {}
        self.record.state = RunState.INTERRUPTED

    def _conclude(self) -> None:
        failed = self.record.failed_tasks
        if self.record.state == RunState.RUNNING:
            self.record.state = RunState.FAILED if failed else RunState.SUCCEEDED
        if failed:
            self.record.error = f"{failed[0].title}: {failed[0].error}"
        for name, source in self.pipeline.outputs.items():
            outputs = self.record.tasks[source.task].outputs
            if source.output in outputs:
                self.record.outputs[name] = outputs[source.output]
        self.record.seconds = _elapsed(self._since)
        save_run(self.record)
        self.observer.run_finished(self.record)


def new_record(
    pipeline: Pipeline, run_id: str, store: str, pipeline_root: str, parameters: dict[str, Any]
) -> RunRecord:
    """Make the record of a run that has not begun.

    Args:
        pipeline: What will run.
        run_id: The run's name.
        store: URI of the store.
        pipeline_root: Local folder of artifacts.
        parameters: The pipeline's parameters, defaults included.

    Returns:
        A record with every task pending.
    """
    return RunRecord(
        run_id=run_id,
        pipeline=pipeline.name,
        store=store,
        started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        parameters=parameters,
        tasks={
            name: TaskRecord(name=name, title=task.title) for name, task in pipeline.tasks.items()
        },
        spec_digest=pipeline.digest,
        pipeline_root=os.path.abspath(pipeline_root),
    )


def _elapsed(since: float | None) -> float | None:
    return None if since is None else round(time.monotonic() - since, 3)


def _executor_input(task: Task, record: TaskRecord, root: str) -> dict[str, Any]:
    """Build the ExecutorInput message that a container would get."""
    return {
        "inputs": {
            "parameterValues": record.inputs,
            "artifacts": {
                name: _artifact_list(
                    name,
                    artifact.uri,
                    artifact.type,
                    task.takes_artifacts[name].version,
                    artifact.metadata,
                )
                for name, artifact in record.input_artifacts.items()
            },
        },
        "outputs": {
            "parameters": {
                name: {"outputFile": os.path.join(root, "parameters", name)} for name in task.gives
            },
            "artifacts": {
                name: _artifact_list(name, os.path.join(root, name), kind.title, kind.version, {})
                for name, kind in task.gives_artifacts.items()
            },
            "outputFile": os.path.join(root, "executor_output.json"),
        },
    }


def _artifact_list(
    name: str, uri: str, kind: str, version: str, metadata: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "artifacts": [
            {
                "name": name,
                "type": {"schemaTitle": kind, "schemaVersion": version},
                "uri": uri,
                "metadata": dict(metadata),
            }
        ]
    }
