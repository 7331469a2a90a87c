"""Processes that tasks ask, started before the tasks: they load libraries while the tasks before them run."""

import importlib
import os
from collections.abc import Iterable, Mapping
from typing import Protocol

from .spec import Task

# By component: the module whose `Server.start` starts the process.
MODULES: Mapping[str, str] = {"check_serving": "retrainer.components.check_serving.server"}


class EarlyProcess(Protocol):
    """A process that waits for one task."""

    variable: str
    """Environment variable that names the process to a task."""
    pid: int
    """Its id."""

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The descriptors of this process by which a task asks it."""

    def leave(self) -> None:
        """Close this process's copies of the descriptors: the task has its own."""

    def close(self) -> None:
        """End the process, if it has not ended."""


class EarlyProcesses:
    """The early processes of a run. Each serves one attempt at one task, and ends with it or with the run."""

    def __init__(self) -> None:
        self._waiting: dict[str, EarlyProcess] = {}
        self._lent: dict[str, EarlyProcess] = {}
        self._begun: set[str] = set()

    def start(self, tasks: Iterable[Task]) -> None:
        """Start the processes of tasks that are about to come, once each.

        Args:
            tasks: Those for which nothing that they wait for has yet to start.
        """
        for task in tasks:
            module = MODULES.get(task.executor.function)
            if module is None or task.name in self._begun:
                continue
            self._begun.add(task.name)
            start = importlib.import_module(module).Server.start
            self._waiting[task.name] = start({**os.environ, **task.executor.env})

    def take(self, task: str) -> EarlyProcess | None:
        """Return the process that waits for a task, if any; it waits for no other attempt."""
        process = self._waiting.pop(task, None)
        if process is not None:
            self._lent[task] = process
        return process

    def end(self, task: str) -> None:
        """End the process of a task, if there is one."""
        for processes in (self._waiting, self._lent):
            if process := processes.pop(task, None):
                process.close()

    def close(self) -> None:
        """End all of them."""
        for task in (*self._waiting, *self._lent):
            self.end(task)
