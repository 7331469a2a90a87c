"""Attempts at a join whose failure is an output, so that no service repeats the task."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from ..lib.errors import RetrainerError

LOGGER = logging.getLogger("retrainer.join_labels")
# As for retries by a service, see `retry_seconds` of a task.
_LONGEST_SECONDS = 3600.0
T = TypeVar("T")


def attempt(
    work: Callable[[], T],
    retries: int,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Do something, and repeat it where it failed.

    Args:
        work: What to do.
        retries: How often to repeat it.
        seconds: How long to wait before the first time; doubled each time, at most an hour.
        sleep: Waits.

    Returns:
        What it returned.

    Raises:
        Exception: What it raised the last time.
    """
    for left in range(retries, 0, -1):
        try:
            return work()
        except Exception as error:
            LOGGER.warning("retried in %g s, %d left: %s", seconds, left, describe(error))
            sleep(seconds)
            seconds = min(2 * seconds, _LONGEST_SECONDS)
    return work()


def describe(error: Exception) -> str:
    """Say why something failed: a message for users as it is, of another error its class, too."""
    return str(error) if isinstance(error, RetrainerError) else f"{type(error).__name__}: {error}"


def report_failure(error: Exception) -> str:
    """Log why the labels were not joined, with a traceback where it is no message for users; return it."""
    failure = describe(error)
    known = isinstance(error, RetrainerError)
    LOGGER.error("the labels were not joined: %s", failure, exc_info=None if known else error)
    return failure
