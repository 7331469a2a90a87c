import os
import signal
import time
from dataclasses import replace

import pytest
from servers import memory_service
from servers.memory_service import die, failing_at, lost_reply

from retrainer.components.lib.errors import StorageError
from retrainer.components.lib.registry.registry import CHAMPION
from retrainer.components.lib.serving.deployments import (
    Deployments,
    DeploymentState,
    versions_in_use,
)
from retrainer.components.lib.serving.interface import ServiceError
from retrainer.components.lib.serving.plan import read_plan
from retrainer.components.lib.serving.reconcile import Reconciler


@pytest.fixture
def reconcile(store, settings, quick):
    def reconcile(of=settings):
        reconciler = Reconciler(store, "tips", lambda: read_plan(store), "a test", quick)
        return reconciler.reconcile("memory", of)

    return reconcile


@pytest.fixture
def newest(store):
    return Deployments(store, "memory").newest


def test_the_champion_is_deployed_and_recorded(reconcile, push, memory, newest, store):
    push()
    result = reconcile()
    assert (result.error, result.changed, result.plan.stable) == ("", True, 1)
    assert memory.state["traffic"] == {"1": 100}
    assert newest().state == DeploymentState.SERVING
    assert newest().by == "a test"
    assert newest().served.traffic == {1: 100}
    assert versions_in_use(store) == {1: ["memory"]}
    assert Deployments(store, "memory").in_use() == (1,)


def test_what_serves_already_is_looked_at_and_not_changed(reconcile, push, newest, monkeypatch):
    push()
    reconcile()
    at = newest().at
    calls = []
    monkeypatch.setattr(memory_service, "BEFORE", [calls.append])
    result = reconcile()
    assert (result.error, result.changed, calls) == ("", False, ["status"])
    assert newest().at == at


@pytest.mark.parametrize("state", [DeploymentState.FAILED, DeploymentState.ASKED])
def test_what_serves_all_the_same_is_recorded_as_serving(reconcile, push, newest, store, state):
    push()
    reconcile()
    done = newest()
    Deployments(store, "memory").add(replace(done, state=state, served=None))
    assert reconcile().changed
    assert (newest().state, newest().served) == (DeploymentState.SERVING, done.served)


def test_what_somebody_else_changed_in_the_service_is_changed_back(reconcile, push, memory):
    push()
    reconcile()
    memory._change("by hand", traffic={"7": 100})
    assert reconcile().changed
    assert memory.state["traffic"] == {"1": 100}


def test_changed_settings_are_applied(reconcile, push, settings):
    push()
    reconcile()
    assert reconcile({**settings, "machine": "larger"}).changed
    assert not reconcile({**settings, "machine": "larger"}).changed


def test_settings_that_went_through_a_pipelines_parameter_are_the_same(reconcile, push, settings):
    push()
    reconcile({**settings, "replicas": 2, "sizes": [{"percent": 5}]})
    assert not reconcile({**settings, "replicas": 2.0, "sizes": [{"percent": 5.0}]}).changed


def test_nothing_is_asked_of_a_service_before_the_first_model(reconcile, memory, newest):
    result = reconcile()
    assert (result.error, result.changed) == ("", False)
    assert newest() is None
    assert not memory.file.exists()


def test_a_retired_champion_stops_serving(reconcile, push, memory, registry):
    push()
    reconcile()
    registry.move_alias(CHAMPION, None, 1, {})
    assert reconcile().error == ""
    assert (memory.state["traffic"], memory.state["loaded"]) == ({}, [])


def test_a_push_during_a_deployment_is_deployed_next(reconcile, push, memory, monkeypatch):
    push()
    pushed = []

    def push_once(call):
        if call == "traffic" and not pushed:
            pushed.append(push())

    monkeypatch.setattr(memory_service, "AFTER", [push_once])
    result = reconcile()
    assert (result.error, result.plan.stable) == ("", 2)
    assert memory.state["history"] == [{"1": 100}, {"2": 100}]


def test_a_registry_that_is_never_at_rest_ends_with_an_error(reconcile, push, monkeypatch):
    push()
    monkeypatch.setattr(
        memory_service, "AFTER", [lambda call: push() if call == "traffic" else None]
    )
    result = reconcile()
    assert result.transient
    assert "changed 10 times while it was deployed to memory" in result.error


