"""What both services know of a pipeline's runs, and how one is ended."""

import pytest
import yaml
from servers.kubeflow import SMALL_PIPELINE, KubeflowServer
from servers.vertex import VertexServer
from servers.vertex_cases import open_target

from retrainer.pipelines.definitions.compiled import Pipeline
from retrainer.pipelines.project.sections.targets import KubeflowConfig
from retrainer.pipelines.targets.errors import RefusedError, UnavailableError
from retrainer.pipelines.targets.kubeflow.target import KubeflowTarget
from retrainer.pipelines.targets.types import RemoteState, RunRequest


@pytest.fixture
def vertex():
    with VertexServer() as server:
        yield server


@pytest.fixture
def kubeflow():
    with KubeflowServer() as server:
        yield server


def on_kubeflow(server, deadline_seconds=20.0, spec=True, **config):
    own = next(iter(yaml.safe_load_all(SMALL_PIPELINE))) if spec else {}
    pipeline = Pipeline("orders", SMALL_PIPELINE, own)
    return KubeflowTarget(KubeflowConfig(host=server.url, **config), pipeline, deadline_seconds)


@pytest.mark.parametrize("settings", [{}, {"persistent_resource": "trainers"}])
def test_vertex_lists_the_pipelines_own_runs_newest_first(vertex, settings):
    # A persistent resource is known to the API's beta version alone, whose messages are others.
    target = open_target(vertex, **settings)
    for number in range(3):
        labels = {"retrainer-trigger": "nightly"} if number == 1 else {}
        target.submit(RunRequest(f"orders-{number}", labels=labels))
    vertex.jobs["orders-0"].labels["retrainer-pipeline"] = "another"
    vertex.jobs["orders-2"].schedule_name = "projects/1/locations/europe-west1/schedules/7"
    vertex.advance("orders-2", "FAILED", error="quota exceeded")
    newest, older = target.list_runs(10)
    assert newest.submission.run_id == "orders-2"
    assert (newest.state, newest.error) == (RemoteState.FAILED, "quota exceeded")
    assert newest.schedule.endswith("/schedules/7")
    assert older.labels["retrainer-trigger"] == "nightly"
    assert older.submission == target.find("orders-1")
    assert target.status(newest.submission).state == RemoteState.FAILED


def test_vertex_lists_no_more_than_was_asked_for_and_no_spec(vertex):
    vertex.page_size = 2
    target = open_target(vertex)
    for number in range(5):
        target.submit(RunRequest(f"orders-{number}"))
    vertex.requests.clear()
    assert [one.submission.run_id[-1] for one in target.list_runs(3)] == ["4", "3", "2"]
    assert len(vertex.requests) == 2
    assert "pipelineSpec" not in vertex.requests[0].query["readMask"]


def test_kubeflow_lists_the_experiments_runs_newest_first(kubeflow):
    target = on_kubeflow(kubeflow)
    assert target.list_runs(5) == []
    for number in range(3):
        target.submit(RunRequest(f"orders-{number}", labels={"retrainer-trigger": "t"}))
        kubeflow.runs[-1]["created_at"] = f"2024-05-01T00:00:0{number}Z"
    kubeflow.runs[2] |= {"recurring_run_id": "r1", "description": "by hand: a=b"}
    kubeflow.advance(kubeflow.runs[1], "FAILED", error="no node")
    kubeflow.runs[0]["experiment_id"] = "another"
    newest, older = target.list_runs(5)
    assert (newest.submission.run_id, newest.schedule, newest.labels) == ("orders-2", "r1", {})
    assert newest.ended is None
    assert (older.state, older.error) == (RemoteState.FAILED, "no node")
    assert older.labels == {"retrainer-trigger": "t"}
    assert older.ended >= older.submission.created_at
    assert [one.submission.run_id for one in target.list_runs(1)] == ["orders-2"]


def test_vertex_cancels_a_run_once(vertex):
    target = open_target(vertex)
    submission = target.submit(RunRequest("orders-1"))
    vertex.advance("orders-1", "RUNNING")
    assert target.cancel(submission).state == RemoteState.RUNNING
    vertex.advance("orders-1", "CANCELLED")
    assert target.cancel(submission).state == RemoteState.CANCELLED
    assert sum(its.path.endswith(":cancel") for its in vertex.requests) == 1


def test_a_run_on_vertex_that_ends_meanwhile_is_not_an_error(vertex, monkeypatch):
    target = open_target(vertex)
    submission = target.submit(RunRequest("orders-1"))
    vertex.advance("orders-1", "RUNNING")
    act = vertex._cancel_job

    def end_first(*arguments):
        vertex.advance("orders-1", "SUCCEEDED")
        return act(*arguments)

    monkeypatch.setattr(vertex, "_cancel_job", end_first)
    vertex.stop()
    with vertex:
        assert target.cancel(submission).state == RemoteState.SUCCEEDED


def test_kubeflow_cancels_a_run_once(kubeflow):
    target = on_kubeflow(kubeflow)
    submission = target.submit(RunRequest("orders-1"))
    assert target.cancel(submission).state == RemoteState.RUNNING
    assert kubeflow.runs[0]["state"] == "CANCELING"
    # Again while it ends: the service refuses, and the run ends all the same.
    assert target.cancel(submission).state == RemoteState.RUNNING
    kubeflow.advance(kubeflow.runs[0], "CANCELED")
    assert target.cancel(submission).state == RemoteState.CANCELLED


def test_kubeflow_that_refuses_to_cancel_says_why(kubeflow):
    target = on_kubeflow(kubeflow)
    submission = target.submit(RunRequest("orders-1"))
    kubeflow.fail_next(status=403, path=":terminate")
    with pytest.raises(RefusedError, match="fails on demand"):
        target.cancel(submission)


@pytest.mark.parametrize("kind", ["vertex", "kubeflow"])
def test_a_service_that_stays_away_is_given_up(kind, vertex, kubeflow):
    if kind == "vertex":
        target, server = open_target(vertex, deadline_seconds=1.0), vertex
    else:
        target, server = on_kubeflow(kubeflow, deadline_seconds=1.0), kubeflow
    server.down = True
    with pytest.raises(UnavailableError):
        target.list_runs(5)


def test_kubeflows_tasks_are_known_without_the_spec_at_hand(kubeflow):
    submission = on_kubeflow(kubeflow).submit(RunRequest("orders-1"))
    kubeflow.advance(kubeflow.runs[0], "RUNNING", {"train-model": "RUNNING"})
    [task] = on_kubeflow(kubeflow, spec=False).status(submission).tasks
    assert task.name == "train-model"
