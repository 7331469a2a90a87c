import json
from datetime import UTC, datetime

import pytest
from servers.pubsub import PubSubServer
from servers.receiver import Receiver

from retrainer.components.lib.messages.send_errors import NotSentError
from retrainer.components.lib.monitoring import run_request as module
from retrainer.components.lib.monitoring.incident import Detection, Group, opened
from retrainer.components.lib.monitoring.run_request import request_run

INCIDENT = opened(
    "v3-model-1",
    Group.MODEL,
    3,
    [Detection("estimated_quality/auc", "7", "bad")],
    datetime(2026, 11, 26, tzinfo=UTC),
)


@pytest.fixture
def receiver():
    with Receiver() as server:
        yield server


def test_an_incident_is_posted_to_the_trigger_service_with_a_token(receiver, monkeypatch):
    monkeypatch.setattr(module, "_token", lambda audience: f"token for {audience}")
    url = f"{receiver.url}/hook"
    request_run(INCIDENT, {"pipeline": "orders", "url": url, "audience": "us"})
    (request,) = receiver.requests
    assert json.loads(request.body) == {"id": "v3-model-1", "pipeline": "orders"}
    assert request.headers["retrainer-trigger"] == "retraining"
    assert request.headers["Authorization"] == "Bearer token for us"


def test_a_service_that_is_away_is_said(receiver, monkeypatch):
    monkeypatch.setattr(module, "_token", lambda _: "")
    receiver.status = 429
    with pytest.raises(NotSentError, match="429"):
        request_run(INCIDENT, {"pipeline": "orders", "url": f"{receiver.url}/hook"})


@pytest.mark.integration("go")
def test_an_incident_is_published_as_the_trigger_service_pulls_it():
    with PubSubServer() as server:
        topic = server.add_topic("messages")
        subscription = server.add_subscription("trigger", topic)
        request_run(INCIDENT, {"pipeline": "orders", "topic": topic})
        (message,) = server.pull(subscription, 1)
    assert json.loads(message.data) == {"id": "v3-model-1", "pipeline": "orders"}
    assert dict(message.attributes) == {"retrainer-trigger": "retraining"}


def test_without_a_place_nothing_is_sent():
    request_run(INCIDENT, {"pipeline": "orders"})
