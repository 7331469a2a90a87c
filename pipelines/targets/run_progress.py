"""Following a run on a service, task by task, until it ends."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...components.lib.errors import RetrainerError
from .errors import UnauthenticatedError, UnavailableError
from .interface import Target
from .types import ENDED, RemoteState, RunStatus, Submission, TaskStatus

MAX_SILENCE_SECONDS = 600.0
# Kubernetes replaces a token in time, but a kubelet updates its file up to a minute later (its sync period):
# kubernetes.io/docs/tasks/configure-pod-container/configure-service-account, "projected volumes".
MAX_TOKEN_GAP_SECONDS = 90.0
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
MARKS = {
    RemoteState.SUCCEEDED: "✓",
    RemoteState.CACHED: "=",
    RemoteState.FAILED: "✗",
    RemoteState.SKIPPED: "-",
    RemoteState.CANCELLED: "!",
}


class LostSightError(RetrainerError):
    """A run can't be followed any longer; the run itself goes on."""

    exit_code = 3


class Stopped(KeyboardInterrupt):
    """A signal ended the following of a run, which goes on.

    Attributes:
        signal_number: The signal; a command line exits with 128 plus it.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Make SIGTERM and SIGHUP interrupt as Ctrl-C does: CI systems end a job by them."""

    def stop(number: int, _: object) -> None:
        raise Stopped("", number)

    if threading.current_thread() is not threading.main_thread():
        # Python has handlers on the main thread alone.
        yield
        return
    # A signal that is ignored stays ignored, as under nohup.
    heard = [one for one in _SIGNALS if signal.getsignal(one) != signal.SIG_IGN]
    before = {one: signal.signal(one, stop) for one in heard}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def follow(
    target: Target,
    submission: Submission,
    say: Callable[[str], None],
    poll_seconds: float,
    max_silence_seconds: float = MAX_SILENCE_SECONDS,
    max_token_gap_seconds: float = MAX_TOKEN_GAP_SECONDS,
) -> RunStatus:
    """Report each task as it starts and ends, until the run has ended.

    Args:
        target: Where it runs.
        submission: The run.
        say: Is given one line at a time.
        poll_seconds: How often to ask.
        max_silence_seconds: How long the service may be out of reach.
        max_token_gap_seconds: How long it may refuse credentials that can be renewed.

    Returns:
        The run's last status.

    Raises:
        LostSightError: If the service stays out of reach, refuses, or no longer knows the run.
    """
    known: dict[str, RemoteState] = {}
    answered = time.monotonic()
    while True:
        try:
            status = target.status(submission)
            answered = time.monotonic()
        except (RetrainerError, OSError) as error:
            patience = _patience(error, max_silence_seconds, max_token_gap_seconds)
            if time.monotonic() - answered >= patience:
                raise LostSightError(str(error)) from error
            say(f"  {error} Trying again in {poll_seconds:g} s.")
            time.sleep(poll_seconds)
            continue
        for task in status.tasks:
            if known.get(task.name) != task.state:
                known[task.name] = task.state
                for line in describe_task(task):
                    say(line)
        if status.state in ENDED:
            return status
        time.sleep(poll_seconds)


def _patience(error: Exception, silence: float, token_gap: float) -> float:
    """Return the seconds that an error may last before the run counts as out of sight."""
    if isinstance(error, UnavailableError):
        return silence
    if isinstance(error, UnauthenticatedError) and error.renewable:
        return token_gap
    return 0.0


def describe_task(task: TaskStatus) -> list[str]:
    """Describe where a task stands.

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
        line += "  reused from an earlier run"
    elif task.started and task.ended:
        line += f"  {(task.ended - task.started).total_seconds():.0f} s"
    lines = [line]
    if task.state == RemoteState.FAILED:
        lines += [f"    {text}" for text in (task.error, task.url) if text]
    return lines
