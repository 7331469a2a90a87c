import pytest
from servers.made_incidents import (
    AUC,
    DRIFT,
    FEED,
    FEW,
    NOON,
    SETTINGS,
    make_facts,
    make_incident,
    make_retraining,
)

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring.incident import (
    IncidentState,
)
from retrainer.components.lib.monitoring.incident_changes import asked, resolved, started
from retrainer.components.lib.monitoring.incident_judgement import judge


def test_a_person_may_ask_for_a_run_that_the_rules_do_not_start():
    drift = asked(make_incident(DRIFT), NOON, "we know why", "ann")
    assert (drift.wants_run, drift.reason) == (True, "we know why")
    assert judge(drift, make_facts([DRIFT], new_rows=FEW), SETTINGS) is None
    assert judge(drift, make_facts([DRIFT]), None) is None
    assert started(drift, "run-1", NOON, "me").run == "run-1"


def test_a_run_that_a_person_asked_for_waits_while_data_is_broken():
    drift = asked(make_incident(DRIFT), NOON, "we know why", "ann")
    held = judge(drift, make_facts([DRIFT], broken_data="v3-data-1"), SETTINGS)
    assert not held.wants_run


@pytest.mark.parametrize(
    ("incident", "words"),
    [
        (make_incident(FEED), "is broken data"),
        (make_retraining(), "has had its run, run-1"),
        (resolved(make_incident(AUC), NOON, "known", "ann"), "is resolved"),
    ],
)
def test_a_run_that_would_be_no_other_is_not_started_by_hand(incident, words):
    with pytest.raises(RetrainerError, match=words):
        asked(incident, NOON, "please", "ann")


def test_what_a_person_resolved_does_not_open_again_until_it_cleared():
    ended = resolved(make_incident(AUC), NOON, "a holiday", "ann")
    assert (ended.state, ended.reason) == (IncidentState.RESOLVED, "a holiday")
    assert ended.covers(AUC)
    assert resolved(ended, NOON, "again", "ann") is None
