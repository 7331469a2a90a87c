"""Deleting versions: all or none, never what is in use, and never a number twice."""

import json
import multiprocessing
import os
import signal
from datetime import UTC, datetime

import pytest

from retrainer.components.lib import deletions
from retrainer.components.lib.deletions import delete_version
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.approvals import ask, refuse
from retrainer.components.lib.registry.promotions import promote, roll_back
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.serving.deployments import (
    Deployment,
    Deployments,
    DeploymentState,
    PlannedVersions,
)
from retrainer.components.lib.serving.rollout_records import RolloutRecords
from retrainer.components.lib.serving.rollout_state import Change, Rollout, RolloutState
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import exists, filesystem, write_atomic
from retrainer.components.lib.version_uses import version_uses

BY = {"by": "ann", "why": "size"}


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    """A store with four versions, the last of which is the champion."""
    model = tmp_path / "model"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"graph")
    (model / "variables" / "variables.index").write_bytes(b"weights")
    uri = str(tmp_path / "store") if request.param == "local" else f"memory://{tmp_path.name}/store"
    registry = Registry(f"{uri}/models")
    for number in (1, 2, 3, 4):
        registry.add(str(model), f"d{number}", {})
        registry.move_alias(CHAMPION, number, number - 1 or None, {})
    return uri


def test_a_deleted_version_is_gone_and_its_number_stays_taken(store, tmp_path):
    registry = Registry(f"{store}/models")
    registry.move_alias(CHAMPION, 1, 4, {})
    registry.move_alias(CHAMPION, 2, 1, {})
    registry.move_alias(CHAMPION, 3, 2, {})
    delete_version(store, 4, BY)
    assert [one.version for one in registry.versions()] == [1, 2, 3]
    fs, folder = filesystem(registry.version_uri(4))
    assert [name.rpartition("/")[2] for name in fs.find(folder)] == ["deleted.json"]
    # The same content is another version now, and is found as such.
    assert registry.add(str(tmp_path / "model"), "d4", {}).version == 5
    assert registry.add(str(tmp_path / "model"), "d4", {}).version == 5


def test_what_monitoring_keeps_of_a_version_goes_with_it(store):
    registry = Registry(f"{store}/models")
    registry.move_alias(CHAMPION, 1, 4, {})
    registry.move_alias(CHAMPION, 3, 1, {})
    kept = [Store(store).error_stream_uri(3), f"{Store(store).reference_uri(3)}/aa/part-0.parquet"]
    gone = [Store(store).error_stream_uri(4), f"{Store(store).reference_uri(4)}/aa/part-0.parquet"]
    for uri in (*kept, *gone):
        write_atomic(uri, "rows")
    delete_version(store, 4, BY)
    assert [exists(uri) for uri in (*kept, *gone)] == [True, True, False, False]


def test_what_an_alias_a_rollout_or_a_deployment_uses_is_not_deleted(store):
    with pytest.raises(RetrainerError, match="can't be deleted: it is the champion"):
        delete_version(store, 4, BY)
    with pytest.raises(RetrainerError, match="a rollback of the champion goes back to it"):
        delete_version(store, 3, BY)
    rollouts = RolloutRecords(store)
    canary = Change(RolloutState.CANARY, 5, "2026-11-26T08:00:00+00:00", "the first step", "ann")
    rollout = Rollout(2, 1, 1, (canary,))
    rollouts.write(rollout, rollouts.newest())
    for version, role in ((1, "in service beside it"), (2, "rolled out")):
        use = f"the rollout of version 2 is in state canary, and it is {role}"
        with pytest.raises(RetrainerError, match=use):
            delete_version(store, version, BY)
    now = datetime(2026, 11, 26, tzinfo=UTC)
    rollouts.write(rollout.aborted("too slow", "ann", now), rollouts.newest())
    kserve = Deployments(store, "kserve")
    kserve.add(Deployment(PlannedVersions(1), DeploymentState.SERVING))
    kserve.add(Deployment(PlannedVersions(4), DeploymentState.FAILED))
    fix = "it was deployed to kserve. First run 'retrainer deploy', which brings kserve to"
    with pytest.raises(RetrainerError, match=fix):
        delete_version(store, 1, BY)
    delete_version(store, 2, BY)
    assert [one.version for one in Registry(f"{store}/models").versions()] == [1, 3, 4]


def test_a_version_that_is_put_into_service_while_it_is_deleted_stays(store, monkeypatch):
    registry = Registry(f"{store}/models")
    check = deletions.version_uses
    looks = []

    def promote_after_the_first_look(store, version):
        uses = check(store, version)
        looks.append(uses)
        if len(looks) == 1:
            registry.alias(CHAMPION).append(1, registry.alias(CHAMPION).newest(), {})
        return uses

    monkeypatch.setattr(deletions, "version_uses", promote_after_the_first_look)
    with pytest.raises(RetrainerError, match="can't be deleted: it is the champion"):
        delete_version(store, 1, BY)
    assert registry.resolve(CHAMPION).version == 1
    monkeypatch.undo()
    # The note of the deletion is withdrawn, too.
    promote(registry, 2, {})
    promote(registry, 1, {})


