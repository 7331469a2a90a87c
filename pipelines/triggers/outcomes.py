"""Builds the outcomes of handling a message."""

from ...components.lib.errors import RetrainerError
from ..targets.errors import RefusedError
from ..targets.types import Submission
from .matching import Findings
from .types import Cause, Outcome, Result

_UNAVAILABLE_SECONDS = 10.0
_REFUSED_SECONDS = 60.0
WORTH_NOTIFYING_SECONDS = 60.0
"""A run that waits for a limit is worth a message to people from so many seconds on."""
# Which result a message gets of which several triggers make something: the one that keeps it alive.
_PRECEDENCE = (
    Result.FAILED,
    Result.DEFERRED,
    Result.INVALID,
    Result.STARTED,
    Result.DUPLICATE,
)


def run_outcome(result: Result, cause: Cause, submission: Submission) -> Outcome:
    """Return the outcome of a run that was started, now or before."""
    reason = (
        "" if result == Result.STARTED else f"its run '{submission.run_id}' was started before."
    )
    return Outcome(result, reason, cause.trigger, (submission.run_id,), urls=(submission.url,))


def wait_outcome(cause: Cause, reason: str, seconds: float, run_id: str = "") -> Outcome:
    """Return the outcome of a cause that has to wait.

    Args:
        cause: The cause.
        reason: Why.
        seconds: How long.
        run_id: The run that a limit keeps from starting; empty if something else does.
    """
    waiting = (run_id,) if run_id and seconds >= WORTH_NOTIFYING_SECONDS else ()
    return Outcome(Result.DEFERRED, reason, cause.trigger, retry_seconds=seconds, waiting=waiting)


def failure_outcome(cause: Cause, error: RetrainerError) -> Outcome:
    """Return the outcome of something that failed and may work later."""
    if isinstance(error, RefusedError):
        # An operator's mistake, such as a missing role, is fixed without anybody sending the message again.
        return Outcome(
            Result.FAILED,
            f"{error} The message is kept.",
            cause.trigger,
            retry_seconds=_REFUSED_SECONDS,
            refused=True,
        )
    return Outcome(Result.FAILED, str(error), cause.trigger, retry_seconds=_UNAVAILABLE_SECONDS)


def combine(findings: Findings, outcomes: list[Outcome]) -> Outcome:
    """Make one outcome for a message of those for its causes: the one that keeps it alive.

    Args:
        findings: What the message is to the triggers.
        outcomes: One for each of its causes.
    """
    outcomes = outcomes + [
        Outcome(Result.INVALID, reason, trigger) for trigger, reason in findings.invalid
    ]
    if not outcomes:
        return Outcome(Result.IGNORED, findings.reason)
    if len(outcomes) == 1:
        return outcomes[0]
    first = min(outcomes, key=lambda outcome: _PRECEDENCE.index(outcome.result))
    waits = [outcome.retry_seconds for outcome in outcomes if outcome.retry_seconds]
    return Outcome(
        first.result,
        " ".join(dict.fromkeys(outcome.reason for outcome in outcomes if outcome.reason)),
        first.trigger,
        tuple(run_id for outcome in outcomes for run_id in outcome.run_ids),
        min(waits, default=0.0),
        tuple(url for outcome in outcomes for url in outcome.urls),
        tuple(run_id for outcome in outcomes for run_id in outcome.waiting),
        any(outcome.refused for outcome in outcomes),
    )
