from datetime import UTC, datetime

import pytest

from retrainer.components.lib.serving.rollout_settings import RolloutSettings
from retrainer.components.lib.serving.rollout_state import (
    Promotion,
    RolloutState,
    Split,
    follow,
    split_of,
)

NOW = datetime(2026, 11, 26, 8, tzinfo=UTC)
STEPS = [{"percent": one, "hold_seconds": 60, "min_requests": 10} for one in (5, 50)]
SETTINGS = RolloutSettings.of({"observations": "x", "steps": STEPS})
SHADOWED = RolloutSettings.of(
    {"observations": "x", "steps": STEPS, "shadow": {"hold_seconds": 1, "min_requests": 1}}
)


def _follow(rollout, version, number, settings=SETTINGS, **more):
    served = more.pop("served", None)
    return follow(rollout, Promotion(version, number, **more), settings, "me", NOW, served)


@pytest.fixture
def in_canary():
    """Version 2 is rolled out, and version 1 served before."""
    return _follow(None, 2, 2, served=1)


def test_the_first_model_serves_at_once():
    begun = _follow(None, 1, 1)
    assert begun.state == RolloutState.PROMOTING
    assert split_of(begun, 1) == Split(1)
    assert "first to serve" in begun.changes[0].reason


def test_without_a_champion_nothing_begins_and_nothing_serves():
    assert _follow(None, None, 0) is None
    assert split_of(None, None) == Split(None)


def test_what_served_before_there_were_rollouts_is_the_baseline(in_canary):
    assert (in_canary.state, in_canary.percent) == (RolloutState.CANARY, 5)
    assert split_of(in_canary, 2) == Split(1, 2, 5)


def test_a_shadow_comes_first_if_asked():
    begun = _follow(None, 2, 2, settings=SHADOWED, served=1)
    assert split_of(begun, 2) == Split(1, 2, 0, shadow=True)
    stepped = begun.advanced(SHADOWED, "passed", "me", NOW)
    assert split_of(stepped, 2) == Split(1, 2, 5)


def test_steps_go_on_to_serving(in_canary):
    second = in_canary.advanced(SETTINGS, "passed", "me", NOW)
    assert split_of(second, 2) == Split(1, 2, 50)
    last = second.advanced(SETTINGS, "passed", "me", NOW)
    assert (last.state, split_of(last, 2)) == (RolloutState.PROMOTING, Split(2))
    assert [one.percent for one in last.changes] == [5, 50, 100]


def test_a_rollout_goes_on_by_the_steps_that_are_configured_now(in_canary):
    changed = RolloutSettings.of(
        {
            "observations": "x",
            "steps": [{"percent": 30, "hold_seconds": 1, "min_requests": 1}],
        }
    )
    assert in_canary.stage(changed) is None
    assert in_canary.advanced(changed, "passed", "me", NOW).percent == 30


def test_the_same_promotion_begins_once(in_canary):
    assert _follow(in_canary, 2, 2) is None
    aborted = in_canary.aborted("errors", "watch", NOW)
    assert _follow(aborted, 2, 2) is None
    assert split_of(aborted, 2) == Split(1)


def test_the_registry_that_goes_back_after_an_abort_begins_nothing(in_canary):
    aborted = in_canary.aborted("errors", "watch", NOW)
    assert _follow(aborted, 1, 3) is None
    assert split_of(aborted, 1) == Split(1)


def test_a_version_that_a_person_promotes_again_is_rolled_out_again(in_canary):
    aborted = in_canary.aborted("errors", "watch", NOW)
    again = _follow(aborted, 2, 4)
    assert split_of(again, 2) == Split(1, 2, 5)


@pytest.mark.parametrize("percent", [5, 50, 100])
def test_a_promotion_of_the_canary_in_the_middle_does_not_begin_again(in_canary, percent):
    state = RolloutState.SERVING if percent == 100 else RolloutState.CANARY
    rollout = in_canary.changed(state, percent, "passed", "me", NOW)
    again = _follow(rollout, 2, 3)
    assert (again.changes, again.promotion) == (rollout.changes, 3)
    assert _follow(again, 2, 3) is None


def test_a_version_that_passed_every_stage_is_the_next_ones_baseline(in_canary):
    """The services may not serve it yet: it is the one that the plan asks for."""
    promoting = in_canary.advanced(SETTINGS, "by hand", "ann", NOW, last=True)
    assert split_of(promoting, 2) == Split(2)
    newer = _follow(promoting, 3, 3)
    assert split_of(newer, 3) == Split(2, 3, 5)
    assert "takes the place of" not in newer.changes[0].reason


