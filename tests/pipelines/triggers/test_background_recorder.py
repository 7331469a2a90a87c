"""What the trigger service submits is recorded in the store, and no message waits for that."""

import logging
import threading
from datetime import UTC, datetime

import pytest
from servers.memory_target import MemoryTarget
from servers.trigger_messages import message

from retrainer.components.lib.runs.run_traces import list_traces
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.starting import init_project
from retrainer.pipelines.runs.submissions import SubmissionRecorder
from retrainer.pipelines.targets.types import RunRequest, Submission
from retrainer.pipelines.triggers.background_recorder import BackgroundRecorder
from retrainer.pipelines.triggers.dispatch import make_dispatcher
from retrainer.pipelines.triggers.types import Result


@pytest.fixture
def loaded(tmp_path):
    init_project(tmp_path / "project")
    file = tmp_path / "project" / "retrain.yaml"
    file.write_text(file.read_text() + "triggers: {ask: {kind: request}}\n")
    return load_config(file)


@pytest.mark.parametrize("names_runs", [True, False])
def test_a_run_that_a_message_starts_is_recorded_once_with_its_trigger(loaded, names_runs):
    target = MemoryTarget(names_runs)
    recorder = BackgroundRecorder(SubmissionRecorder(loaded, target))
    dispatcher = make_dispatcher(loaded, target, on_submit=recorder)
    assert dispatcher.handle(message({"id": "q1"})).result == Result.STARTED
    # Another replica, to which the message is delivered again.
    again = make_dispatcher(loaded, target, on_submit=recorder)
    assert again.handle(message({"id": "q1"})).result == Result.DUPLICATE
    recorder.join()
    [trace] = list_traces(loaded.config.store)
    assert trace.key.name == target.ids[0]
    assert trace.submission["labels"] == {"retrainer-trigger": "ask"}
    assert trace.submission["by"] == "trigger service"
    assert trace.submission["url"] == "https://run"


class Slow:
    """A store that answers when it is let, and refuses."""

    def __init__(self):
        self.let = threading.Event()
        self.asked = 0

    def record(self, request, submission, cause="", by=""):
        self.let.wait(60)
        self.asked += 1
        raise PermissionError("403 for gs://acme/store/runs")


def test_a_store_that_hangs_or_refuses_delays_no_message_and_is_logged_once(caplog):
    store = Slow()
    recorder = BackgroundRecorder(store)
    submission = Submission("orders-1", "r", "https://run", datetime.now(UTC))
    with caplog.at_level(logging.WARNING):
        # More than may wait.
        for _ in range(1100):
            recorder(RunRequest("orders-1"), submission)
        store.let.set()
        recorder.join()
    assert 1000 <= store.asked <= 1001
    assert len([line for line in caplog.messages if "are not recorded in the store" in line]) == 1
