"""The runner of a command: it loads the libraries while the command reads what it was given."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..local.fork_client import TaskProcesses
from ..local.preload import LIBRARIES
from ..local.runner import LocalRunner
from ..project.installed import check_libraries, has_libraries

# What `warming_up` has started and no `warm_runner` has taken.
_started: list[TaskProcesses] = []


@contextmanager
def warming_up() -> Iterator[None]:
    """Load the libraries of tasks in a process of its own from here on, for the first `warm_runner` of the block.

    Reading retrain.yaml, checking and compiling it takes as long as a third of that. Where the libraries are not
    installed, `warm_runner` says so.
    """
    if has_libraries():
        _started.append(TaskProcesses(LIBRARIES))
    try:
        yield
    finally:
        while _started:
            _started.pop().close()


@contextmanager
def warm_runner() -> Iterator[LocalRunner]:
    """Start a runner that loads the libraries while the caller gets ready.

    Yields:
        The runner; its processes end with the block.

    Raises:
        RetrainerError: If the libraries are not installed.
    """
    check_libraries()
    with LocalRunner(processes=_started.pop() if _started else None) as local:
        local.warm_up()
        yield local
