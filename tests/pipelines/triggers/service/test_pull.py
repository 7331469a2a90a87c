"""Pulling with Google's own client from Google's own in-memory Pub/Sub server."""

import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from google.api_core.bidi import BackgroundConsumer
from servers.pubsub import PubSubServer

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.triggers.service import pull
from retrainer.pipelines.triggers.service.dead_letters import DeadLetterError, DeadLetters, describe
from retrainer.pipelines.triggers.service.holding import Holding
from retrainer.pipelines.triggers.service.metrics import Metrics
from retrainer.pipelines.triggers.service.processing import Processor
from retrainer.pipelines.triggers.service.pull import Puller, check_subscription, to_message
from retrainer.pipelines.triggers.types import Outcome, Result

STARTED = Outcome(Result.STARTED, "started.", "new-data", ("orders-1",))
integration = pytest.mark.integration("go")


class FakeHandler:
    """Gives one outcome after the other, the last one for ever, and keeps the messages."""

    def __init__(self, *outcomes):
        self._outcomes = list(outcomes)
        self.messages = []
        self._came = threading.Condition()

    def handle(self, message):
        with self._came:
            self.messages.append(message)
            self._came.notify_all()
            return self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]

    def wait_for(self, count):
        with self._came:
            assert self._came.wait_for(lambda: len(self.messages) >= count, 30)


@pytest.fixture
def server():
    with PubSubServer() as running:
        yield running


@pytest.fixture
def topic(server):
    return server.add_topic("triggers")


@pytest.fixture
def subscription(server, topic):
    # With a dead-letter policy Pub/Sub counts deliveries.
    policy = {"dead_letter_topic": topic, "max_delivery_attempts": 100}
    return server.add_subscription("trigger", topic, dead_letter_policy=policy)


@contextmanager
def pulling(subscription, handler, dead_letters=None):
    metrics, ended = Metrics(), threading.Event()
    puller = Puller(subscription, Processor(handler, metrics, dead_letters), metrics)
    puller.start(ended.set)
    try:
        yield metrics
    finally:
        puller.stop(20)
        assert ended.wait(60)


@integration
def test_a_message_is_handled_as_it_was_published_and_acknowledged(server, topic, subscription):
    handler = FakeHandler(STARTED)
    with pulling(subscription, handler) as metrics:
        sent = server.publish(topic, b"\x00body", eventType="OBJECT_FINALIZE")
        handler.wait_for(1)
    (message,) = handler.messages
    assert (message.message_id, message.data) == (sent, b"\x00body")
    assert message.attributes == {"eventType": "OBJECT_FINALIZE"}
    assert message.published.tzinfo
    labels = {"trigger": "new-data", "result": "started"}
    assert metrics.registry.get_sample_value("retrainer_messages_total", labels) == 1
    with pulling(subscription, again := FakeHandler(STARTED)):
        server.publish(topic, b"another")
        again.wait_for(1)
    assert [message.data for message in again.messages] == [b"another"]


@integration
def test_a_failed_message_is_delivered_again(server, topic, subscription):
    handler = FakeHandler(Outcome(Result.FAILED, "the API is down."), STARTED)
    with pulling(subscription, handler):
        server.publish(topic)
        handler.wait_for(2)
    assert len({message.message_id for message in handler.messages}) == 1
    assert [message.delivery_attempt for message in handler.messages] == [1, 2]


@integration
def test_a_bug_is_no_lost_message(server, topic, subscription):
    class Broken(FakeHandler):
        def handle(self, message):
            outcome = super().handle(message)
            if len(self.messages) == 1:
                raise RuntimeError("a bug")
            return outcome

    handler = Broken(STARTED)
    with pulling(subscription, handler):
        server.publish(topic)
        handler.wait_for(2)


@integration
def test_a_deferred_message_is_held_and_looked_at_when_it_is_due(server, topic, subscription):
    handler = FakeHandler(Outcome(Result.DEFERRED, "not yet.", retry_seconds=0.2), STARTED)
    with pulling(subscription, handler):
        server.publish(topic)
        handler.wait_for(2)
    assert len({message.message_id for message in handler.messages}) == 1
    assert [message.delivery_attempt for message in handler.messages] == [1, 1]


@integration
def test_messages_that_are_held_go_back_when_the_puller_stops(server, topic, subscription):
    handler = FakeHandler(Outcome(Result.DEFERRED, "not yet.", retry_seconds=500))
    with pulling(subscription, handler) as metrics:
        server.publish(topic)
        handler.wait_for(1)
        while metrics.registry.get_sample_value("retrainer_held_messages") != 1:
            pass
    with pulling(subscription, other := FakeHandler(STARTED)):
        other.wait_for(1)


@integration
def test_what_can_not_be_held_goes_back_to_pubsub(server, topic, subscription, monkeypatch):
    monkeypatch.setattr(pull, "MAX_HELD", 0)
    handler = FakeHandler(Outcome(Result.DEFERRED, "not yet.", retry_seconds=60), STARTED)
    with pulling(subscription, handler):
        server.publish(topic)
        handler.wait_for(2)


@integration
def test_an_invalid_message_arrives_in_the_dead_letter_topic_with_the_reason(
    server, topic, subscription
):
    dead = server.add_topic("dead")
    letters = server.add_subscription("letters", dead)
    handler = FakeHandler(Outcome(Result.INVALID, "the body is not JSON."), STARTED)
    with pulling(subscription, handler, DeadLetters(dead)):
        sent = server.publish(topic, b"not JSON", origin="somewhere")
        handler.wait_for(1)
        (letter,) = server.pull(letters, 1)
        server.publish(topic)
        handler.wait_for(2)
    assert letter.data == b"not JSON"
    assert dict(letter.attributes) == {
        "origin": "somewhere",
        "retrainer-message-id": sent,
        "retrainer-published": letter.attributes["retrainer-published"],
        "retrainer-reason": "the body is not JSON.",
    }
    assert datetime.fromisoformat(letter.attributes["retrainer-published"]) <= letter.publish_time
    assert handler.messages[1].message_id != sent


