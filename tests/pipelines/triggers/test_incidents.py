"""From an incident that asks for a run to that run, once: replicas, lost replies, deaths at any moment."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from servers.kubeflow import SMALL_PIPELINE, KubeflowServer
from servers.memory_target import Killed, MemoryTarget
from servers.small_project import MODEL
from servers.vertex import VertexServer
from servers.vertex_cases import open_target

from retrainer.components.lib.monitoring import incidents as lib_incidents
from retrainer.components.lib.monitoring.incident import Detection, Group, IncidentState
from retrainer.components.lib.monitoring.incident_records import IncidentRecords
from retrainer.pipelines.definitions.compiled import Pipeline
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.formats.names import TRIGGER_KEY
from retrainer.pipelines.project.sections.targets import KubeflowConfig
from retrainer.pipelines.targets.errors import UnavailableError
from retrainer.pipelines.targets.kubeflow.target import KubeflowTarget
from retrainer.pipelines.triggers import incidents
from retrainer.pipelines.triggers.dispatch import make_dispatcher
from retrainer.pipelines.triggers.incidents import (
    IncidentHandler,
    incident_message,
    incident_run_id,
)
from retrainer.pipelines.triggers.types import Message, Result

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
YAML = """\
name: orders
data: {pattern: "gs://acme/day={span}/*.csv", label: returned}
evaluation: {metrics_specs: [{metrics: [{class_name: AUC}]}]}
"""


class World:
    """A store with incidents, a service, and replicas whose clocks may differ."""

    def __init__(self, folder, names_runs=True):
        self.folder = folder
        (folder / "model.py").write_text(MODEL)
        self.store = str(folder / "store")
        self.records = IncidentRecords(self.store)
        self.now = NOON
        self.target = MemoryTarget(names_runs, lambda: self.now.timestamp())

    def replica(self, section="{cool_down_seconds: 0, daily_limit: 99}", ahead=timedelta()):
        (self.folder / "retrain.yaml").write_text(f"{YAML}retraining: {section}\n")
        dispatcher = make_dispatcher(
            load_config(self.folder), self.target, lambda: (self.now + ahead).timestamp()
        )
        return IncidentHandler(dispatcher, self.store, "a replica")

    def ask(self, champion=3):
        """Open an incident that asks for a run."""
        found = Detection("estimated_quality/auc", str(champion), "AUC is 0.71, below 0.78.")
        made = self.records.open(Group.MODEL, champion, [found], self.now)
        self.records.change(
            made.id,
            lambda one: replace(
                one.changed(IncidentState.OPEN, self.now, "a run is asked for"), wants_run=True
            ),
        )
        return made.id

    def break_data(self):
        found = Detection("data/weather", "1", "weather is empty.")
        return self.records.open(Group.DATA, 3, [found], self.now).id


@pytest.fixture(params=[True, False], ids=["names runs", "runs are claimed"])
def world(request, tmp_path):
    return World(tmp_path, request.param)


@pytest.fixture
def simple(tmp_path):
    return World(tmp_path)


def _results(handler):
    return [outcome.result for _, outcome in handler.start_open()]


def test_an_incident_starts_one_run_that_it_names(world):
    incident = world.ask()
    handler = world.replica()
    assert _results(handler) == [Result.STARTED]
    found = world.records.find(incident)
    assert (found.state, found.run) == (IncidentState.RETRAINING, world.target.ids[0])
    assert found.run == incident_run_id("orders", incident)
    assert found.run.startswith("orders-v3-model-1-")
    assert _results(handler) == []
    assert handler.handle(incident_message(incident)).result == Result.DUPLICATE
    assert len(world.target.runs) == 1


def test_the_run_has_the_label_of_its_trigger(simple):
    simple.ask()
    list(simple.replica().start_open())
    assert simple.target.runs[0][0].labels == {TRIGGER_KEY: "retraining"}


def test_replicas_with_clocks_hours_apart_start_one_run(world):
    incident = world.ask()
    replicas = [world.replica(ahead=timedelta(hours=one)) for one in (-5, 0, 5)]

    def work(number):
        replica = replicas[number % 3]
        list(replica.start_open())
        return replica.handle(incident_message(incident))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(12)))
    assert len(world.target.runs) == 1
    assert world.records.find(incident).run == world.target.ids[0]


def test_a_process_killed_between_start_and_record_leaves_a_run_that_is_found(world, monkeypatch):
    incident = world.ask()
    with monkeypatch.context() as patch:
        patch.setattr(incidents, "note_run", lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            list(world.replica().start_open())
    assert world.records.find(incident).wants_run
    assert _results(world.replica()) == [Result.DUPLICATE]
    assert world.records.find(incident).run == world.target.ids[0]
    assert len(world.target.runs) == 1


def test_a_process_killed_once_the_service_has_the_run(simple):
    incident = simple.ask()
    simple.target.after.append(Killed())
    with pytest.raises(Killed):
        list(simple.replica().start_open())
    assert _results(simple.replica()) == [Result.DUPLICATE]
    assert len(simple.target.runs) == 1
    assert simple.records.find(incident).state == IncidentState.RETRAINING


def test_a_lost_reply_of_the_service_starts_no_second_run(simple):
    incident = simple.ask()
    simple.target.after.append(UnavailableError("no reply."))
    handler = simple.replica()
    assert _results(handler) == [Result.FAILED]
    assert _results(handler) == [Result.DUPLICATE]
    assert len(simple.target.runs) == 1
    assert simple.records.find(incident).run


def test_a_lost_reply_of_the_store_starts_no_second_run(simple, monkeypatch):
    incident = simple.ask()
    handler = simple.replica()

    def lost(*arguments):
        lib_incidents.note_run(*arguments)
        raise OSError("no reply")

    with monkeypatch.context() as patch:
        patch.setattr(incidents, "note_run", lost)
        (outcome,) = [one for _, one in handler.start_open()]
    # So a message comes again, and finds everything done.
    assert outcome.result == Result.FAILED
    assert handler.handle(incident_message(incident)).result == Result.DUPLICATE
    assert len(simple.target.runs) == 1


def test_of_two_incidents_one_waits_for_the_cool_down(simple):
    first, second = simple.ask(3), simple.ask(4)
    handler = simple.replica("{cool_down_seconds: 3600}")
    assert _results(handler) == [Result.STARTED, Result.DEFERRED]
    assert simple.records.find(second).wants_run
    simple.now += timedelta(minutes=59)
    assert _results(handler) == [Result.DEFERRED]
    simple.now += timedelta(minutes=2)
    assert _results(handler) == [Result.STARTED]
    assert [simple.records.find(one).run for one in (first, second)] == simple.target.ids


def test_the_daily_limit_holds_over_replicas(simple):
    for champion in range(3, 6):
        simple.ask(champion)
    section = "{cool_down_seconds: 0, daily_limit: 2}"
    assert _results(simple.replica(section)) == [Result.STARTED, Result.STARTED, Result.DEFERRED]
    assert _results(simple.replica(section)) == [Result.DEFERRED]
    simple.now = datetime(2026, 11, 27, 0, 1, tzinfo=UTC)
    assert _results(simple.replica(section)) == [Result.STARTED]


def test_a_message_of_an_incident_that_asks_for_nothing_starts_nothing(simple):
    handler = simple.replica()
    incident = simple.ask()
    simple.records.change(
        incident, lambda one: one.changed(IncidentState.RESOLVED, NOON, "cleared", wants_run=False)
    )
    outcome = handler.handle(incident_message(incident))
    assert outcome.result == Result.IGNORED
    assert "it is resolved: cleared" in outcome.reason
    assert (
        "there is no incident 'v9-model-1'" in handler.handle(incident_message("v9-model-1")).reason
    )
    assert simple.target.runs == []


def test_broken_data_holds_a_run_back(simple):
    incident, broken = simple.ask(), simple.break_data()
    handler = simple.replica()
    (outcome,) = [one for _, one in handler.start_open()]
    assert (outcome.result, broken in outcome.reason) == (Result.IGNORED, True)
    assert handler.handle(incident_message(broken)).result == Result.IGNORED
    assert simple.target.runs == []
    simple.records.change(
        broken, lambda one: one.changed(IncidentState.RESOLVED, NOON, "whole again")
    )
    assert _results(handler) == [Result.STARTED]
    assert simple.records.find(incident).run


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"id": "../../x"}, "an id is such as 'v3-model-1'"),
        ({"id": "v3-model-1", "parameters": {"span": "2026"}}, "sets parameters"),
        ({"id": 7}, "must be a text"),
    ],
)
def test_a_message_that_names_no_incident_is_invalid(simple, body, words):
    simple.ask()
    message = Message("m", json.dumps(body).encode(), {TRIGGER_KEY: "retraining"}, NOON)
    outcome = simple.replica().handle(message)
    assert outcome.result == Result.INVALID
    assert words in outcome.reason


def test_an_incident_of_another_pipeline_is_not_ours(simple):
    incident = simple.ask()
    body = {"id": incident, "pipeline": "parcels"}
    message = Message("m", json.dumps(body).encode(), {TRIGGER_KEY: "retraining"}, NOON)
    assert simple.replica().handle(message).result == Result.IGNORED
    assert simple.records.find(incident).wants_run


def test_other_messages_go_to_the_other_triggers(tmp_path):
    world = World(tmp_path)
    (tmp_path / "retrain.yaml").write_text(
        f"{YAML}retraining: {{}}\ntriggers: {{ask: {{kind: request}}}}\n"
    )
    dispatcher = make_dispatcher(load_config(tmp_path), world.target)
    handler = IncidentHandler(dispatcher, world.store)
    message = Message("m", b'{"id": "q1"}', {}, NOON)
    assert handler.handle(message).result == Result.STARTED
    assert handler.glance(message).result == Result.DUPLICATE
    assert handler.glance(incident_message("v3-model-1")) is None


def _deliver_until_started(replicas, incidents):
    """Send each incident's message to each replica at once, while they also look into the store."""

    def work(number):
        replica = replicas[number % len(replicas)]
        for incident in incidents:
            while not replica.handle(incident_message(incident)).result.acknowledged:
                time.sleep(0.01)
            list(replica.start_open())

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))


