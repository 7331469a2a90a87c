"""One attempt at a task: where it writes, what its process is sent, and what it has reported so far."""

import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from typing import Any

from ...components.lib.progress import PROGRESS_FILE_VARIABLE
from ...components.lib.uris import is_local
from ..runs.records import RunRecord, TaskRecord, now
from .executor_io import make_executor_input
from .observer import TaskMonitor
from .spec import Task


@dataclass
class Attempt:
    """A task whose process was requested.

    Attributes:
        task: The task.
        executor_input: The message that its function gets.
        monitor: Follows its progress and log.
        scratch: Local folder of its own, for what nobody keeps.
        since: When it was its turn, on the monotonic clock.
    """

    task: Task
    executor_input: dict[str, Any]
    monitor: TaskMonitor
    scratch: str
    since: float

    @classmethod
    def begin(cls, task: Task, record: TaskRecord, run: RunRecord, scratch: str) -> "Attempt":
        """Create the folders of an attempt, and record its start.

        Args:
            task: The task.
            record: Its record, with its inputs.
            run: The run's record.
            scratch: Local folder in which the attempt gets one of its own.

        Raises:
            OSError: If the disk is full or refuses.
        """
        root = os.path.join(run.pipeline_root, run.run_id, task.name)
        # What an attempt that failed has left there is nobody's output.
        shutil.rmtree(root, ignore_errors=True)
        os.makedirs(root)
        record.log = _log_name(run, task.name)
        log = run.locate(record.log)
        os.makedirs(os.path.dirname(log), exist_ok=True)
        record.attempts += 1
        own = tempfile.mkdtemp(prefix=f"{task.name}-", dir=scratch)
        monitor = TaskMonitor(
            progress_file=os.path.join(own, "progress.json"),
            log=log,
            log_read=os.path.getsize(log) if os.path.exists(log) else 0,
        )
        record.started, record.start_seconds = now(), None
        executor_input = make_executor_input(task, record, root)
        return cls(task, executor_input, monitor, own, time.monotonic())

    def request(self) -> dict[str, Any]:
        """Return what the fork server is sent, see `task_process.run_task`."""
        return {
            "source": self.task.executor.source,
            "function": self.task.executor.function,
            "executor_input": self.executor_input,
            "output_types": {name: output.type for name, output in self.task.gives.items()},
            "scratch": self.scratch,
        }

    def environment(self) -> dict[str, str]:
        """Return the environment variables of its process beside this one's."""
        return {
            **self.task.executor.env,
            "_KFP_RUNTIME": "true",
            PROGRESS_FILE_VARIABLE: self.monitor.progress_file,
        }


def _log_name(run: RunRecord, task: str) -> str:
    if is_local(run.store):
        return f"logs/{task}.log"
    return os.path.join(run.pipeline_root, run.run_id, "logs", f"{task}.log")
