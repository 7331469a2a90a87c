from datetime import UTC, datetime

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring.incident import (
    Detection,
    Group,
    IncidentState,
    opened,
)
from retrainer.components.lib.monitoring.incident_changes import asked, resolved, started
from retrainer.components.lib.monitoring.incident_judgement import Facts, NewRows, RunEnd, judge
from retrainer.components.lib.monitoring.retraining_settings import RetrainingSettings
from retrainer.components.lib.run_traces import Outcome

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
AUC = Detection("estimated_quality/auc", "7", "Estimated AUC is 0.71, below 0.78.")
DRIFT = Detection("drift/dep_delay", "7", "dep_delay has moved by 0.4.")
FEED = Detection("data/weather", "7", "weather is empty.")
SETTINGS = RetrainingSettings(min_new_labelled_rows=1000)
ENOUGH, FEW = NewRows(5000), NewRows(10)


def _incident(*detections):
    group = Group.of(detections[0].kind)
    return opened(f"v3-{group}-1", group, 3, detections, NOON)


def _retraining(pushed=None):
    asked = judge(_incident(AUC), _facts([AUC], new_rows=ENOUGH), SETTINGS)
    running = started(asked, "run-1", NOON, "me")
    if pushed is None:
        return running
    return judge(running, _facts(champion=4, looks=0, run=RunEnd(Outcome.PUSHED, "", pushed)), None)


def _facts(detected=(), champion=3, looks=5, **more):
    return Facts(NOON, champion, detected, looks, **more)


def test_a_person_may_ask_for_a_run_that_the_rules_do_not_start():
    drift = asked(_incident(DRIFT), NOON, "we know why", "ann")
    assert (drift.wants_run, drift.reason) == (True, "we know why")
    assert judge(drift, _facts([DRIFT], new_rows=FEW), SETTINGS) is None
    assert judge(drift, _facts([DRIFT]), None) is None
    assert started(drift, "run-1", NOON, "me").run == "run-1"


def test_a_run_that_a_person_asked_for_waits_while_data_is_broken():
    drift = asked(_incident(DRIFT), NOON, "we know why", "ann")
    held = judge(drift, _facts([DRIFT], broken_data="v3-data-1"), SETTINGS)
    assert not held.wants_run


@pytest.mark.parametrize(
    ("incident", "words"),
    [
        (_incident(FEED), "is broken data"),
        (_retraining(), "has had its run, run-1"),
        (resolved(_incident(AUC), NOON, "known", "ann"), "is resolved"),
    ],
)
def test_a_run_that_would_be_no_other_is_not_started_by_hand(incident, words):
    with pytest.raises(RetrainerError, match=words):
        asked(incident, NOON, "please", "ann")


def test_what_a_person_resolved_does_not_open_again_until_it_cleared():
    ended = resolved(_incident(AUC), NOON, "a holiday", "ann")
    assert (ended.state, ended.reason) == (IncidentState.RESOLVED, "a holiday")
    assert ended.covers(AUC)
    assert resolved(ended, NOON, "again", "ann") is None