@pytest.mark.parametrize("hooks", ["BEFORE", "AFTER"])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_service_that_fails_at_any_call_is_made_up_for(
    reconcile, push, memory, newest, monkeypatch, hooks, number
):
    push()
    reconcile()
    push()
    # load, traffic, unload, status
    monkeypatch.setattr(memory_service, hooks, [failing_at(number, lost_reply())])
    result = reconcile()
    assert (result.error, result.transient) == ("memory did not answer", True)
    assert (newest().state, newest().error) == (DeploymentState.FAILED, "memory did not answer")
    monkeypatch.setattr(memory_service, hooks, [])
    assert reconcile().error == ""
    assert memory.state["history"] == [{"1": 100}, {"2": 100}]
    assert newest().state == DeploymentState.SERVING


def test_what_served_before_stays_in_use_until_the_next_one_serves(
    reconcile, push, store, monkeypatch
):
    push()
    reconcile()
    push()
    monkeypatch.setattr(memory_service, "BEFORE", [failing_at(1, ServiceError("no machine"))])
    assert not reconcile().transient
    assert Deployments(store, "memory").in_use() == (1, 2)
    reconcile()
    assert Deployments(store, "memory").in_use() == (2,)


def test_a_defect_in_a_service_is_a_failed_deployment(reconcile, push, newest, monkeypatch):
    push()
    monkeypatch.setattr(memory_service, "BEFORE", [failing_at(1, KeyError("oops"))])
    assert reconcile().error == "KeyError: 'oops'"
    assert newest().error == "KeyError: 'oops'"


def _count_changes(work):
    """Count the links, renames and removals of files that something makes, and the calls of the service."""
    count = 0

    def step(*_):
        nonlocal count
        count += 1

    with _BeforeEachChange(step):
        work()
    return count


class _BeforeEachChange:
    """Call something before each change of a file, and before and after each call of the service."""

    def __init__(self, step):
        self.patch, self.step = pytest.MonkeyPatch(), step

    def __enter__(self):
        for name in ("link", "replace", "unlink"):
            self.patch.setattr(os, name, self._with_step(getattr(os, name)))
        self.patch.setattr(memory_service, "BEFORE", [self.step])
        self.patch.setattr(memory_service, "AFTER", [self.step])

    def __exit__(self, *_):
        self.patch.undo()

    def _with_step(self, change):
        def changed(*arguments, **options):
            self.step()
            return change(*arguments, **options)

        return changed


def test_a_deployment_that_is_killed_at_any_step_is_finished_by_the_next(
    push, memory, settings, store, quick, in_child, registry, tmp_path
):
    # The heartbeat's own writes would be counted.
    still = replace(quick, heartbeat=60, stale=0.1)

    def deploy(timing=still):
        reconciler = Reconciler(store, "tips", lambda: read_plan(store), "a test", timing)
        return reconciler.reconcile("memory", settings)

    push()
    deploy()
    push()
    steps = _count_changes(deploy)
    assert steps > 15
    for kill_at in range(1, steps + 1):
        version = push()
        before = memory.state["history"]

        def killed(kill_at=kill_at):
            count = iter(range(1, 1000))
            with _BeforeEachChange(lambda *_: die() if next(count) == kill_at else None):
                deploy()

        assert in_child(killed) == -signal.SIGKILL, kill_at
        assert registry.version_of(CHAMPION) == version
        result = deploy()
        assert result.error == ""
        assert memory.state["traffic"] == {str(version): 100}
        # Never another split than one that was planned.
        assert memory.state["history"] == [*before, {str(version): 100}], kill_at
        assert memory.state["loaded"] == [version]
        assert Deployments(store, "memory").newest().state == DeploymentState.SERVING


def test_two_deployments_at_once_take_turns(push, memory, settings, store, quick, in_child):
    def deploy():
        # Slow enough to meet.
        memory_service.BEFORE.append(lambda call: time.sleep(0.05))
        reconciler = Reconciler(store, "tips", lambda: read_plan(store), "a test", quick)
        assert not reconciler.reconcile("memory", settings).error

    for _ in range(3):
        version = push()
        processes = [in_child.start(deploy) for _ in range(3)]
        assert [in_child.wait(one) for one in processes] == [0, 0, 0]
        assert memory.state["traffic"] == {str(version): 100}
    assert memory.state["overlaps"] == 0
    assert memory.state["history"] == [{"1": 100}, {"2": 100}, {"3": 100}]


def test_a_store_that_cannot_be_written_is_named_and_the_service_left_alone(
    reconcile, push, memory, monkeypatch
):
    push()

    def deny(uri, data):
        raise StorageError(f"access to '{uri}' is denied for this account")

    monkeypatch.setattr("retrainer.components.lib.numbered_records.create_exclusive", deny)
    result = reconcile()
    assert "is denied for this account" in result.error
    assert not memory.file.exists()
