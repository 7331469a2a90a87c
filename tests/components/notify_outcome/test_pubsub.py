"""Publishing with Google's own client to Google's own in-memory Pub/Sub server."""

import json

import pytest
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from servers.pubsub import PROJECT, PubSubServer

from retrainer.components.lib.messages.send_errors import MaybeSentError, NotSentError
from retrainer.components.notify_outcome.notification import Notification
from retrainer.components.notify_outcome.pubsub import PubSubTopic

NOTICE = Notification("flights", "run-1", "pushed", "pushed as version 3", model_version=3)

pytestmark = pytest.mark.integration("go")


@pytest.fixture(scope="module")
def server():
    with PubSubServer() as server:
        yield server


def test_a_subscription_gets_the_json_and_filters_by_outcome(server):
    topic = server.add_topic("outcomes")
    wanted = server.add_subscription(
        "pushed", topic, filter='attributes."retrainer-outcome" = "pushed"'
    )
    PubSubTopic(topic).send(Notification("flights", "run-0", "refused", "no"), 10.0)
    PubSubTopic(topic).send(NOTICE, 10.0)
    (message,) = server.pull(wanted, 1)
    assert json.loads(message.data) == NOTICE.content()
    assert message.attributes["retrainer-id"] == NOTICE.id


def test_a_topic_that_is_not_there_is_named(server):
    with pytest.raises(NotSentError, match=f"there is no topic '{PROJECT}/topics/gone'") as caught:
        PubSubTopic(f"{PROJECT}/topics/gone").send(NOTICE, 10.0)
    assert not caught.value.transient


def test_a_server_that_is_gone_is_left(server, monkeypatch):
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    with pytest.raises((NotSentError, MaybeSentError)):
        PubSubTopic(f"{PROJECT}/topics/outcomes").send(NOTICE, 1.0)


def test_no_connection_stays_open(server, monkeypatch):
    closed = []
    close = PublisherGrpcTransport.close
    monkeypatch.setattr(
        PublisherGrpcTransport, "close", lambda its: closed.append(its) or close(its)
    )
    PubSubTopic(server.add_topic("closed")).send(NOTICE, 10.0)
    with pytest.raises(NotSentError):
        PubSubTopic(f"{PROJECT}/topics/gone").send(NOTICE, 10.0)
    assert len(closed) == 2
