"""An observer that also calls a function when a run begins."""

from collections.abc import Callable

from ..runs.records import RunRecord, TaskRecord
from .observer import Progress, RunObserver


class RunStart(RunObserver):
    """Passes every step on to another observer, and the beginning of a run to a function, too.

    Args:
        observer: The other observer.
        on_start: Is called with the run's name once its record is in the store, before the first task starts.
    """

    def __init__(self, observer: RunObserver, on_start: Callable[[str], None]) -> None:
        self._observer, self._on_start = observer, on_start
        self.follows_logs = observer.follows_logs

    def warming_up(self, progress: Progress) -> None:
        """Pass it on."""
        self._observer.warming_up(progress)

    def run_started(self, record: RunRecord) -> None:
        """Pass it on, and call the function."""
        self._on_start(record.run_id)
        self._observer.run_started(record)

    def task_started(self, record: RunRecord, task: TaskRecord) -> None:
        """Pass it on."""
        self._observer.task_started(record, task)

    def task_progress(self, record: RunRecord, task: TaskRecord, progress: Progress) -> None:
        """Pass it on."""
        self._observer.task_progress(record, task, progress)

    def task_output(self, record: RunRecord, task: TaskRecord, text: str) -> None:
        """Pass it on."""
        self._observer.task_output(record, task, text)

    def task_retrying(self, record: RunRecord, task: TaskRecord, seconds: float) -> None:
        """Pass it on."""
        self._observer.task_retrying(record, task, seconds)

    def task_finished(self, record: RunRecord, task: TaskRecord) -> None:
        """Pass it on."""
        self._observer.task_finished(record, task)

    def run_finished(self, record: RunRecord) -> None:
        """Pass it on."""
        self._observer.run_finished(record)
