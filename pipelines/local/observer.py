"""What a runner tells whoever watches."""

from dataclasses import dataclass

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
    """Watches runs; this one says nothing.

    A runner calls the methods from one thread, the one that called `run`.
    """

    follows_logs = False
    """Whether to be told of every line that a task prints."""

    def warming_up(self, progress: Progress) -> None:
        """The libraries are being loaded; `done == total` says that they are there."""

    def run_started(self, record: RunRecord) -> None:
        """A run begins."""

    def task_started(self, record: RunRecord, task: TaskRecord) -> None:
        """A task's process starts."""

    def task_progress(self, record: RunRecord, task: TaskRecord, progress: Progress) -> None:
        """A running task said how far it is."""

    def task_output(self, record: RunRecord, task: TaskRecord, text: str) -> None:
        """A running task printed lines; told only if `follows_logs`."""

    def task_retrying(self, record: RunRecord, task: TaskRecord, seconds: float) -> None:
        """A task failed and will be started again after so many seconds."""

    def task_finished(self, record: RunRecord, task: TaskRecord) -> None:
        """A task is done, was taken from a cache, failed, was skipped or interrupted."""

    def run_finished(self, record: RunRecord) -> None:
        """The run has ended, one way or the other."""
