from datetime import timedelta

import pytest
from servers.made_incidents import (
    AUC,
    DRIFT,
    ENOUGH,
    FEED,
    FEW,
    NOON,
    SETTINGS,
    make_facts,
    make_incident,
    make_retraining,
)

from retrainer.components.lib.monitoring.incident import (
    Detection,
    IncidentState,
)
from retrainer.components.lib.monitoring.incident_changes import started
from retrainer.components.lib.monitoring.incident_judgement import Facts, NewRows, RunEnd, judge
from retrainer.components.lib.monitoring.retraining_settings import RetrainingSettings
from retrainer.components.lib.runs.run_traces import Outcome


def test_a_worse_model_with_new_labels_asks_for_a_run():
    asked = judge(make_incident(AUC), make_facts([AUC], new_rows=ENOUGH), SETTINGS)
    assert asked.wants_run
    assert "asked for by estimated_quality/auc, with 5,000 new labelled rows" in asked.reason
    assert judge(asked, make_facts([AUC], new_rows=ENOUGH), SETTINGS) is None


def test_without_the_section_nothing_retrains():
    assert judge(make_incident(AUC), make_facts([AUC], new_rows=ENOUGH), None) is None


def test_drift_alone_does_not_retrain_unless_asked():
    facts = make_facts([DRIFT], new_rows=ENOUGH)
    assert judge(make_incident(DRIFT), facts, SETTINGS) is None
    named = RetrainingSettings(signals=("drift/dep_*",))
    assert judge(make_incident(DRIFT), facts, named).wants_run
    other = RetrainingSettings(signals=("drift/arr_*",))
    assert judge(make_incident(DRIFT), facts, other) is None


def test_broken_data_never_retrains_and_resolves_by_itself():
    rules = RetrainingSettings(signals=("*",))
    broken = make_incident(FEED)
    assert judge(broken, make_facts([FEED], new_rows=ENOUGH), rules) is None
    assert judge(broken, make_facts([AUC], new_rows=ENOUGH), rules).state == IncidentState.RESOLVED


def test_nothing_retrains_while_data_is_broken():
    facts = make_facts([AUC], new_rows=ENOUGH, broken_data="v3-data-1")
    asked = judge(make_incident(AUC), make_facts([AUC], new_rows=ENOUGH), SETTINGS)
    for incident in (make_incident(AUC), asked):
        held = judge(incident, facts, SETTINGS)
        assert (held.wants_run, held.state) == (False, IncidentState.OPEN)
        assert held.reason.endswith("the data is broken (v3-data-1)")
        assert judge(held, facts, SETTINGS) is None
        assert judge(held, make_facts([AUC], new_rows=ENOUGH), SETTINGS).wants_run
    drifted = make_facts([DRIFT], new_rows=ENOUGH, broken_data="v3-data-1")
    assert judge(make_incident(DRIFT), drifted, SETTINGS) is None
    assert judge(make_incident(AUC), facts, None) is None


def test_without_new_labels_a_person_is_needed_until_they_arrive():
    person = judge(make_incident(AUC), make_facts([AUC], new_rows=FEW), SETTINGS)
    assert person.state == IncidentState.NEEDS_A_PERSON
    assert "10 new labelled rows" in person.reason
    assert judge(person, make_facts([AUC], new_rows=FEW), SETTINGS) is None
    later = judge(person, make_facts([AUC], new_rows=ENOUGH), SETTINGS)
    assert later.wants_run


def test_where_nobody_is_to_be_called_it_waits_in_silence():
    quiet = RetrainingSettings(min_new_labelled_rows=1000, otherwise="wait")
    assert judge(make_incident(AUC), make_facts([AUC], new_rows=FEW), quiet) is None


@pytest.mark.parametrize(("rows", "runs"), [(999, False), (1000, True)])
def test_the_least_number_of_rows_is_enough(rows, runs):
    judged = judge(make_incident(AUC), make_facts([AUC], new_rows=NewRows(rows)), SETTINGS)
    assert judged.wants_run is runs


def test_rows_that_nobody_counted_are_not_taken_for_none():
    assert judge(make_incident(AUC), make_facts([AUC], new_rows=None), SETTINGS) is None


def test_an_incident_whose_signals_clear_is_resolved():
    assert judge(make_incident(AUC), make_facts([]), SETTINGS).state == IncidentState.RESOLVED
    # Without a look nothing is known.
    assert judge(make_incident(AUC), make_facts([], looks=0), SETTINGS) is None


