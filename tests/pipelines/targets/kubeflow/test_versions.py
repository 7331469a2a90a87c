"""Settings that a version of Kubeflow Pipelines lacks, refused before a run is created."""

import pytest
import yaml
from servers.kubeflow import SMALL_PIPELINE, KubeflowServer

from retrainer.pipelines.definitions.compiled import Pipeline
from retrainer.pipelines.project.sections.targets import KubeflowConfig
from retrainer.pipelines.targets.errors import RefusedError
from retrainer.pipelines.targets.kubeflow.target import KubeflowTarget
from retrainer.pipelines.targets.types import RunRequest, ScheduleRequest

NIGHTLY = ScheduleRequest("nightly", "0 2 * * *")


@pytest.fixture
def server():
    with KubeflowServer() as running:
        yield running


def open_target(server, **settings):
    spec, platforms = yaml.safe_load_all(SMALL_PIPELINE)
    executors = platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    executors["exec-train-model"] |= settings
    text = yaml.safe_dump_all([spec, platforms])
    return KubeflowTarget(KubeflowConfig(host=server.url), Pipeline("orders", text, spec))


def asked(server):
    return [seen.path for seen in server.requests if seen.path.endswith("/healthz")]


@pytest.mark.parametrize(
    ("version", "field", "value", "says"),
    [
        ("2.0.5", "activeDeadlineSeconds", "900", "has timeout_seconds, which needs 2.1 or later"),
        ("2.2.0", "emptyDirMounts", [], "has shared_memory, which needs 2.3 or later"),
        ("2.15.0", "securityContext", {}, "has security_context, which needs 2.16 or later"),
    ],
)
def test_a_setting_that_the_service_lacks_is_refused_before_anything_is_made(
    server, version, field, value, says
):
    server.version = version
    target = open_target(server, **{field: value})
    for act in (lambda: target.submit(RunRequest("r1")), lambda: target.put_schedule(NIGHTLY)):
        with pytest.raises(RefusedError) as caught:
            act()
        assert f"is Kubeflow Pipelines {version}, and tasks.train_model" in str(caught.value)
        assert says in str(caught.value)
    assert (server.runs, server.recurring_runs, server.experiments) == ([], [], [])


@pytest.mark.parametrize("version", ["2.16.0", "2.17.0", "unknown", "1.0-dev", ""])
def test_a_version_that_is_new_enough_or_not_known_accepts_the_run(server, version):
    server.version = version
    target = open_target(server, securityContext={"runAsUser": "1"})
    target.submit(RunRequest("r1"))
    target.submit(RunRequest("r2"))
    assert len(server.runs) == 2
    assert len(asked(server)) == 1


def test_a_gateway_that_lets_nobody_ask_stops_no_run(server):
    server.fail_next(status=403, path="/healthz")
    open_target(server, securityContext={"runAsUser": "1"}).submit(RunRequest("r1"))
    assert len(server.runs) == 1


def test_a_pipeline_that_every_version_supports_asks_nothing(server):
    open_target(server).submit(RunRequest("r1"))
    assert asked(server) == []
