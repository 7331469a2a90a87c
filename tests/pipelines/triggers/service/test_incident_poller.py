import logging

from retrainer.components.lib.errors import RetrainerError
from retrainer.pipelines.triggers.incidents import incident_message
from retrainer.pipelines.triggers.service.incident_poller import IncidentPoller
from retrainer.pipelines.triggers.service.metrics import Metrics
from retrainer.pipelines.triggers.service.processing import Processor
from retrainer.pipelines.triggers.types import Outcome, Result


class Handler:
    def __init__(self):
        self.handled = []

    def glance(self, message):
        return None

    def handle(self, message):
        self.handled.append(message.message_id)
        return Outcome(Result.STARTED, trigger="retraining", run_ids=("r",))


def test_each_incident_in_the_store_is_handled_as_a_message():
    handler, ended = Handler(), []
    asking = [incident_message("v3-model-1"), incident_message("v3-model-2")]
    poller = IncidentPoller(
        lambda: asking, Processor(handler, Metrics()), lambda: ended.append(True)
    )
    poller.poll()
    assert handler.handled == ["incident-v3-model-1", "incident-v3-model-2"]
    assert ended == [True]


def test_a_store_that_is_away_is_logged_once_and_asked_again(caplog):
    answers = [RetrainerError("no bucket"), RetrainerError("no bucket"), None]
    handler = Handler()

    def messages():
        error = answers.pop(0)
        if error:
            raise error
        return [incident_message("v3-model-1")]

    poller = IncidentPoller(messages, Processor(handler, Metrics()))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            poller.poll()
    assert len([one for one in caplog.records if "no bucket" in one.getMessage()]) == 1
    assert handler.handled == ["incident-v3-model-1"]
