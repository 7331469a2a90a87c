import pytest
from servers.trigger_messages import alertmanager, incident

from retrainer.pipelines.triggers.messages.alerts import read_alerts
from retrainer.pipelines.triggers.types import InvalidMessageError


def test_an_open_incident_of_cloud_monitoring_is_identified_by_its_id():
    (read,) = read_alerts(incident("0.abc", policy="drift"))
    assert (read.key, read.name) == ("0.abc", "drift")


def test_a_closed_incident_and_a_test_of_the_channel_begin_nothing():
    assert read_alerts(incident(state="closed")) == []
    assert read_alerts({**incident(), "version": "test"}) == []


def test_of_alertmanagers_alerts_those_that_fire_are_identified_by_fingerprint_and_start():
    read = read_alerts(
        alertmanager(
            ("firing", "Drift", "f1"), ("resolved", "Drift", "f2"), ("firing", "Lag", "f3")
        )
    )
    assert [(one.name, one.key) for one in read] == [
        ("Drift", "f1@2026-03-01T11:58:00Z"),
        ("Lag", "f3@2026-03-01T11:58:00Z"),
    ]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"incident": 7}, "'incident' is 7"),
        ({"incident": {}}, "'state' is missing"),
        ({"incident": {"state": "open"}}, "'incident_id' is missing"),
        ({"incident": {"state": "open", "incident_id": "i"}}, "'policy_name' is missing"),
        ({"alerts": {}}, "'alerts' is {}"),
        ({"alerts": [7]}, "must be a list of JSON objects"),
        ({"alerts": [{"status": "firing"}]}, "'labels' is missing"),
        ({"alerts": [{"status": "firing", "labels": {}}]}, "'fingerprint' is missing"),
    ],
)
def test_a_wrong_alert_names_what_is_wrong(body, says):
    with pytest.raises(InvalidMessageError, match=says):
        read_alerts(body)