def test_a_run_is_noted_once_and_only_where_one_is_asked_for():
    assert started(make_incident(AUC), "run-1", NOON, "me") is None
    running = make_retraining()
    assert (running.state, running.run, running.wants_run) == ("retraining", "run-1", False)
    assert started(running, "run-2", NOON, "me") is None


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.REFUSED, "was refused by the gate: AUC fell"),
        (Outcome.STOPPED, "was stopped: AUC fell"),
        (Outcome.FAILED, "failed: AUC fell"),
        (Outcome.UNCHANGED, "made the model that serves already: AUC fell"),
    ],
)
def test_a_retrain_that_pushed_nothing_is_not_repeated(outcome, words):
    judged = judge(make_retraining(), make_facts([AUC], run=RunEnd(outcome, "AUC fell.")), SETTINGS)
    assert judged.state == IncidentState.ESCALATED
    assert words in judged.reason
    assert judge(judged, make_facts([AUC], new_rows=ENOUGH), SETTINGS) is None


def test_a_stopped_run_that_a_person_resumed_counts_when_it_pushes():
    stopped = judge(
        make_retraining(),
        make_facts([AUC], run=RunEnd(Outcome.STOPPED, "span 3 is missing.")),
        SETTINGS,
    )
    assert "Fix that and resume it" in stopped.reason
    pushed = judge(
        stopped, make_facts([], champion=4, looks=0, run=RunEnd(Outcome.PUSHED, "", 4)), SETTINGS
    )
    assert (pushed.state, pushed.pushed) == (IncidentState.RETRAINING, 4)
    assert judge(pushed, make_facts([], champion=4, looks=3), SETTINGS).state == "resolved"


def test_a_refused_retrain_of_what_cleared_meanwhile_is_no_escalation():
    judged = judge(
        make_retraining(), make_facts([], run=RunEnd(Outcome.REFUSED, "AUC fell.")), SETTINGS
    )
    assert judged.state == IncidentState.RESOLVED


def test_an_incident_stays_while_its_run_goes_on():
    for run in (None, RunEnd(Outcome.OPEN)):
        assert judge(make_retraining(), make_facts([], run=run), SETTINGS) is None


def test_a_run_without_an_end_is_given_up():
    late = Facts(NOON + timedelta(days=1, seconds=1), 3, [AUC], 9, RunEnd(Outcome.OPEN))
    judged = judge(make_retraining(), late, SETTINGS)
    assert judged.state == IncidentState.ESCALATED
    assert "no end for 24 hours" in judged.reason


def test_after_a_push_the_next_looks_decide():
    pushed = make_retraining(pushed=4)
    assert (pushed.state, pushed.pushed) == (IncidentState.RETRAINING, 4)
    assert judge(pushed, make_facts([], champion=4, looks=2), SETTINGS) is None
    helped = judge(pushed, make_facts([], champion=4, looks=3), SETTINGS)
    assert helped.state == IncidentState.RESOLVED


def test_a_retrain_that_did_not_help_is_escalated_and_ends_with_the_signals():
    again = Detection("estimated_quality/auc", "15", "Estimated AUC is 0.70, below 0.78.")
    judged = judge(make_retraining(pushed=4), make_facts([again], champion=4, looks=2), SETTINGS)
    assert judged.state == IncidentState.ESCALATED
    assert "did not help" in judged.reason
    # So nothing opens another incident, and no second run.
    assert judged.covers(again)
    assert judge(judged, make_facts([again], champion=4, looks=9), SETTINGS) is None
    assert judge(judged, make_facts([], champion=4, looks=9), SETTINGS).state == "resolved"


def test_drift_under_the_new_champion_does_not_hide_behind_broken_data():
    judged = judge(make_retraining(pushed=4), make_facts([FEED], champion=4, looks=3), SETTINGS)
    assert judged.state == IncidentState.RESOLVED


def test_a_push_that_was_taken_back_is_escalated():
    judged = judge(make_retraining(pushed=4), make_facts([AUC], champion=3), SETTINGS)
    assert "version 4, which run run-1 pushed, was taken out of service" in judged.reason


@pytest.mark.parametrize("champion", [5, None])
def test_another_champion_ends_every_incident_of_the_model(champion):
    for incident in (make_incident(AUC), make_retraining(pushed=4)):
        judged = judge(incident, make_facts([], champion=champion, looks=0), SETTINGS)
        assert judged.state == IncidentState.RESOLVED


def test_broken_data_outlives_a_champion():
    broken = make_incident(FEED)
    assert judge(broken, make_facts([], champion=4, looks=2), SETTINGS) is None
    assert judge(broken, make_facts([], champion=4, looks=3), SETTINGS).state == "resolved"


def test_what_is_resolved_stays_so():
    ended = judge(make_incident(AUC), make_facts([]), SETTINGS)
    assert judge(ended, make_facts([AUC], new_rows=ENOUGH), SETTINGS) is None


def test_of_many_signals_the_first_are_described():
    many = [Detection(f"drift/x{one}", "7", f"x{one} has moved.") for one in range(12)]
    assert make_incident(*many).reason == "x0 has moved; x1 has moved; and 10 more signals"
