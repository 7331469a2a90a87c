from datetime import UTC, datetime, timedelta

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring.incident import (
    Detection,
    Group,
    Incident,
    IncidentState,
    opened,
)

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
AUC = Detection("estimated_quality/auc", "7", "Estimated AUC is 0.71, below 0.78.", 0.71, 0.78)
FEED = Detection("data/weather", "7", "The column weather is empty in all rows.")


def _incident():
    return opened("v3-model-1", Group.MODEL, 3, [AUC], NOON, "run-1")


def test_an_incident_is_read_as_it_was_written():
    incident = _incident().changed(
        IncidentState.RETRAINING, NOON, "run r was started", "me", run="r", pushed=4
    )
    assert Incident.of({**incident.content(), "of a later release": 1}) == incident
    assert incident.content()["state"] == "retraining"


def test_broken_data_is_a_group_of_its_own():
    assert Group.of(FEED.kind) == Group.DATA
    assert Group.of(AUC.kind) == Group.MODEL
    assert opened("v3-data-1", Group.DATA, 3, [FEED], NOON).state == IncidentState.DATA_BROKEN


def test_time_does_not_go_back_where_clocks_differ():
    incident = _incident().changed(
        IncidentState.NEEDS_A_PERSON, NOON - timedelta(hours=3), "no new rows"
    )
    assert [one.at for one in incident.changes] == ["2026-11-26T12:00:00.000+00:00"] * 2


def test_since_is_when_the_present_state_began():
    later = NOON + timedelta(hours=1)
    incident = _incident().changed(IncidentState.RETRAINING, later, "run r was started")
    again = incident.changed(IncidentState.RETRAINING, later + timedelta(hours=1), "pushed")
    assert again.since == later.isoformat(timespec="milliseconds")


def test_a_detection_joins_once():
    later = Detection("estimated_quality/auc", "9", "Again.")
    incident = _incident().joined([AUC, later, later])
    assert [one.since for one in incident.detections] == ["7", "9"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"changes": [{"state": "lost", "at": "2026-11-26T12:00:00+00:00", "reason": ""}]},
        {"changes": [{"state": "open", "at": "yesterday", "reason": ""}]},
        {"detections": [{"name": "drift/x"}]},
        {"group": "weather"},
        {"changes": []},
        {"champion": None},
    ],
)
def test_what_is_no_incident_is_an_error(wrong):
    with pytest.raises(RetrainerError, match="no incident that retrainer wrote"):
        Incident.of({**_incident().content(), **wrong})