def test_a_newer_champion_takes_the_place_of_the_canary(in_canary):
    newer = _follow(in_canary, 3, 3)
    assert split_of(newer, 3) == Split(1, 3, 5)
    assert "takes the place of version 2" in newer.changes[0].reason


def test_a_registry_rolled_back_in_the_middle_ends_the_rollout(in_canary):
    ended = _follow(in_canary, 1, 3, by="ann", why="complaints")
    assert ended.state == RolloutState.ROLLED_BACK
    assert ended.changes[-1].reason == "the registry went back to version 1 by ann: complaints"
    assert split_of(ended, 1) == Split(1)


def test_a_champion_that_is_retired_in_the_middle_ends_the_rollout(in_canary):
    ended = _follow(in_canary, None, 3)
    assert ended.state == RolloutState.ROLLED_BACK
    assert split_of(ended, None) == Split(None)


def test_a_version_that_served_before_gets_everything_at_once(in_canary):
    """A rollback of the registry after the rollout takes no hours."""
    serving = in_canary.changed(RolloutState.SERVING, 100, "done", "me", NOW)
    assert split_of(_follow(serving, 3, 3), 3) == Split(2, 3, 5)
    back = _follow(serving, 1, 3)
    assert split_of(back, 1) == Split(1)
    assert "served all requests before" in back.changes[0].reason


def test_a_champion_that_no_rollout_began_with_does_not_serve_yet(in_canary):
    serving = in_canary.changed(RolloutState.SERVING, 100, "done", "me", NOW)
    assert split_of(serving, 3) == Split(2)


def test_a_first_champion_that_is_deployed_already_serves_at_once():
    begun = _follow(None, 1, 1, served=1)
    assert (begun.state, begun.percent) == (RolloutState.PROMOTING, 100)
    assert begun.changes[0].reason == "version 1 serves already"


def test_the_versions_that_served_all_requests_are_kept_each_once_and_the_newest_fifty():
    rollout, order = None, [1, 2, 3, 1, *range(4, 60)]
    for number, version in enumerate(order, 1):
        begun = _follow(rollout, version, number)
        if version == 4:
            assert begun.proven == (2, 3, 1)
        rollout = begun.changed(RolloutState.SERVING, 100, "done", "me", NOW)
    assert rollout.proven == tuple(range(9, 59))


@pytest.mark.parametrize(
    ("version", "about", "reason"),
    [
        (1, {}, "the registry went back to version 1"),
        (1, {"why": "complaints"}, "the registry went back to version 1: complaints"),
        (None, {"by": "ann"}, "the registry has no champion any more by ann"),
    ],
)
def test_a_rollout_that_the_registry_ends_says_what_is_known_of_it(
    in_canary, version, about, reason
):
    assert _follow(in_canary, version, 3, **about).changes[-1].reason == reason
    promoting = in_canary.changed(RolloutState.PROMOTING, 100, "passed", "me", NOW)
    assert _follow(promoting, None, 3).state == RolloutState.ROLLED_BACK
    serving = in_canary.changed(RolloutState.SERVING, 100, "done", "me", NOW)
    assert _follow(serving, None, 3) is None


def test_where_a_rollout_stands_in_words(in_canary):
    words = {
        state: in_canary.changed(state, 7, "x", "me", NOW).describe().removeprefix("version 2 ")
        for state in RolloutState
    }
    assert words == {
        RolloutState.SHADOW: "gets copies of the requests",
        RolloutState.CANARY: "has 7 % of the requests",
        RolloutState.PROMOTING: "is being brought to all requests",
        RolloutState.SERVING: "serves all requests",
        RolloutState.ROLLED_BACK: "was rolled back",
    }


def test_settings_that_are_left_out_have_their_defaults():
    assert (SETTINGS.shadow, SETTINGS.guards, SETTINGS.give_up_seconds) == (None, {}, None)
    assert (SETTINGS.alpha, SETTINGS.labels) == (0.05, "")
    assert SETTINGS.label_key == ("request_id", "row")
    guards = {"error_rate": {"max_increase": 0.0}, "metric": None}
    given = RolloutSettings.of(
        {"steps": STEPS, "alpha": 1, "guards": guards, "label_key": ["id"], "labels": None}
    )
    assert (given.alpha, given.guards) == (1.0, {"error_rate": {"max_increase": 0.0}})
    assert (given.label_key, given.labels, given.observations) == (("id",), "", "")
    assert [one.percent for one in SHADOWED.stages] == [0, 5, 50]
