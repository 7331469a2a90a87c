from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring.incident import Detection, Group, IncidentState
from retrainer.components.lib.monitoring.incident_records import IncidentRecords
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import read_json, write_json

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def _found(since, name="estimated_quality/auc"):
    return Detection(name, str(since), f"{name} is bad.")


@pytest.fixture(params=["local", "memory"])
def records(request, tmp_path):
    uri = str(tmp_path) if request.param == "local" else f"memory://{uuid4().hex}"
    return IncidentRecords(uri)


def _resolve(records, identity):
    records.change(identity, lambda one: one.changed(IncidentState.RESOLVED, NOON, "cleared"))


def test_a_detection_opens_one_incident_however_often_it_is_seen(records):
    first = records.open(Group.MODEL, 3, [_found(7)], NOON)
    assert first.id == "v3-model-1"
    assert records.open(Group.MODEL, 3, [_found(7)], NOON) is None
    assert records.ids() == ["v3-model-1"]


def test_replicas_that_look_at_once_open_one_incident(records):
    def look(_):
        return IncidentRecords(records.store).open(
            Group.MODEL, 3, [_found(7), _found(7, "drift/x")], NOON
        )

    with ThreadPoolExecutor(8) as pool:
        made = [one for one in pool.map(look, range(16)) if one]
    assert len(made) == 1
    assert [len(one.detections) for one in records.all()] == [2]


def test_replicas_that_saw_different_signals_share_the_incident(records):
    def look(number):
        return IncidentRecords(records.store).open(
            Group.MODEL, 3, [_found(7, f"drift/x{number}")], NOON
        )

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(look, range(6)))
    (incident,) = records.all()
    assert {one.name for one in incident.detections} == {f"drift/x{one}" for one in range(6)}


def test_what_is_detected_later_joins_the_incident_that_goes_on(records):
    records.open(Group.MODEL, 3, [_found(7)], NOON)
    joined = records.open(Group.MODEL, 3, [_found(7), _found(9, "drift/x")], NOON)
    assert joined.id == "v3-model-1"
    assert [one.name for one in joined.detections] == ["estimated_quality/auc", "drift/x"]


def test_after_the_end_only_a_new_detection_opens_another(records):
    records.open(Group.MODEL, 3, [_found(7)], NOON)
    _resolve(records, "v3-model-1")
    assert records.open(Group.MODEL, 3, [_found(7)], NOON) is None
    assert records.open(Group.MODEL, 3, [_found(12)], NOON).id == "v3-model-2"


def test_broken_data_and_a_worse_model_are_two_incidents(records):
    records.open(Group.MODEL, 3, [_found(7)], NOON)
    records.open(Group.DATA, 3, [_found(7, "data/weather")], NOON)
    assert sorted(records.ids()) == ["v3-data-1", "v3-model-1"]


def test_broken_data_is_one_incident_whichever_model_serves(records):
    records.open(Group.DATA, 3, [_found(7, "data/weather")], NOON)
    assert records.open(Group.DATA, 4, [_found(15, "data/weather")], NOON).id == "v3-data-1"


def test_what_the_new_champion_shows_joins_an_escalated_incident_that_made_it(records):
    records.open(Group.MODEL, 3, [_found(7)], NOON)
    for state in (IncidentState.RETRAINING, IncidentState.ESCALATED):
        records.change(
            "v3-model-1", lambda one, now=state: one.changed(now, NOON, "so", run="r", pushed=4)
        )
    assert records.open(Group.MODEL, 4, [_found(15)], NOON).id == "v3-model-1"
    _resolve(records, "v3-model-1")
    assert records.open(Group.MODEL, 4, [_found(15)], NOON) is None
    assert records.open(Group.MODEL, 4, [_found(22)], NOON).id == "v4-model-1"


def test_what_else_the_new_champion_shows_is_its_own(records):
    records.open(Group.MODEL, 3, [_found(7)], NOON)
    records.change(
        "v3-model-1",
        lambda one: one.changed(IncidentState.RETRAINING, NOON, "pushed", run="r", pushed=4),
    )
    assert records.open(Group.MODEL, 4, [_found(15, "drift/x")], NOON).id == "v4-model-1"


def test_no_incident_is_no_error(records):
    assert (records.ids(), records.all()) == ([], [])
    assert records.find("v3-model-1") is None
    assert records.find("../../models") is None


def test_a_record_of_a_later_release_is_named(records):
    records.open(Group.MODEL, 3, [_found(7)], NOON)
    file = f"{Store(records.store).incident_uri('v3-model-1')}/000001.json"
    write_json(file, {**read_json(file), "format": 2})
    with pytest.raises(RetrainerError, match="'v3-model-1' has format 2"):
        records.all()