@integration
@pytest.mark.parametrize("name", ["timeout", "retry", "topic", "data", "ordering_key"])
def test_a_dead_letter_with_any_attribute_is_published(server, topic, subscription, name):
    dead = server.add_topic(f"dead-{name}")
    letters = server.add_subscription(f"letters-{name}", dead)
    DeadLetters(dead).publish(to_message_of("7", **{name: "5"}), "no.")
    (letter,) = server.pull(letters, 1)
    assert letter.attributes[name] == "5"


@integration
def test_an_invalid_message_without_a_topic_is_delivered_again(server, topic, subscription):
    handler = FakeHandler(Outcome(Result.INVALID, "no."), STARTED)
    with pulling(subscription, handler):
        server.publish(topic)
        handler.wait_for(2)


@integration
def test_an_invalid_message_is_kept_while_the_dead_letter_topic_does_not_take_it(
    server, topic, subscription
):
    handler = FakeHandler(Outcome(Result.INVALID, "no."), STARTED)
    missing = DeadLetters("projects/acme-ml/topics/missing")
    with pulling(subscription, handler, missing) as metrics:
        server.publish(topic)
        handler.wait_for(2)
    sample = metrics.registry.get_sample_value("retrainer_dead_letters_total", {"result": "failed"})
    assert sample == 1


@integration
def test_a_missing_topic_is_named(server, topic):
    message = to_message_of("7")
    with pytest.raises(DeadLetterError, match=r"message 7 .*'projects/acme-ml/topics/missing'"):
        DeadLetters("projects/acme-ml/topics/missing").publish(message, "no.")


@integration
def test_a_subscription_that_is_not_there_ends_the_puller_with_its_name(server):
    metrics, ended = Metrics(), threading.Event()
    puller = Puller(
        "projects/acme-ml/subscriptions/none", Processor(FakeHandler(), metrics), metrics
    )
    puller.start(ended.set)
    assert ended.wait(60)
    with pytest.raises(RetrainerError, match="no messages are being pulled from"):
        puller.check()
    with pytest.raises(RetrainerError, match=r"subscriptions/none' can't be pulled from"):
        puller.stop(20)


@integration
def test_a_refusal_while_the_stream_is_opened_names_the_subscription(server, monkeypatch):
    start = BackgroundConsumer.start

    def start_and_wait_for_the_refusal(consumer):
        start(consumer)
        deadline = time.monotonic() + 30
        while consumer._thread is not None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)

    monkeypatch.setattr(BackgroundConsumer, "start", start_and_wait_for_the_refusal)
    metrics, ended = Metrics(), threading.Event()
    puller = Puller(
        "projects/acme-ml/subscriptions/none", Processor(FakeHandler(), metrics), metrics
    )
    puller.start(ended.set)
    assert ended.wait(60)
    with pytest.raises(RetrainerError, match="no messages are being pulled from"):
        puller.check()
    with pytest.raises(RetrainerError, match=r"subscriptions/none' can't be pulled from"):
        puller.stop(20)


@integration
def test_exactly_once_delivery_is_confirmed(server, topic):
    name = server.add_subscription("once", topic, enable_exactly_once_delivery=True)
    handler = FakeHandler(STARTED)
    with pulling(name, handler) as metrics:
        server.publish(topic)
        handler.wait_for(1)
    assert metrics.registry.get_sample_value("retrainer_unconfirmed_acks_total") == 0


def to_message_of(message_id, **attributes):
    class Received:
        data = b""
        publish_time = datetime(2026, 3, 1, tzinfo=UTC)
        delivery_attempt = None

    Received.message_id, Received.attributes = message_id, attributes
    return to_message(Received)


def test_a_dead_letter_keeps_within_pubsubs_limits():
    message = to_message_of("7", **{f"key-{n}": "x" for n in range(100)})
    attributes = describe(message, "ä" * 1000)
    assert len(attributes) == 100
    assert attributes["retrainer-message-id"] == "7"
    assert attributes["retrainer-reason"] == "ä" * 512


@pytest.mark.parametrize(
    "name", ["", "trigger", "projects/acme-ml/topics/x", "projects//subscriptions/x"]
)
def test_a_subscription_must_be_named_in_full(name):
    with pytest.raises(RetrainerError, match="projects/<project>/subscriptions/<name>"):
        check_subscription(name)


@pytest.mark.parametrize(
    "topic", ["dead", "projects/acme-ml/subscriptions/x", "projects/x/topics/"]
)
def test_a_topic_must_be_named_in_full(topic):
    with pytest.raises(RetrainerError, match="projects/<project>/topics/<name>"):
        DeadLetters(topic)


def test_held_items_come_out_when_they_are_due_and_in_that_order():
    out, done = [], threading.Event()

    def release(item):
        out.append(item)
        if len(out) == 3:
            done.set()

    holding = Holding(release, 4)
    assert holding.hold("third", 0.02)
    assert holding.hold("first", 0.0)
    assert holding.hold("second", 0.01)
    assert holding.hold("never", 600)
    assert done.wait(60)
    assert holding.stop() == ["never"]
    assert out == ["first", "second", "third"]
    assert not holding.hold("late", 0)
