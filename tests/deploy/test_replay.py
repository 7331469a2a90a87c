"""Dead letters go back to the topic that they came from, and are lost nowhere on the way."""

import sys
from datetime import UTC, datetime
from types import ModuleType

import pytest
from servers.pubsub import PubSubServer

from retrainer.pipelines.triggers.messages.contents import restore
from retrainer.pipelines.triggers.service.dead_letters import DeadLetters
from retrainer.pipelines.triggers.types import Message

pytestmark = pytest.mark.integration("go")


@pytest.fixture
def server(replay: ModuleType, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(replay, "QUIET_SECONDS", 1.0)
    with PubSubServer() as server:
        yield server


def run(replay: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["replay.py", *arguments])
    assert replay.main() == 0


def test_dead_letters_are_published_again_as_they_were(
    replay: ModuleType,
    server: PubSubServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dead, alive = server.add_topic("dead-letters"), server.add_topic("messages")
    lying = server.add_subscription("dead-letters", dead)
    pushed = server.add_subscription("push", alive)
    first = {"retrainer-message-id": "17", "retrainer-published": "2026-03-01T12:00:00+00:00"}
    asked = {"retrainer-trigger": "on-request"}
    server.publish(dead, b"refused", **{"retrainer-reason": "no JSON."}, **first, **asked)
    source = {
        "CloudPubSubDeadLetterSourceDeliveryCount": "100",
        "CloudPubSubDeadLetterSourceTopicPublishTime": "2026-03-01T11:00:00.5+00:00",
    }
    too_often = server.publish(dead, b"too often", **source, team="ml")

    run(replay, monkeypatch, lying, alive, "--dry-run")
    assert "2 messages lie there" in capsys.readouterr().out
    run(replay, monkeypatch, lying, alive)
    said = capsys.readouterr().out
    assert "no JSON." in said
    assert "2 messages published again" in said

    messages = {message.data: dict(message.attributes) for message in server.pull(pushed, 2)}
    assert messages == {
        b"refused": {**first, **asked},
        b"too often": {
            "team": "ml",
            "retrainer-message-id": too_often,
            "retrainer-published": "2026-03-01T11:00:00.5+00:00",
        },
    }
    run(replay, monkeypatch, lying, alive)
    assert "0 messages published again" in capsys.readouterr().out


def test_a_dead_letter_with_any_attribute_is_published_again_and_known_as_itself(
    replay: ModuleType, server: PubSubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, alive = server.add_topic("dead-letters"), server.add_topic("messages")
    lying = server.add_subscription("dead-letters", dead)
    pushed = server.add_subscription("push", alive)
    odd = dict.fromkeys(("timeout", "retry", "topic", "data", "ordering_key"), "5")
    published = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
    sent = Message("17", b"", {**odd, "retrainer-trigger": "nightly"}, published)
    DeadLetters(dead).publish(sent, "no.")
    run(replay, monkeypatch, lying, alive)
    (message,) = server.pull(pushed, 1)
    received = Message(
        message.message_id, message.data, dict(message.attributes), message.publish_time
    )
    again = restore(received)
    assert (again.message_id, again.published, again.attributes) == (
        sent.message_id,
        sent.published,
        sent.attributes,
    )