def test_three_replicas_on_vertex_start_one_run_for_each_incident_in_spite_of_faults(simple):
    asked = [simple.ask(champion) for champion in range(3, 6)]
    with VertexServer() as server:
        server.fail_next(3, status=503, method="POST")
        server.fail_next(3, status=0, after=True, method="POST")
        simple.target = open_target(server)
        _deliver_until_started([simple.replica() for _ in range(3)], asked)
        assert len(server.jobs) == len(asked)
        jobs = {job.display_name for job in server.jobs.values()}
    assert {simple.records.find(one).run for one in asked} == jobs


def test_three_replicas_on_kubeflow_start_one_run_for_each_incident_in_spite_of_faults(simple):
    asked = [simple.ask(champion) for champion in range(3, 6)]
    pipeline = Pipeline("orders", SMALL_PIPELINE, next(iter(yaml.safe_load_all(SMALL_PIPELINE))))
    with KubeflowServer() as server:
        server.fail_next(3, status=503, method="POST", path="/runs$")
        server.fail_next(3, status=0, after=True, method="POST", path="/runs$")
        simple.target = KubeflowTarget(KubeflowConfig(host=server.url), pipeline, 20)
        _deliver_until_started([simple.replica() for _ in range(3)], asked)
        names = sorted(run["display_name"] for run in server.runs)
    assert sorted(simple.records.find(one).run for one in asked) == names