def test_the_note_of_another_deletion_is_not_withdrawn(store, monkeypatch):
    """The other one goes on, and whoever puts the version into service must see that."""
    registry = Registry(f"{store}/models")
    check, looks = deletions.version_uses, []

    def announce_and_promote_after_the_first_look(store, version):
        uses = check(store, version)
        if not looks:
            write_atomic(f"{registry.version_uri(1)}/deleted.json", "{}")
            registry.alias(CHAMPION).append(1, registry.alias(CHAMPION).newest(), {})
        looks.append(uses)
        return uses

    monkeypatch.setattr(deletions, "version_uses", announce_and_promote_after_the_first_look)
    with pytest.raises(RetrainerError, match="can't be deleted: it is the champion"):
        delete_version(store, 1, BY)
    promote(registry, 2, {})
    with pytest.raises(RetrainerError, match="is deleted by another command"):
        promote(registry, 1, {})


def test_a_hold_stays_where_its_version_is_deleted_instead_of_promoted(store):
    registry = Registry(f"{store}/models")
    roll_back(registry, BY)
    write_atomic(f"{registry.version_uri(4)}/deleted.json", "{}")
    with pytest.raises(RetrainerError, match="is deleted by another command"):
        promote(registry, 4, {})
    newest = registry.alias(CHAMPION).newest()
    assert (newest.version, [one.version for one in newest.held]) == (3, [4])


def test_a_version_that_is_being_deleted_is_not_put_into_service(store):
    registry = Registry(f"{store}/models")
    write_atomic(f"{registry.version_uri(1)}/deleted.json", "{}")
    with pytest.raises(RetrainerError, match=r"version 1 in .* is deleted by another command"):
        promote(registry, 1, {})
    assert registry.version_of(CHAMPION) == 4
    assert registry.alias(CHAMPION).newest().action == "rollback"


def test_what_a_killed_push_left_can_be_deleted(store):
    registry = Registry(f"{store}/models")
    write_atomic(f"{registry.version_uri(5)}/reserved", "")
    write_atomic(f"{registry.version_uri(5)}/model/saved_model.pb", "half")
    assert [one.reason for one in registry.survey()[1]] == [
        "it has no version.json: its push goes on, or was killed"
    ]
    delete_version(store, 5, BY)
    assert [bool(one.deleted) for one in registry.survey()[1]] == [True]
    write_atomic(f"{registry.version_uri(6)}/version.json", "no json")
    delete_version(store, 6, BY)
    assert registry.numbers() == [1, 2, 3, 4, 5, 6]


def _delete_and_die(store, calls):
    """Delete version 1, and be killed before the n-th removal of a file."""
    remove, left = deletions.remove, [calls]

    def count_down(uri):
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        remove(uri)

    deletions.remove = count_down
    delete_version(store, 1, BY)


def test_a_killed_deletion_shows_all_or_nothing_and_is_finished_by_the_next(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    for name in ("saved_model.pb", "fingerprint.pb"):
        (model / name).write_text(name)
    fork = multiprocessing.get_context("fork")
    for calls in range(6):
        store = str(tmp_path / f"store-{calls}")
        registry = Registry(f"{store}/models")
        for number in (1, 2, 3):
            registry.add(str(model), f"d{number}", {})
        for number, before in ((2, None), (3, 2)):
            registry.move_alias(CHAMPION, number, before, {})
        child = fork.Process(target=_delete_and_die, args=(store, calls))
        child.start()
        child.join()
        visible = registry.find(1)
        if visible:
            assert sorted(os.listdir(visible.uri)) == ["fingerprint.pb", "saved_model.pb"]
        if child.exitcode:
            delete_version(store, 1, BY)
        assert registry.find(1) is None
        assert os.listdir(registry.version_uri(1)) == ["deleted.json"]
        assert os.listdir(f"{store}/models/digests") == ["d2", "d3"] or sorted(
            os.listdir(f"{store}/models/digests")
        ) == ["d2", "d3"]
        noted = json.loads(
            (tmp_path / f"store-{calls}/models/versions/000001/deleted.json").read_text()
        )
        assert noted["by"] == "ann"


def test_a_version_that_waits_for_a_decision_stays_and_one_that_was_refused_can_go(store, tmp_path):
    registry = Registry(f"{store}/models")
    version = registry.add(str(tmp_path / "model"), "d5", {}).version
    ask(registry, version, 4, "run-5")
    (use,) = version_uses(store, version)
    assert use.what == "it waits for approval"
    with pytest.raises(RetrainerError, match=r"can't be deleted: it waits .* First decide with"):
        delete_version(store, version, BY)
    refuse(registry, version, BY)
    assert version_uses(store, version) == []
    delete_version(store, version, BY)
    assert registry.find(version) is None
