"""What a look decides, at each bound exactly and one beside it."""

from datetime import UTC, datetime, timedelta

import pytest

from retrainer.components.lib.serving.rollout_settings import RolloutSettings
from retrainer.components.lib.serving.rollout_state import Change, Rollout, RolloutState
from retrainer.components.watch_rollout.decision import GuardReading, Look, decide

BEGUN = datetime(2026, 11, 26, 8, tzinfo=UTC)
STEPS = [{"percent": one, "hold_seconds": 60, "min_requests": 10} for one in (5, 50)]
SECTION = {"observations": "x", "steps": STEPS}


def _decide(after=60, requests=10, percent=5, state=RolloutState.CANARY, section=(), **guard):
    change = Change(state, percent, BEGUN.isoformat(), "begun", "me")
    settings = RolloutSettings.of({**SECTION, **dict(section)})
    reading = {"violated": False, "rows": 10, "min_rows": 10, **guard}
    look = Look(requests, "08:01", [GuardReading("error_rate", words="errors", **reading)])
    now = BEGUN + timedelta(seconds=after)
    return decide(Rollout(2, 1, 2, (change,)), settings, look, "watch", now)


def test_at_its_bounds_a_stage_is_passed():
    passed = _decide()
    assert (passed.rollout.state, passed.rollout.percent) == (RolloutState.CANARY, 50)
    assert passed.rollout.changes[-1].reason == (
        "passed at 5 %: 10 requests in 60 s, no guard is violated (errors)"
    )
    assert _decide(percent=50).rollout.state == RolloutState.PROMOTING


@pytest.mark.parametrize(
    ("short", "words"),
    [
        ({"after": 59}, "the stage lasts 1 s more"),
        ({"after": 59.7}, "the stage lasts 1 s more"),
        ({"requests": 9}, "9 of 10 requests of the new version observed, the newest at 08:01"),
        ({"requests": 0}, "no observations of the new version since 2026-11-26T08:00:00+00:00"),
        (
            {"rows": 9},
            "error_rate has compared 9 of 10 rows of the new version in this stage",
        ),
        (
            {"after": -5},
            "this machine's clock is 5 s behind the one that recorded the stage's begin, "
            "2026-11-26T08:00:00+00:00",
        ),
    ],
    ids=["time", "less-than-half-a-second", "requests", "none", "rows", "clock"],
)
def test_what_is_short_of_a_bound_is_waited_for_and_named(short, words):
    waiting = _decide(**short)
    assert (waiting.rollout.percent, len(waiting.rollout.changes)) == (5, 1)
    assert waiting.waiting == (words,)


@pytest.mark.parametrize("late", [{"after": 1}, {"requests": 0}, {"rows": 0}])
def test_a_violated_guard_goes_back_whatever_else_is_short(late):
    rollout = _decide(violated=True, **late).rollout
    assert (rollout.state, rollout.percent) == (RolloutState.ROLLED_BACK, 0)
    assert rollout.changes[-1].reason == "a guard is violated: errors"


def test_it_gives_up_at_the_time_that_is_set_if_data_is_missing_and_only_then():
    section = {"give_up_seconds": 90}
    assert not _decide(89, requests=0, section=section).rollout.ended
    given_up = _decide(90, requests=0, section=section).rollout
    assert given_up.state == RolloutState.ROLLED_BACK
    assert given_up.changes[-1].reason.startswith("given up after 90 s: no observations")
    assert _decide(90, section=section).rollout.percent == 50
    assert not _decide(10_000, requests=0).rollout.ended


def test_where_the_canary_answers_everything_there_is_nothing_to_compare():
    section = {"steps": [{"percent": 100, "hold_seconds": 60, "min_requests": 10}]}
    assert _decide(percent=100, rows=0, section=section).rollout.state == RolloutState.PROMOTING


def test_a_stage_that_is_no_longer_configured_ends_with_the_first_data():
    assert _decide(0, requests=1, percent=7).rollout.percent == 50
    assert _decide(0, requests=0, percent=7).waiting


def test_a_shadow_is_followed_by_the_first_step():
    shadow = {"shadow": {"hold_seconds": 60, "min_requests": 10}}
    passed = _decide(percent=0, state=RolloutState.SHADOW, section=shadow).rollout
    assert (passed.state, passed.percent) == (RolloutState.CANARY, 5)
    assert passed.changes[-1].reason.startswith("passed as shadow: ")
