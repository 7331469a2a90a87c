"""Following incidents: looks, replicas, deaths between any two writes, and what came of their runs."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from servers.served_predictions import push_version

from retrainer.components.lib import numbered_records
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring import incidents as module
from retrainer.components.lib.monitoring.incident import Detection, IncidentState
from retrainer.components.lib.monitoring.incident_changes import resolved
from retrainer.components.lib.monitoring.incident_judgement import NewRows
from retrainer.components.lib.monitoring.incident_records import IncidentRecords
from retrainer.components.lib.monitoring.incidents import (
    Seen,
    follow_incidents,
    incident_of_run,
    note_run,
    read_run_end,
)
from retrainer.components.lib.monitoring.retraining_settings import RetrainingSettings
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.runs.run_records import recording
from retrainer.components.lib.runs.run_traces import Outcome
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import create_exclusive, write_json

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
AUC = Detection("estimated_quality/auc", "7", "AUC is 0.71, below 0.78.")
AGAIN = Detection("estimated_quality/auc", "15", "AUC is 0.70, below 0.78.")
FEED = Detection("data/weather", "7", "weather is empty.")
SETTINGS = RetrainingSettings(min_new_labelled_rows=100)


@pytest.fixture
def store(tmp_path):
    uri = str(tmp_path)
    serve(uri, 3)
    return uri


def serve(store, version):
    registry = Registry(Store(store).models_uri)
    registry.move_alias(CHAMPION, version, registry.version_of(CHAMPION), {"at": NOON.isoformat()})


def look(store, *detected, champion=3, looks=5, rows=500, settings=SETTINGS):
    return follow_incidents(
        store,
        Seen(champion, looks, detected),
        settings,
        "a look",
        lambda _: NewRows(rows),
        lambda: NOON,
    )


def run_ends(store, run, outcome, version=None):
    with recording(store, "push_model", run) as record:
        record.note(outcome=outcome, version=version)
        record.verdict = f"{outcome}: so it is"


def only(store):
    (incident,) = IncidentRecords(store).all()
    return incident


def retrain(store, pushes=None):
    look(store, AUC)
    note_run(store, only(store).id, "run-1", "me", NOON)
    if pushes:
        run_ends(store, "run-1", "pushed", pushes)
        serve(store, pushes)


def test_a_look_opens_an_incident_that_asks_for_a_run(store):
    (changed,) = look(store, AUC)
    assert changed == only(store)
    assert changed.wants_run
    assert [one.state for one in changed.changes] == ["open", "open"]
    assert look(store, AUC) == []


def test_looks_of_replicas_at_once_make_one_incident(store):
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: look(store, AUC), range(12)))
    assert only(store).wants_run


def test_a_death_after_opening_is_made_up_for_by_the_next_look(store, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "judge", die)
        with pytest.raises(KeyboardInterrupt):
            look(store, AUC)
    assert not only(store).wants_run
    look(store, AUC)
    assert only(store).wants_run


def test_an_incident_opens_whatever_look_was_killed_before_it(store):
    # The state says `detected since look 7`, and look 8 is the first that lives long enough to open it.
    look(store, AUC)
    (only_one,) = IncidentRecords(store).all()
    assert [one.since for one in only_one.detections] == ["7"]


@pytest.mark.parametrize("passed", [AUC, FEED])
def test_what_cleared_before_anybody_looked_is_on_record_and_starts_nothing(store, passed):
    for _ in range(2):
        seen = Seen(3, 5, (), None, (passed,))
        follow_incidents(store, seen, SETTINGS, "a look", lambda _: NewRows(500), lambda: NOON)
        assert only(store).state == IncidentState.RESOLVED
    assert [one.state for one in only(store).changes][1:] == ["resolved"]
    assert not only(store).wants_run


def test_broken_data_and_a_worse_model_at_once_hold_the_run_back(store):
    look(store, AUC, FEED)
    records = IncidentRecords(store)
    assert records.find("v3-data-1").state == IncidentState.DATA_BROKEN
    assert not records.find("v3-model-1").wants_run
    look(store, AUC)
    assert records.find("v3-data-1").state == IncidentState.RESOLVED
    look(store, AUC)
    assert records.find("v3-model-1").wants_run


def test_rows_are_counted_only_where_they_decide(store):
    def never(_):
        raise AssertionError

    follow_incidents(store, Seen(3, 5, [FEED]), SETTINGS, "", never, lambda: NOON)
    follow_incidents(store, Seen(3, 5, [AUC]), None, "", never, lambda: NOON)


def test_labels_that_come_later_start_the_run_once(store):
    look(store, AUC, rows=99)
    assert only(store).state == IncidentState.NEEDS_A_PERSON
    look(store, AUC, rows=100)
    assert only(store).wants_run
    assert note_run(store, only(store).id, "run-1", "me")
    assert note_run(store, only(store).id, "run-1", "me") is None
    assert look(store, AUC, rows=100) == []


def test_a_retrain_that_helped(store):
    retrain(store, pushes=4)
    look(store, champion=4, looks=1)
    assert (only(store).state, only(store).pushed) == (IncidentState.RETRAINING, 4)
    look(store, champion=4, looks=3)
    assert only(store).state == IncidentState.RESOLVED


def test_a_look_at_the_old_champion_says_nothing_of_the_new_one(store):
    retrain(store, pushes=4)
    look(store, AUC, champion=3, looks=9)
    assert only(store).state == IncidentState.RETRAINING


def test_a_retrain_that_did_not_help_is_escalated_and_not_repeated(store):
    retrain(store, pushes=4)
    look(store, AGAIN, champion=4, looks=2)
    assert only(store).state == IncidentState.ESCALATED
    assert look(store, AGAIN, champion=4, looks=3) == []
    assert not only(store).wants_run


DRIFT = Detection("drift/dep_delay", "15", "dep_delay has moved.")


def test_a_column_that_moved_does_not_say_that_the_retrain_did_not_help(store):
    retrain(store, pushes=4)
    look(store, DRIFT, champion=4, looks=1)
    records = IncidentRecords(store)
    assert records.find("v3-model-1").state == IncidentState.RETRAINING
    assert records.find("v4-model-1").state == IncidentState.OPEN
    look(store, DRIFT, champion=4, looks=3)
    assert records.find("v3-model-1").state == IncidentState.RESOLVED
    assert not records.find("v4-model-1").wants_run


def test_what_escalates_an_incident_starts_no_run_for_another(store):
    retrain(store, pushes=4)
    look(store, DRIFT, champion=4, looks=1)
    look(store, DRIFT, AGAIN, champion=4, looks=2)
    records = IncidentRecords(store)
    assert records.find("v3-model-1").state == IncidentState.ESCALATED
    look(store, DRIFT, AGAIN, champion=4, looks=3)
    assert not records.find("v4-model-1").wants_run


def test_looks_that_could_not_judge_the_signal_confirm_nothing(store):
    retrain(store, pushes=4)
    for judged, state in ((0, IncidentState.RETRAINING), (3, IncidentState.RESOLVED)):
        seen = Seen(4, 9, (), {"estimated_quality/auc": judged, "data/volume": 9})
        follow_incidents(store, seen, SETTINGS, clock=lambda: NOON)
        assert only(store).state == state


def test_what_a_person_resolved_retrains_nothing_when_something_else_is_detected(store):
    look(store, AUC)
    records = IncidentRecords(store)
    records.change("v3-model-1", lambda one: resolved(one, NOON, "known", "ann"))
    look(store, AUC, DRIFT)
    assert records.find("v3-model-2").detections == (DRIFT,)
    assert not records.find("v3-model-2").wants_run
    look(store, AUC)
    assert records.find("v3-model-2").state == IncidentState.RESOLVED


def test_what_is_detected_after_an_incident_has_ended_is_another_one(store):
    retrain(store, pushes=4)
    look(store, champion=4, looks=3)
    look(store, AGAIN, champion=4, looks=9)
    assert [one.id for one in IncidentRecords(store).all()] == ["v3-model-1", "v4-model-1"]
    assert IncidentRecords(store).find("v4-model-1").wants_run


def test_a_refused_run_is_known_without_another_look(store):
    retrain(store)
    run_ends(store, "run-1", "refused")
    (changed,) = follow_incidents(store, None, SETTINGS, clock=lambda: NOON)
    assert changed.state == IncidentState.ESCALATED
    assert "refused by the gate: refused: so it is" in changed.reason


def test_a_run_that_failed_on_this_machine_is_known_by_its_record(store):
    retrain(store)
    record = Store(store).run_record_uri("run-1")
    with recording(store, "ingest_spans", "run-1"):
        pass
    for state, words in (("interrupted", None), ("failed", "train_model: out of memory")):
        write_json(record, {"state": state, "error": words})
        end = read_run_end(store, "run-1")
        assert end.outcome == (Outcome.FAILED if words else Outcome.OPEN)
    assert end.sentence == words
    assert read_run_end(store, "another") is None


def test_a_push_that_was_killed_and_tried_again_is_one(store, tmp_path):
    retrain(store)
    pushed = push_version(store, tmp_path, since=NOON, info={"run": "run-1"}, champion=False)
    serve(store, pushed)
    run_ends(store, "run-1", "unchanged", pushed)
    look(store, champion=pushed, looks=1)
    assert (only(store).state, only(store).pushed) == (IncidentState.RETRAINING, pushed)


def test_a_pushed_model_that_a_service_does_not_serve_yet_is_pushed(store):
    retrain(store, pushes=4)
    with pytest.raises(RetrainerError), recording(store, "deploy_model", "run-1"):
        raise RetrainerError("KServe does not answer.")
    end = read_run_end(store, "run-1")
    assert (end.outcome, end.version) == (Outcome.PUSHED, 4)


def test_a_champion_that_is_rolled_back_by_hand_ends_what_the_other_had(store):
    look(store, AUC)
    serve(store, 2)
    look(store, champion=3, looks=9)
    assert only(store).state == IncidentState.RESOLVED
    assert "version 2 is the champion now" in only(store).reason


def test_a_run_names_its_incident_even_before_its_start_is_noted(store):
    look(store, AUC)
    run = "orders-v3-model-1-0123456789ab"
    assert incident_of_run(store, run).id == "v3-model-1"
    note_run(store, "v3-model-1", run, "me")
    assert incident_of_run(store, run).run == run
    for other in ("orders-v3-model-1-ffffffffffff", "orders-v3-model-2-0123456789ab", "orders-1"):
        assert incident_of_run(store, other) is None


def test_an_incident_that_cannot_be_read_is_no_error_for_its_run(store):
    look(store, AUC)
    for number in (1, 2):
        write_json(f"{Store(store).incident_uri('v3-model-1')}/{number:06d}.json", {})
    assert incident_of_run(store, "orders-v3-model-1-0123456789ab") is None


def test_clocks_that_differ_change_no_order(store):
    look(store, AUC)
    note_run(store, only(store).id, "run-1", "me", NOON - timedelta(hours=5))
    moments = [one.at for one in only(store).changes]
    assert moments == sorted(moments)


def test_the_records_are_plain_json(store):
    look(store, AUC)
    uri = f"{Store(store).incident_uri('v3-model-1')}/000002.json"
    with open(uri) as file:
        content = json.load(file)
    assert (content["state"], content["wants_run"], content["format"]) == ("open", True, 1)


class Mortal:
    """Creates records until its time has come: then the process dies, before the record is there or just after."""

    def __init__(self, at, after):
        self.left, self.after = at, after

    def __call__(self, uri, data):
        self.left -= 1
        if self.left == 0 and not self.after:
            raise KeyboardInterrupt
        created = create_exclusive(uri, data)
        if self.left == 0:
            raise KeyboardInterrupt
        return created


def _live(store):
    """Go from a detection to the end of its incident, step by step; what was done is not done again."""
    registry = Registry(Store(store).models_uri)
    if registry.version_of(CHAMPION) == 3:
        look(store, AUC)
        note_run(store, "v3-model-1", "run-1", "me", NOON)
        serve(store, 4)
    run_ends(store, "run-1", "pushed", 4)
    look(store, DRIFT, champion=4, looks=1)
    look(store, champion=4, looks=3)


def _outcome(store):
    return [
        (one.id, one.state, one.run, one.pushed, [found.key for found in one.detections])
        for one in IncidentRecords(store).all()
    ]


@pytest.mark.parametrize("after", [False, True], ids=["before a record", "after a record"])
def test_a_death_at_any_record_changes_nothing_in_the_end(store, tmp_path, monkeypatch, after):
    _live(store)
    reached = _outcome(store)
    assert [one[:4] for one in reached] == [
        ("v3-model-1", "resolved", "run-1", 4),
        ("v4-model-1", "resolved", "", None),
    ]
    deaths = 0
    for at in range(1, 14):
        other = str(tmp_path / f"died-at-{at}")
        serve(other, 3)
        with monkeypatch.context() as patch:
            patch.setattr(numbered_records, "create_exclusive", Mortal(at, after))
            try:
                _live(other)
            except KeyboardInterrupt:
                deaths += 1
        _live(other)
        assert _outcome(other) == reached, f"died at record {at}"
    assert deaths >= 8
