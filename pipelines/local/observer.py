"""What a runner reports, and how it follows a task."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from ..runs.records import RunRecord, TaskRecord


@dataclass(frozen=True)
class Progress:
    """How far something has come.

    Attributes:
        message: A few words on what is being done.
        done: How many of `total` units are done, if they can be counted.
        total: How many units there are in all.
    """

    message: str
    done: float | None = None
    total: float | None = None


class RunObserver:
    """Is called at each step of a run; this one does nothing.

    A runner calls the methods from one thread, the one that called `run`.
    """

    follows_logs = False
    """Whether `task_output` is called with every line that a task prints."""

    def warming_up(self, progress: Progress) -> None:
        """The libraries are being loaded; `done == total` once they are."""

    def run_started(self, record: RunRecord) -> None:
        """A run begins."""

    def task_started(self, record: RunRecord, task: TaskRecord) -> None:
        """A task's process starts."""

    def task_progress(self, record: RunRecord, task: TaskRecord, progress: Progress) -> None:
        """A running task reported progress."""

    def task_output(self, record: RunRecord, task: TaskRecord, text: str) -> None:
        """A running task printed lines; called only if `follows_logs`."""

    def task_retrying(self, record: RunRecord, task: TaskRecord, seconds: float) -> None:
        """A task failed and will be started again after so many seconds."""

    def task_finished(self, record: RunRecord, task: TaskRecord) -> None:
        """A task is done, was taken from a cache, failed, was skipped or interrupted."""

    def run_finished(self, record: RunRecord) -> None:
        """The run has ended."""


@dataclass
class TaskMonitor:
    """Reads what is new in a task's progress file and log.

    Attributes:
        progress_file: Where the task writes how far it is, see `components/lib/progress.py`.
        log: Where its output goes.
        log_read: How much of the log was there before, in bytes.
    """

    progress_file: str
    log: str
    log_read: int = 0
    _written: int = 0

    def progress(self) -> Progress | None:
        """Return the task's progress, if it is new."""
        try:
            written = os.stat(self.progress_file).st_mtime_ns
            if written == self._written:
                return None
            self._written = written
            content = json.loads(Path(self.progress_file).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            # Nothing there yet, or not the JSON that it should be: shown when it is.
            return None
        if not isinstance(content, dict):
            return None
        return Progress(str(content.get("message", "")), content.get("done"), content.get("total"))

    def output(self) -> str:
        """Return what the task has printed since the last call."""
        try:
            with open(self.log, "rb") as file:
                file.seek(self.log_read)
                content = file.read()
        except FileNotFoundError:
            return ""
        self.log_read += len(content)
        return content.decode(errors="replace")
