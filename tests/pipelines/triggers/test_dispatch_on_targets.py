"""The dispatcher over the targets' own clients, against servers that keep to the services' messages."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from servers.kubeflow import SMALL_PIPELINE, KubeflowServer
from servers.trigger_messages import DATA, message
from servers.vertex import VertexServer
from servers.vertex_cases import open_target

from retrainer.pipelines.definitions.compiled import Pipeline
from retrainer.pipelines.project.sections.targets import KubeflowConfig
from retrainer.pipelines.project.sections.triggers import TriggerConfig
from retrainer.pipelines.targets.kubeflow.target import KubeflowTarget
from retrainer.pipelines.triggers.claims.files import FileClaims
from retrainer.pipelines.triggers.claims.ledger import Ledger
from retrainer.pipelines.triggers.dispatch import Dispatcher
from retrainer.pipelines.triggers.types import Message, Result

TRIGGERS = {"ask": TriggerConfig(kind="request", allow=["span"])}
PIPELINE = Pipeline("orders", SMALL_PIPELINE, next(iter(yaml.safe_load_all(SMALL_PIPELINE))))


@pytest.fixture
def vertex():
    with VertexServer() as server:
        yield server


@pytest.fixture
def kubeflow():
    with KubeflowServer() as server:
        yield server


def _on_vertex(server: VertexServer, deadline: float = 20) -> Dispatcher:
    return Dispatcher("orders", TRIGGERS, DATA, open_target(server, deadline_seconds=deadline))


def _on_kubeflow(server: KubeflowServer, claims: str, deadline: float = 20) -> Dispatcher:
    target = KubeflowTarget(KubeflowConfig(host=server.url), PIPELINE, deadline)
    return Dispatcher("orders", TRIGGERS, DATA, target, Ledger(FileClaims(claims)))


def _deliver_to_all(replicas: list[Dispatcher], asked: list[Message]) -> list[Result]:
    """Deliver each message four times, by eight threads for each replica at once, until it is acknowledged."""
    deliveries = asked * 4
    random.Random(3).shuffle(deliveries)
    start = threading.Barrier(8 * len(replicas))

    def work(number: int) -> list[Result]:
        start.wait()
        done = []
        for ask in deliveries[number :: 8 * len(replicas)]:
            while True:
                outcome = replicas[number % len(replicas)].handle(ask)
                if outcome.result.acknowledged:
                    break
                time.sleep(0.01)
            done.append(outcome.result)
        return done

    with ThreadPoolExecutor(8 * len(replicas)) as pool:
        return [
            result for results in pool.map(work, range(8 * len(replicas))) for result in results
        ]


def test_a_run_on_vertex_carries_its_trigger_and_parameters(vertex):
    outcome = _on_vertex(vertex).handle(message({"id": "q1", "parameters": {"span": "7"}}))
    (job,) = vertex.jobs.values()
    assert outcome.result == Result.STARTED
    assert outcome.run_ids == (job.display_name,)
    assert job.labels["retrainer-trigger"] == "ask"
    assert job.runtime_config.parameter_values["span"].string_value == "7"


def test_three_replicas_on_vertex_start_each_run_once_in_spite_of_faults(vertex):
    asked = [message({"id": f"q{number}"}) for number in range(30)]
    vertex.fail_next(3, status=503, method="POST")
    vertex.fail_next(3, status=0, after=True, method="POST")
    results = _deliver_to_all([_on_vertex(vertex) for _ in range(3)], asked)
    assert len(vertex.jobs) == len(asked)
    assert len(results) == 4 * len(asked)


def test_three_replicas_on_kubeflow_start_each_run_once_in_spite_of_faults(kubeflow, tmp_path):
    asked = [message({"id": f"q{number}"}) for number in range(30)]
    kubeflow.fail_next(3, status=503, method="POST", path="/runs$")
    kubeflow.fail_next(3, status=0, after=True, method="POST", path="/runs$")
    replicas = [_on_kubeflow(kubeflow, str(tmp_path)) for _ in range(3)]
    results = _deliver_to_all(replicas, asked)
    names = [run["display_name"] for run in kubeflow.runs]
    assert len(names) == len(set(names)) == len(asked)
    assert results.count(Result.STARTED) <= len(asked)


def test_a_service_that_is_away_for_a_while_loses_nothing(vertex, kubeflow, tmp_path):
    ask = message({"id": "q1"})
    on_kubeflow = _on_kubeflow(kubeflow, str(tmp_path), deadline=0.5)
    for server, dispatcher in ((vertex, _on_vertex(vertex, 0.5)), (kubeflow, on_kubeflow)):
        server.down = True
        outcome = dispatcher.handle(ask)
        assert outcome.result == Result.FAILED
        assert outcome.reason
        server.down = False
        assert dispatcher.handle(ask).result == Result.STARTED
        assert dispatcher.handle(ask).result == Result.DUPLICATE
    assert (len(vertex.jobs), len(kubeflow.runs)) == (1, 1)
