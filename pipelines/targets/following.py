"""Following a run on a service, task by task, until it ends."""

import time
from collections.abc import Callable

from .interface import (
    ENDED,
    RemoteState,
    RunStatus,
    Submission,
    Target,
    TaskStatus,
    UnavailableError,
)

MAX_SILENCE_SECONDS = 600.0
MARKS = {
    RemoteState.SUCCEEDED: "✓",
    RemoteState.CACHED: "=",
    RemoteState.FAILED: "✗",
    RemoteState.SKIPPED: "-",
    RemoteState.CANCELLED: "!",
}


def follow(
    target: Target,
    submission: Submission,
    say: Callable[[str], None],
    poll_seconds: float,
    max_silence_seconds: float = MAX_SILENCE_SECONDS,
) -> RunStatus:
    """Tell of each task as it starts and ends, until the run has ended.

    Args:
        target: Where it runs.
        submission: The run.
        say: Is given one line at a time.
        poll_seconds: How often to ask.
        max_silence_seconds: How long the service may be out of reach before this gives up; the run goes on.

    Returns:
        The run's last status.

    Raises:
        UnavailableError: If the service stays out of reach.
        RefusedError: If the run is gone.
    """
    told: dict[str, RemoteState] = {}
    answered = time.monotonic()
    while True:
        try:
            status = target.status(submission)
            answered = time.monotonic()
        except UnavailableError as error:
            if time.monotonic() - answered > max_silence_seconds:
                raise
            say(f"  {error} Trying again in {poll_seconds:.0f} s.")
            time.sleep(poll_seconds)
            continue
        for task in status.tasks:
            if told.get(task.name) != task.state:
                told[task.name] = task.state
                for line in describe_task(task):
                    say(line)
        if status.state in ENDED:
            return status
        time.sleep(poll_seconds)


def describe_task(task: TaskStatus) -> list[str]:
    """Say where a task stands.

    Returns:
        One line; for a failed task also its error and where its logs are; none for one that has not begun.
    """
    name = task.name.replace("-", "_")
    if task.state == RemoteState.RUNNING:
        return [f"  {name} ... {task.url}".rstrip()]
    if task.state not in MARKS:
        return []
    line = f"{MARKS[task.state]} {name}"
    if task.state == RemoteState.CACHED:
        line += "  taken from an earlier run"
    elif task.started and task.ended:
        line += f"  {(task.ended - task.started).total_seconds():.0f} s"
    lines = [line]
    if task.state == RemoteState.FAILED:
        lines += [f"    {text}" for text in (task.error, task.url) if text]
    return lines
