"""Which run does what a cause asks for: its own, or one of its trigger that was created late enough."""

from datetime import timedelta

import pytest
from servers.trigger_messages import NOON

from retrainer.pipelines.targets.types import Submission
from retrainer.pipelines.triggers.claims.ledger import Submitted
from retrainer.pipelines.triggers.known_runs import KnownRuns, covers
from retrainer.pipelines.triggers.types import Cause


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def run(run_id, created):
    return Submitted(Submission(run_id, f"runs/{run_id}", "https://run", at(created)), at(created))


def cause(key, since=None, done_since=None, trigger="files"):
    return Cause(
        trigger, key, key, {}, NOON,
        since=None if since is None else at(since),
        done_since=None if done_since is None else at(done_since),
    )  # fmt: skip


@pytest.fixture
def known():
    return KnownRuns()


@pytest.mark.parametrize(
    ("since", "is_covered"), [(None, True), (9, True), (10, True), (11, False)]
)
def test_a_run_covers_what_was_there_when_it_was_created(since, is_covered):
    assert covers(run("a", 10), cause("7", since)) is is_covered


def test_a_causes_own_run_is_found_if_it_covers_it(known):
    known.remember(cause("7"), run("a", 10), 1, at(10))
    assert known.find(cause("7", since=10)).submission.run_id == "a"
    assert known.find(cause("7", since=11)) is None
    assert known.find(cause("8", since=10)) is None
    assert known.find(cause("7", since=10, trigger="other")) is None


def test_the_last_run_that_was_remembered_is_a_causes_newest(known):
    for generation, run_id in ((1, "a"), (2, "b")):
        known.remember(cause("7"), run(run_id, 10 * generation), generation, at(60))
    assert known.get(cause("7")).generation == 2
    assert known.find(cause("7", since=20)).submission.run_id == "b"
    assert len(known) == 1


@pytest.mark.parametrize(("done_since", "found"), [(19, "b"), (20, "b"), (21, None), (None, None)])
def test_any_run_of_the_trigger_that_is_late_enough_does(known, done_since, found):
    known.remember(cause("7"), run("a", 10), 1, at(60))
    known.remember(cause("8"), run("b", 20), 1, at(60))
    # One that was created earlier and is heard of later is not the trigger's newest.
    known.remember(cause("9"), run("c", 15), 1, at(60))
    known.remember(cause("7", trigger="other"), run("d", 50), 1, at(60))
    done = known.find(cause("10", done_since=done_since))
    assert (done.submission.run_id if done else None) == found


def test_a_service_whose_clock_is_ahead_has_not_seen_what_comes_later(known):
    known.remember(cause("7"), run("a", 3600), 1, at(10))
    assert known.find(cause("8", done_since=10)).submission.run_id == "a"
    assert known.find(cause("8", done_since=11)) is None
