"""Dead letters go back to the topic that they came from, and are lost nowhere on the way."""

import sys
from types import ModuleType

import pytest
from servers.pubsub import PubSubServer

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
    given_up = {"retrainer-reason": "no JSON.", "retrainer-message-id": "17"}
    server.publish(dead, b"refused", **given_up, **{"retrainer-trigger": "on-request"})
    server.publish(dead, b"too often", CloudPubSubDeadLetterSourceDeliveryCount="100", team="ml")

    run(replay, monkeypatch, lying, alive, "--dry-run")
    assert "2 messages lie there" in capsys.readouterr().out
    run(replay, monkeypatch, lying, alive)
    said = capsys.readouterr().out
    assert "no JSON." in said
    assert "2 messages published again" in said

    messages = {message.data: dict(message.attributes) for message in server.pull(pushed, 2)}
    assert messages == {
        b"refused": {"retrainer-trigger": "on-request"},
        b"too often": {"team": "ml"},
    }
    run(replay, monkeypatch, lying, alive)
    assert "0 messages published again" in capsys.readouterr().out
