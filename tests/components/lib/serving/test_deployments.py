import json

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.serving.deployments import (
    Deployment,
    Deployments,
    DeploymentState,
    PlannedVersions,
    versions_in_use,
)
from retrainer.components.lib.serving.interface import Plan, Served, ServedModel
from retrainer.components.lib.serving.status import read_service_status

SERVED = Served(
    {1: 90, 2: 10}, (1, 2), ("theirs",), "http://x", ("private",), False, {"d-1": 1, "d-2": 2}
)


@pytest.fixture
def records(store):
    return Deployments(store, "kserve")


def test_a_record_is_read_as_it_was_written(records):
    assert records.newest() is None
    records.add(Deployment(PlannedVersions(1), DeploymentState.ASKED))
    asked = records.newest()
    assert asked == Deployment(PlannedVersions(1), DeploymentState.ASKED, asked.at)
    assert (asked.transient, asked.served) == (False, None)
    plan = PlannedVersions(1, 2, 10, True)
    failed = Deployment(
        plan, DeploymentState.FAILED, "", "me", "s" * 64, "it is down", True, SERVED
    )
    records.add(failed)
    read = records.newest()
    assert (read.plan, read.by, read.settings, read.error) == (plan, "me", "s" * 64, "it is down")
    assert (read.state, read.transient, read.served) == (DeploymentState.FAILED, True, SERVED)


def test_what_failed_leaves_in_use_what_served_before(records, store):
    for plan, state in (
        (PlannedVersions(1), DeploymentState.SERVING),
        (PlannedVersions(2, 3, 10), DeploymentState.SERVING),
        (PlannedVersions(4), DeploymentState.FAILED),
        (PlannedVersions(None, 8), DeploymentState.ASKED),
    ):
        records.add(Deployment(plan, state))
    assert records.in_use() == (2, 3, 4, 8)
    assert versions_in_use(store) == {version: ["kserve"] for version in (2, 3, 4, 8)}
    Deployments(store, "vertex").add(Deployment(PlannedVersions(3), DeploymentState.ASKED))
    assert versions_in_use(store)[3] == ["vertex", "kserve"]


def test_the_ids_of_all_deployments_are_known(records):
    for ids in ({"a": 1, "b": 2}, {}, {"b": 3, "c": 4}):
        records.add(Deployment(PlannedVersions(1), DeploymentState.SERVING, served=Served(ids=ids)))
    records.add(Deployment(PlannedVersions(1), DeploymentState.ASKED))
    assert records.ids() == {"a": 1, "b": 3, "c": 4}


def test_a_record_of_another_format_is_named_and_one_without_ids_is_read(records, tmp_path):
    records.add(Deployment(PlannedVersions(1), DeploymentState.SERVING, served=SERVED))
    (file,) = (tmp_path / "store").rglob("deployments/kserve/*.json")
    content = json.loads(file.read_text())
    assert content["format"] == 1
    del content["served"]["ids"]
    file.write_text(json.dumps(content))
    assert records.newest().served.ids == {}
    file.write_text(json.dumps({**content, "format": 2}))
    with pytest.raises(RetrainerError, match=r"record 1 in .* has format 2, and .* reads format 1"):
        records.newest()


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (PlannedVersions(), "no model"),
        (PlannedVersions(8), "version 8"),
        (PlannedVersions(8, 9, 10), "version 8, and 10 % on version 9"),
        (PlannedVersions(8, 9, 0, True), "version 8, and a copy of the requests on version 9"),
        (PlannedVersions(None, 9, 10), "no model, and 10 % on version 9"),
    ],
)
def test_a_plan_in_words(plan, words):
    assert plan.describe() == words


def test_a_services_status_is_what_it_says_beside_the_plan(memory, settings, monkeypatch):
    model = ServedModel(1, "models/1", "digest")
    plan = Plan(model, ServedModel(2, "models/2", "digest"), 10)
    memory.apply(Plan(model))
    status = read_service_status("tips", "memory", settings, plan)
    assert (status.plan, status.served.traffic) == (PlannedVersions(1, 2, 10), {1: 100})
    assert len(status.differences) == 2
    assert status.error == ""
    unknown = read_service_status("tips", "fly", settings, plan)
    assert "unknown service 'fly'" in unknown.error
    for raised, words in ((OSError("it is away"), "it is away"), (KeyError("x"), "KeyError: 'x'")):

        def fail(*_, raised=raised):
            raise raised

        monkeypatch.setattr(type(memory), "status", fail)
        failed = read_service_status("tips", "memory", settings, plan)
        assert (failed.served, failed.differences, failed.error) == (None, (), words)
