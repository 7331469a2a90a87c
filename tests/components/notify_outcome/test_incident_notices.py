"""What incidents have come to, sent once, whoever notices it first."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from servers.receiver import Receiver

from retrainer.components.lib.monitoring.incident import Detection, Group, IncidentState
from retrainer.components.lib.monitoring.incident_records import IncidentRecords
from retrainer.components.notify_outcome.channels import parse_channel
from retrainer.components.notify_outcome.incident_notices import OUTCOMES, notify_incidents

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
ALL = sorted(set(OUTCOMES.values()))


@pytest.fixture(scope="module")
def server():
    with Receiver() as server:
        yield server


class World:
    def __init__(self, store, server):
        self.store, self.server = store, server
        self.records = IncidentRecords(store)
        server.requests.clear()
        server.status = 200

    def open(self, name="estimated_quality/auc", champion=3):
        found = Detection(name, "7", "Estimated AUC is 0.71, below 0.78.")
        return self.records.open(Group.of(found.kind), champion, [found], NOON).id

    def change(self, incident, state, reason="why", **values):
        self.records.change(incident, lambda one: one.changed(state, NOON, reason, **values))

    def notify(self, on=ALL, now=NOON, pipeline="flights-monitoring"):
        channel = {"kind": "webhook", "name": "webhook", "on": list(on)}
        url = f"{self.server.url}/hook"
        sent = notify_incidents(
            self.store, pipeline, [parse_channel({**channel, "url": url})], now=now
        )
        found = [json.loads(request.body) for request in self.server.requests]
        self.server.requests.clear()
        return found, sent


@pytest.fixture
def world(tmp_path, server):
    return World(str(tmp_path), server)


def test_an_opened_incident_is_sent_once(world):
    incident = world.open()
    (message,), (sent,) = world.notify()
    assert sent.ok
    assert (message["outcome"], message["incident"], message["run"]) == (
        "incident",
        incident,
        incident,
    )
    assert message["reason"] == "Estimated AUC is 0.71, below 0.78."
    assert message["champion_version"] == 3
    assert message["title"] == "flights-monitoring: an incident was opened"
    assert world.notify() == ([], [])


def test_exit_tasks_of_several_pipelines_at_once_send_one_message(world):
    world.open()

    def notify(number):
        channel = {"kind": "webhook", "name": "w", "on": ALL, "url": f"{world.server.url}/hook"}
        notify_incidents(world.store, f"pipeline-{number % 3}", [parse_channel(channel)], now=NOON)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(notify, range(6)))
    assert len(world.server.requests) == 1


def test_each_state_is_sent_and_what_asks_for_a_run_is_said(world):
    incident = world.open()
    world.records.change(
        incident,
        lambda one: replace(one.changed(IncidentState.OPEN, NOON, "asked"), wants_run=True),
    )
    assert world.notify()[0][0]["reason"].endswith("below 0.78. A run is asked for.")
    world.change(incident, IncidentState.RETRAINING, run="run-1", wants_run=False)
    assert world.notify() == ([], [])
    world.change(incident, IncidentState.ESCALATED, "run run-1 was refused")
    ((escalated,), _) = world.notify()
    assert (escalated["outcome"], escalated["run"]) == ("escalated", "run-1")
    assert escalated["reason"].startswith("run run-1 was refused. It was opened because: Estimated")
    world.change(incident, IncidentState.RESOLVED, "its signals cleared")
    assert [one["outcome"] for one in world.notify()[0]] == ["resolved"]


def test_what_holds_the_run_back_is_said(world):
    incident = world.open()
    world.change(
        incident,
        IncidentState.OPEN,
        "AUC fell; no run is asked for: the data is broken (v3-data-1)",
    )
    assert world.notify()[0][0]["reason"].endswith(
        "below 0.78. No run is asked for: the data is broken (v3-data-1)."
    )


def test_a_run_that_is_quicker_than_the_message_hides_no_opening(world):
    incident = world.open()
    world.change(incident, IncidentState.RETRAINING, run="run-1")
    ((message,), _) = world.notify()
    assert message["outcome"] == "incident"
    assert message["reason"].endswith("Run run-1 was started for it.")


def test_a_person_is_called_each_time_one_is_needed(world):
    incident = world.open()
    for _ in range(2):
        world.change(incident, IncidentState.NEEDS_A_PERSON, "no new rows")
        assert [one["outcome"] for one in world.notify()[0]] == ["needs_a_person"]
        assert world.notify()[0] == []
        world.change(incident, IncidentState.OPEN, "asked")
        world.notify()


def test_broken_data_says_that_nothing_is_retrained(world):
    world.open("data/weather")
    assert "nothing is retrained meanwhile" in world.notify()[0][0]["reason"]


def test_a_channel_gets_what_it_asks_for_and_no_old_news(world):
    world.open()
    assert world.notify(on=["escalated", "pushed"]) == ([], [])
    assert world.notify(on=["pushed"]) == ([], [])
    assert world.notify(now=NOON + timedelta(days=8)) == ([], [])


def test_what_no_channel_took_is_sent_the_next_time(world):
    world.open()
    world.server.status = 400
    assert [one.ok for one in world.notify()[1]] == [False]
    world.server.status = 200
    assert len(world.notify()[0]) == 1
