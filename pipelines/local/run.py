"""One run: which task is next, what it gets, and how it ended."""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...components.lib.errors import RetrainerError
from ...components.lib.runs.reuse import VARIABLE as REUSE_VARIABLE
from ...components.lib.user_code.user_code_digest import code_behind
from ..runs.record_store import save_run
from ..runs.records import DONE, ArtifactRecord, RunRecord, RunState, TaskRecord, TaskState, now
from . import caching
from .attempt import Attempt
from .early_processes import EarlyProcesses
from .fork_client import Exit, TaskProcesses, tail_lines
from .observer import RunObserver
from .parameters import task_parameters
from .run_pages import write_pages
from .run_record import conclude, judged_tasks, keep_reports_of_failure, keep_results
from .spec import Pipeline, Task

POLL_SECONDS = 0.1
ENDED = DONE | {TaskState.FAILED, TaskState.SKIPPED, TaskState.INTERRUPTED}
"""States of a task that will not go on."""
TAIL_LINES = 15


@dataclass
class RunSettings:
    """How a run is made.

    Attributes:
        pipeline_root: Local folder of artifacts and the cache.
        workers: How many tasks run at once at most.
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
        observer: Is called at each step.
        stop_signal: Set (by a signal handler) to have the run stopped; exit tasks run all the same.
        stop_at_once: Set (by a second signal) to have exit tasks stopped, too.
    """

    pipeline: Pipeline
    record: RunRecord
    settings: RunSettings
    processes: TaskProcesses
    observer: RunObserver
    stop_signal: int | None = None
    stop_at_once: bool = False
    _running: dict[str, Attempt] = field(default_factory=dict)
    _ready: dict[str, float] = field(default_factory=dict)
    _uncacheable: set[str] = field(default_factory=set)
    _early: EarlyProcesses = field(default_factory=EarlyProcesses)
    _pages_due: bool = False
    _only_exits: bool = False
    _code: str = ""
    _since: float = 0.0

    def execute(self) -> None:
        """Run to the end: of all tasks, or of those that can run where one fails.

        Raises:
            OSError: If the record or the cache can't be written; the tasks are ended then.
        """
        self._since = time.monotonic() - self._spent_before()
        self._code = caching.digest_code()
        save_run(self.record)
        try:
            self.observer.run_started(self.record)
            self._loop(lambda: self.stop_signal is None)
            if self.stop_signal is not None:
                self._interrupt()
                self._run_exit_tasks()
        except BaseException:
            self._interrupt()
            # The disk that is full may be what brought us here; the record then says `running`, and
            # reads as died.
            with contextlib.suppress(OSError):
                save_run(self.record)
            with contextlib.suppress(OSError):
                self.observer.run_finished(self.record)
            raise
        self._conclude()

    def _loop(self, wanted: Callable[[], bool]) -> None:
        while wanted():
            self._decide()
            self._start_ready()
            self._start_early()
            if self._pages_due:
                # The next tasks do not wait for them.
                self._write_pages()
            if not self._running and not self._ready:
                break
            exits = self.processes.poll(self._patience())
            for name in self.processes.started():
                self._note_start(name)
            for exit_ in exits:
                self._finish(exit_)
            self._report()

    def _run_exit_tasks(self) -> None:
        """After an interruption, run the exit tasks, if any task had started."""
        begun = any(task.started for task in self.record.tasks.values())
        # A server that still loads libraries would start what it was asked for before.
        if not begun or self.processes.has_requests:
            return
        # They read how the others ended.
        save_run(self.record)
        self._only_exits = True
        self._loop(lambda: not self.stop_at_once)
        if self.stop_at_once:
            self._interrupt()

    def _spent_before(self) -> float:
        return self.settings.earlier.seconds_spent if self.settings.earlier else 0.0

    def _decide(self) -> None:
        """Decide on every task that waits for no other: ready, taken over, cached or skipped."""
        for task in self.pipeline.tasks.values():
            record = self.record.tasks[task.name]
            waits = task.name in self._ready or task.name in self._running
            if record.state != TaskState.PENDING or waits:
                continue
            states = {self.record.tasks[name].state for name in task.after}
            if task.is_exit:
                if self._only_exits or states <= ENDED:
                    self._prepare(task, record)
            elif self._only_exits:
                continue
            elif states & {TaskState.FAILED, TaskState.SKIPPED}:
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
        if task.is_exit:
            # Each attempt at a run has an end of its own.
            self._ready[task.name] = 0.0
            return
        code = code_behind(record.inputs)
        record.key = caching.task_key(
            task, record.inputs, record.input_artifacts, self._code, code.digest
        )
        if self.settings.earlier and caching.take_over(self.settings.earlier, record):
            self._close(record, record.state)
            return
        if code.unseen:
            # What it runs may change without its key.
            self._uncacheable.add(task.name)
        use_cache = task.caching and self.settings.caching and not code.unseen
        record.started, since = now(), time.monotonic()
        if use_cache and caching.recall(self.settings.pipeline_root, record):
            record.seconds = _elapsed(since)
            keep_results(self.record, record)
            self._close(record, TaskState.CACHED)
            return
        record.started = None
        self._ready[task.name] = 0.0

    def _take_inputs(self, task: Task, record: TaskRecord) -> None:
        run_id = self.record.run_id
        context = {
            "$.pipeline_job_name": run_id,
            "$.pipeline_job_uuid": run_id,
            "$.pipeline_task_name": task.name,
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

    def _start_early(self) -> None:
        """Start the processes that tasks ask for which nothing waits any more that does not run."""
        states = {name: task.state for name, task in self.record.tasks.items()}
        self._early.start(
            task
            for task in self.pipeline.tasks.values()
            if states[task.name] == TaskState.PENDING
            and task.name not in (*self._ready, *self._running)
            and all(name in self._running or states[name] in DONE for name in task.after)
        )

    def _start(self, task: Task, record: TaskRecord) -> None:
        attempt = Attempt.begin(task, record, self.record, self.processes.scratch)
        self._running[task.name] = attempt
        env = attempt.environment()
        if not self.settings.caching:
            env[REUSE_VARIABLE] = "off"
        # The first tasks do not wait until the libraries that only later ones need are loaded.
        early = not task.after or task.is_exit
        self.processes.start(
            task.name,
            attempt.request(),
            attempt.monitor.log,
            early=early,
            extra_env=env,
            lent=self._early.take(task.name),
        )

    def _note_start(self, name: str) -> None:
        record = self.record.tasks[name]
        record.start_seconds = _elapsed(self._running[name].since)
        record.state, record.error, record.log_tail = TaskState.RUNNING, None, []
        save_run(self.record)
        self.observer.task_started(self.record, record)

    def _finish(self, exit_: Exit) -> None:
        attempt = self._running.pop(exit_.task)
        record = self.record.tasks[exit_.task]
        self._report_output(attempt, record)
        record.seconds = _elapsed(attempt.since)
        record.peak_memory = exit_.peak_memory
        if "error" in exit_.result:
            self._fail(attempt, record, exit_.result)
            return
        record.outputs = exit_.result["outputs"]
        record.output_artifacts = {
            name: ArtifactRecord(**artifact) for name, artifact in exit_.result["artifacts"].items()
        }
        keep_results(self.record, record)
        if attempt.task.caching and attempt.task.name not in self._uncacheable:
            caching.remember(self.settings.pipeline_root, self.record.run_id, record)
        self._close(record, TaskState.SUCCEEDED)

    def _fail(self, attempt: Attempt, record: TaskRecord, result: Mapping[str, Any]) -> None:
        record.error = result["error"]
        if not result["known"]:
            record.log_tail = tail_lines(attempt.monitor.log, TAIL_LINES)
        retry = attempt.task.retry
        if record.attempts <= retry.count and not self._stopping(attempt.task):
            wait = retry.wait(record.attempts)
            record.state = TaskState.PENDING
            self._ready[record.name] = time.monotonic() + wait
            self.observer.task_retrying(self.record, record, wait)
            save_run(self.record)
            return
        keep_reports_of_failure(self.record, record, attempt.executor_input)
        self._close(record, TaskState.FAILED)

    def _stopping(self, task: Task) -> bool:
        return self.stop_at_once if task.is_exit else self.stop_signal is not None

    def _close(self, record: TaskRecord, state: TaskState) -> None:
        record.state = state
        self._early.end(record.name)
        save_run(self.record)
        self._pages_due |= bool(record.reports)
        self.observer.task_finished(self.record, record)

    def _patience(self) -> float:
        """Return the seconds until something is due that no process reports."""
        moment = time.monotonic()
        due = [not_before - moment for not_before in self._ready.values() if not_before > moment]
        return min([POLL_SECONDS, *due])

    def _report(self) -> None:
        if warming := self.processes.warming():
            self.observer.warming_up(warming)
        for name, attempt in self._running.items():
            record = self.record.tasks[name]
            self._report_output(attempt, record)
            if progress := attempt.monitor.progress():
                self.observer.task_progress(self.record, record, progress)

    def _report_output(self, attempt: Attempt, record: TaskRecord) -> None:
        if self.observer.follows_logs and (text := attempt.monitor.output()):
            self.observer.task_output(self.record, record, text)

    def _interrupt(self) -> None:
        """End what runs, and say in the record that it was ended."""
        exits = self.processes.stop_tasks()
        forked = set(self.processes.started())
        for exit_ in exits:
            if "error" not in exit_.result:
                # It was done before it heard that it should stop.
                with contextlib.suppress(OSError):
                    self._finish(exit_)
        for name, attempt in self._running.items():
            record = self.record.tasks[name]
            if record.start_seconds is None and name not in forked:
                # It still waited for the libraries: as if it had never been its turn.
                record.started = None
                continue
            record.seconds, record.state = _elapsed(attempt.since), TaskState.INTERRUPTED
        self._running, self._ready = {}, {}
        self._early.close()
        if any(task.state not in DONE for task in judged_tasks(self.pipeline, self.record)):
            self.record.state = RunState.INTERRUPTED

    def _conclude(self) -> None:
        conclude(self.pipeline, self.record)
        self.record.seconds = _elapsed(self._since)
        save_run(self.record)
        self._write_pages()
        self.observer.run_finished(self.record)

    def _write_pages(self) -> None:
        self._pages_due = False
        # The record is what counts: a run does not fail for a page that links to others.
        with contextlib.suppress(OSError, RetrainerError):
            write_pages(self.record)


def _elapsed(since: float) -> float:
    return round(time.monotonic() - since, 3)
