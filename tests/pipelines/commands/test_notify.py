"""`retrainer notify test`: a message over each channel, now."""

import json

import pytest
from servers.receiver import Receiver

from retrainer.components.lib.errors import RetrainerError


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def channels(project, receiver, monkeypatch):
    monkeypatch.setenv("RETRAINER_SLACK_URL", f"{receiver.url}/hook/slack")
    file = project / "retrain.yaml"
    file.write_text(
        f"{file.read_text()}notify:\n  on: [failed]\n  slack: {{}}\n  webhook: {{url: '{receiver.url}/hook'}}\n"
    )
    return file


def test_each_channel_gets_a_message_every_time(retrainer, channels, receiver):
    for _ in range(2):
        assert retrainer("notify", "test", "--file", channels) == "webhook: sent\nslack: sent\n"
    assert sorted(request.path for request in receiver.requests) == [
        *["/hook"] * 2,
        *["/hook/slack"] * 2,
    ]
    message = next(json.loads(one.body) for one in receiver.requests if one.path == "/hook")
    assert (message["outcome"], message["test"]) == ("test", True)
    assert message["title"] == "[test] orders: this channel works"


def test_a_channel_that_fails_is_named(retrainer, channels, receiver, monkeypatch):
    monkeypatch.delenv("RETRAINER_SLACK_URL")
    with pytest.raises(RetrainerError, match="1 channel of 2 failed"):
        retrainer("notify", "test", "--file", channels)
    with pytest.raises(RetrainerError, match=r"no channel 'slak'.*Did you mean 'slack'"):
        retrainer("notify", "test", "--file", channels, "--channel", "slak")
    assert retrainer("notify", "test", "--file", channels, "--channel", "webhook") == (
        "webhook: sent\n"
    )


def test_a_file_without_channels_says_how_to_add_one(retrainer, project):
    with pytest.raises(RetrainerError, match=r"notify has no channel; add one"):
        retrainer("notify", "test", "--file", project / "retrain.yaml")
