import json

import pytest
from servers import memory_service
from servers.memory_service import MemoryService, failing_at, lost_reply

from retrainer.components import deploy_model
from retrainer.components.deploy_model.deploy import NotDeployedError, deploy
from retrainer.components.lib.registry.registry import CHAMPION
from retrainer.components.lib.runs.run_records import RunKey, TaskRecord
from retrainer.components.lib.runs.run_traces import read_run
from retrainer.components.lib.serving.services import SERVICES


@pytest.fixture
def services(memory, settings, tmp_path, monkeypatch):
    monkeypatch.setitem(SERVICES, "second", "servers.memory_service")
    return {"memory": settings, "second": {"file": str(tmp_path / "second.json")}}


@pytest.fixture
def second(services):
    from pathlib import Path

    return MemoryService(Path(services["second"]["file"]))


def test_every_service_gets_the_champion(store, push, services, memory, second, quick):
    push()
    record = TaskRecord("deploy_model")
    verdict = deploy(store, services, "tips", by="run-1", record=record, timing=quick)
    assert verdict == "version 1 on memory, second"
    assert record.notes == {
        "version": 1,
        "deployed": {"memory": "version 1", "second": "version 1"},
        "not_deployed": {},
    }
    assert memory.state["traffic"] == second.state["traffic"] == {"1": 100}
    again = deploy(store, services, "tips", timing=quick)
    assert again == "unchanged, version 1 on memory, second"


def test_without_a_champion_there_is_nothing_to_deploy(store, services, memory, quick):
    assert deploy(store, services, "tips", timing=quick) == "unchanged, no model on memory, second"
    assert not memory.file.exists()


def test_a_service_that_is_down_fails_the_task_after_the_others_had_their_turn(
    store, push, services, memory, second, registry, quick, monkeypatch
):
    push()
    deploy(store, services, "tips", timing=quick)
    push()
    monkeypatch.setattr(memory_service, "BEFORE", [failing_at(1, lost_reply())])
    record = TaskRecord("deploy_model")
    with pytest.raises(NotDeployedError) as caught:
        deploy(store, services, "tips", record=record, timing=quick)
    assert str(caught.value) == (
        "version 2 is the champion, but not deployed to memory: memory did not answer. The registry is as push_model "
        "left it. This may pass: run 'retrainer deploy' again; the next run deploys, too."
    )
    assert record.notes["deployed"] == {"second": "version 2"}
    assert record.notes["not_deployed"] == {"memory": "memory did not answer"}
    assert registry.version_of(CHAMPION) == 2
    assert memory.state["traffic"] == {"1": 100}
    assert second.state["traffic"] == {"2": 100}
    # The next run, which may push no model.
    assert deploy(store, services, "tips", timing=quick) == (
        "version 2 on memory; unchanged, version 2 on second"
    )


def test_with_a_rollout_a_new_champion_gets_the_first_steps_share(
    store, push, services, memory, second, quick
):
    rollout = {"steps": [{"percent": 5, "hold_seconds": 60, "min_requests": 10}]}
    push()
    # Served before there were rollouts.
    deploy(store, services, "tips", timing=quick)
    push()
    verdict = deploy(store, services, "tips", rollout, timing=quick)
    assert verdict == "version 1, and 5 % on version 2 on memory, second"
    assert memory.state["traffic"] == second.state["traffic"] == {"2": 5, "1": 95}
    assert deploy(store, services, "tips", rollout, timing=quick).startswith("unchanged, version 1")


def test_an_unknown_service_is_named(store, push, quick):
    push()
    with pytest.raises(NotDeployedError, match=r"unknown service 'fly' in serving.deploy"):
        deploy(store, {"fly": {}}, "tips", timing=quick)


def test_the_task_keeps_a_record_of_what_it_did(store, push, services, monkeypatch):
    push()
    outputs = deploy_model.python_func(
        store=store, services=services, pipeline="tips", run="run-1", run_uuid="1"
    )
    assert outputs == ("version 1 on memory, second",)
    task = read_run(store, RunKey("run-1", "1")).tasks["deploy_model"]
    assert (task.verdict, task.notes["version"]) == (outputs[0], 1)
    assert json.dumps(task.notes)
