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


@pytest.fixture
def notifying(project, monkeypatch):
    """A project that notifies; its secret is given to the task by Kubernetes."""
    file = project / "retrain.yaml"
    secrets = "{secrets: {RETRAINER_SLACK_URL: chat/url}}"
    file.write_text(
        f"{file.read_text()}notify: {{slack: {{}}}}\ntasks: {{notify_outcome: {{kubernetes: {secrets}}}}}\n"
    )
    return project


STATES = {
    "ingest-spans": "SUCCEEDED",
    "train-model": "FAILED",
    "notify-outcome": "SUCCEEDED",
    "exit-handler-1": "FAILED",
}


def test_a_run_with_an_exit_task_is_followed_task_by_task_on_vertex(retrainer, notifying, vertex):
    retrainer("submit", notifying, "--to", "vertex", "--run-id", "orders-1")
    vertex.advance("orders-1", "FAILED", tasks=STATES)
    assert followed(retrainer, notifying, "vertex") == {
        "✓ ingest_spans",
        "✗ train_model",
        "✓ notify_outcome",
    }


def test_a_run_with_an_exit_task_is_followed_task_by_task_on_kubeflow(
    retrainer, notifying, kubeflow
):
    retrainer("submit", notifying, "--to", "kubeflow", "--run-id", "orders-1")
    (run,) = kubeflow.runs
    executors = run["pipeline_spec"]["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]
    assert executors["executors"]["exec-notify-outcome"]["secretAsEnv"]
    kubeflow.advance(run, "FAILED", STATES)
    assert followed(retrainer, notifying, "kubeflow") == {
        "✓ ingest_spans",
        "✗ train_model",
        "✓ notify_outcome",
    }


def followed(retrainer, project, target):
    said = retrainer(
        "submit", project, "--to", target, "--run-id", "orders-1", "--wait",
        "--poll-seconds", "0.05", code=1,
    )  # fmt: skip
    lines = (line.split() for line in said.splitlines())
    return {" ".join(words[:2]) for words in lines if words and words[0] in ("✓", "✗")}
