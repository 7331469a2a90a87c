import json

import pytest
from servers import memory_service
from servers.deployments import in_child, memory, push, quick, registry, settings
from servers.memory_service import failing_at, lost_reply

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.serving.interface import ServiceError
from retrainer.pipelines.project.sections.deploy.deploy import DeployConfig
from retrainer.pipelines.project.starting import init_project

__all__ = ["in_child", "memory", "push", "quick", "registry", "settings"]


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "project" / "store")


@pytest.fixture
def file(tmp_path, monkeypatch, settings):
    """A project that deploys to the service in memory."""
    init_project(tmp_path / "project")
    monkeypatch.setattr(DeployConfig, "services", lambda self: {"memory": settings})
    return str(tmp_path / "project" / "retrain.yaml")


def test_deploy_brings_a_service_to_the_champion(retrainer, file, push, memory):
    push()
    assert retrainer("deploy", "--file", file) == "memory: now serves version 1 at memory\n"
    assert memory.state["traffic"] == {"1": 100}
    assert retrainer("deploy", "--file", file) == "memory: already serves version 1 at memory\n"
    shown = json.loads(retrainer("deploy", "--json", "--file", file))
    assert [(one["service"], one["plan"]["stable"], one["changed"]) for one in shown] == [
        ("memory", 1, False)
    ]


def test_a_service_that_is_down_is_a_row_with_its_reason(retrainer, file, push, monkeypatch):
    push()
    monkeypatch.setattr(memory_service, "BEFORE", [failing_at(1, lost_reply())])
    shown = retrainer("deploy", "--file", file, code=1)
    assert shown == "memory: not deployed: memory did not answer\n"
    status = retrainer("deploy", "--status", "--file", file, code=1)
    assert "version 1" in status
    assert " failed  differs" in status.splitlines()[1]
    assert "memory: the last deployment failed: memory did not answer" in status


def test_status_shows_what_differs_and_changes_nothing(retrainer, file, push, memory):
    push()
    retrainer("deploy", "--file", file)
    status = retrainer("deploy", "--status", "--file", file)
    assert "as it should be" in status
    push()
    status = retrainer("deploy", "--status", "--file", file, code=1)
    assert "memory: version 1 gets 100 % of the requests, and should get 0 %" in status
    assert "memory: version 2 gets 0 % of the requests, and should get 100 %" in status
    assert "'retrainer deploy' deploys what should serve" in status
    assert memory.state["traffic"] == {"1": 100}
    (row,) = json.loads(retrainer("deploy", "--status", "--json", "--file", file, code=1))
    assert (row["plan"]["stable"], row["served"]["traffic"]) == (2, {"1": 100})
    assert row["last"]["state"] == "serving"
    assert row["last"]["plan"]["stable"] == 1


def test_the_status_of_a_service_that_is_down_is_unknown(retrainer, file, push, monkeypatch):
    push()
    monkeypatch.setattr(memory_service, "BEFORE", [failing_at(1, ServiceError("no route"))])
    status = retrainer("deploy", "--status", "--file", file, code=1)
    assert "unknown" in status
    assert "memory: no route" in status


def test_a_service_that_the_file_does_not_have_is_named(retrainer, file):
    with pytest.raises(
        RetrainerError, match=r"serving.deploy has no 'memry'. Did you mean 'memory'?"
    ):
        retrainer("deploy", "--service", "memry", "--file", file)


def test_a_file_without_services_says_what_to_set(retrainer, file, monkeypatch):
    monkeypatch.setattr(DeployConfig, "services", lambda self: {})
    with pytest.raises(RetrainerError, match=r"names no service.*Set serving.deploy\.vertex, "):
        retrainer("deploy", "--file", file)
