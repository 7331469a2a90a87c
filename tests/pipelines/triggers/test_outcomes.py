"""One outcome for a message of several triggers: the one that keeps it alive, and all that they say."""

import itertools

import pytest
from servers.trigger_messages import NOON

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.targets.errors import RefusedError, UnavailableError
from retrainer.pipelines.triggers.matching import Findings
from retrainer.pipelines.triggers.outcomes import combine, failure_outcome, wait_outcome
from retrainer.pipelines.triggers.types import Cause, Outcome, Result

CAUSE = Cause("ask", "q1", "q1", {}, NOON)
FROM_WORST = [
    Result.FAILED,
    Result.DEFERRED,
    Result.INVALID,
    Result.STARTED,
    Result.DUPLICATE,
]


def findings(invalid=(), reason=""):
    return Findings([], list(invalid), reason)


@pytest.mark.parametrize(("worst", "other"), itertools.combinations(FROM_WORST, 2))
def test_of_two_results_the_one_that_keeps_the_message_alive_counts(worst, other):
    pair = [Outcome(worst, trigger="a"), Outcome(other, trigger="b")]
    for outcomes in (pair, pair[::-1]):
        combined = combine(findings(), outcomes)
        assert (combined.result, combined.trigger) == (worst, "a")


def test_two_outcomes_are_reported_together_and_the_shortest_wait_counts():
    one = Outcome(Result.DEFERRED, "waits.", "a", ("r1",), 30.0, ("u1",), ("w1",))
    two = Outcome(Result.DEFERRED, "waits.", "b", ("r2",), 20.0, ("u2",), ("w2",), refused=True)
    done = Outcome(Result.STARTED, "", "c", ("r3",), 0.0, ("u3",))
    assert combine(findings(), [done, one, two]) == Outcome(
        Result.DEFERRED, "waits.", "a", ("r3", "r1", "r2"), 20.0,
        ("u3", "u1", "u2"), ("w1", "w2"), refused=True,
    )  # fmt: skip


def test_an_invalid_part_comes_after_a_wait_and_before_a_run_that_was_started():
    invalid = findings([("b", "is malformed.")])
    waits = Outcome(Result.DEFERRED, "waits.", "a", retry_seconds=5)
    assert combine(invalid, [waits]).result == Result.DEFERRED
    started = Outcome(Result.STARTED, "", "a", ("r1",))
    combined = combine(invalid, [started])
    assert (combined.result, combined.trigger, combined.run_ids) == ("invalid", "b", ("r1",))
    assert combine(invalid, []) == Outcome(Result.INVALID, "is malformed.", "b")


def test_a_message_of_nobodys_business_is_ignored_with_its_reason():
    nobody = findings(reason="no trigger matches it.")
    assert combine(nobody, []) == Outcome(Result.IGNORED, "no trigger matches it.")


@pytest.mark.parametrize(
    ("run_id", "seconds", "waiting"), [("r1", 60, ("r1",)), ("r1", 59.9, ()), ("", 3600, ())]
)
def test_a_run_is_worth_a_notice_if_a_limit_keeps_it_for_a_minute(run_id, seconds, waiting):
    outcome = wait_outcome(CAUSE, "waits.", seconds, run_id)
    assert outcome == Outcome(
        Result.DEFERRED, "waits.", "ask", retry_seconds=seconds, waiting=waiting
    )


def test_a_refusal_is_somebodys_to_fix_and_a_failure_passes():
    refused = failure_outcome(CAUSE, RefusedError("a role is missing."))
    assert (refused.result, refused.refused) == (Result.FAILED, True)
    assert refused.reason == "a role is missing. The message is kept."
    for error in (UnavailableError("away."), RetrainerError("away.")):
        failed = failure_outcome(CAUSE, error)
        assert (failed.result, failed.refused, failed.reason) == (Result.FAILED, False, "away.")
        assert 0 < failed.retry_seconds < refused.retry_seconds
