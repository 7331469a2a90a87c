"""Versions that wait for a person."""

from pathlib import Path

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.aliases import HeldError
from retrainer.components.lib.registry.approvals import (
    ApprovalState,
    approval_of,
    approve,
    ask,
    pending_versions,
    refuse,
    standing,
)
from retrainer.components.lib.registry.promotions import promote, roll_back
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.store import Store
from retrainer.components.lib.version_uses import version_uses
from retrainer.pipelines.cli.model_details import model_details
from retrainer.pipelines.cli.show_models import list_models

ANN = {"by": "ann", "why": "checked"}


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store with three versions, the first of which is the champion."""
    registry = Registry(Store(str(tmp_path / "store")).models_uri)
    for number in (1, 2, 3):
        model = tmp_path / f"model-{number}"
        model.mkdir()
        (model / "saved_model.pb").write_text(f"graph {number}")
        registry.add(str(model), f"digest-{number}", {"run": f"run-{number}"})
    registry.move_alias(CHAMPION, 1, None, {})
    return str(tmp_path / "store")


@pytest.fixture
def registry(store: str) -> Registry:
    return Registry(Store(store).models_uri)


def test_a_version_that_waits_is_not_in_service_until_it_is_approved(registry: Registry) -> None:
    ask(registry, 2, 1, "run-2")
    assert pending_versions(registry) == [2]
    assert registry.version_of(CHAMPION) == 1
    change = approve(registry, 2, ANN)
    assert (change.version, change.previous) == (2, 1)
    assert registry.version_of(CHAMPION) == 2
    move = registry.alias(CHAMPION).newest()
    assert move
    assert (move.action, move.by, move.why) == ("promote", "ann", "checked")
    approval = approval_of(registry, 2)
    assert approval
    assert approval.words == "approved by ann (checked)"
    assert pending_versions(registry) == []


def test_asking_twice_is_asking_once_and_a_refusal_stays(registry: Registry) -> None:
    ask(registry, 2, 1)
    ask(registry, 2, 1)
    assert len(list(Path(registry.version_uri(2), "approval").iterdir())) == 1
    refuse(registry, 2, ANN)
    assert ask(registry, 2, 1).state == ApprovalState.REFUSED
    with pytest.raises(RetrainerError, match=r"refused by ann \(checked\).*models promote 2"):
        approve(registry, 2, ANN)
    assert registry.version_of(CHAMPION) == 1


def test_another_champion_than_the_one_compared_with_stops_an_approval(registry: Registry) -> None:
    ask(registry, 2, 1)
    promote(registry, 3, ANN)
    with pytest.raises(
        RetrainerError, match="compared with version 1, and the champion is version 3 now"
    ):
        approve(registry, 2, ANN)
    assert registry.version_of(CHAMPION) == 3
    # A run that compares the same model with the new champion asks again.
    ask(registry, 2, 3)
    approve(registry, 2, ANN)
    assert registry.version_of(CHAMPION) == 2


def test_a_version_whose_champion_was_replaced_is_superseded(
    store: str, registry: Registry
) -> None:
    ask(registry, 2, 1)
    ask(registry, 3, 1)
    assert pending_versions(registry) == [2, 3]
    approve(registry, 3, ANN)
    assert pending_versions(registry) == []
    left = standing(approval_of(registry, 2), 3)
    assert left
    assert left.state == ApprovalState.SUPERSEDED
    assert left.words == "superseded: it was compared with version 1, which is not the champion now"
    assert [one["approval"] for one in list_models(store)] == ["approved", "superseded", None]
    assert model_details(store, 2).state == "superseded"
    assert version_uses(store, 2) == [], "nobody can approve it, so it may be deleted"
    # Its refusal is still a word on its content.
    assert refuse(registry, 2, ANN).state == ApprovalState.REFUSED


def test_of_two_who_approve_at_once_one_does_and_the_version_serves_once(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(registry, 2, 1)
    alias = type(registry.alias(CHAMPION))
    read, newest = alias.newest, registry.alias(CHAMPION).newest()

    def approve_meanwhile(_: object) -> object:
        monkeypatch.setattr(alias, "newest", read)
        approve(registry, 2, {"by": "bo", "why": "first"})
        return newest

    monkeypatch.setattr(alias, "newest", approve_meanwhile)
    with pytest.raises(RetrainerError, match="somebody else decided about version 2"):
        approve(registry, 2, ANN)
    moves = registry.alias(CHAMPION).moves()
    assert [(move.version, move.by) for move in moves[1:]] == [(2, "bo")]


def test_a_held_version_can_not_be_approved(registry: Registry) -> None:
    promote(registry, 2, ANN)
    roll_back(registry, {"by": "ann", "why": "refunds"})
    ask(registry, 2, 1)
    with pytest.raises(HeldError, match=r"rolled back by ann"):
        approve(registry, 2, ANN)


def test_an_approval_whose_move_was_lost_can_be_given_again(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(registry, 2, 1)
    with monkeypatch.context() as patch:

        def lose(*_: object) -> None:
            raise OSError("the network is down")

        patch.setattr(Registry, "move", lose)
        with pytest.raises(OSError, match="network"):
            approve(registry, 2, ANN)
    assert registry.version_of(CHAMPION) == 1
    approve(registry, 2, ANN)
    assert registry.version_of(CHAMPION) == 2


@pytest.mark.parametrize(
    ("version", "words"),
    [(1, "is the champion already"), (3, "gate.approve was not set"), (9, "no version 9")],
)
def test_a_version_that_does_not_wait_is_named(
    registry: Registry, version: int, words: str
) -> None:
    with pytest.raises(RetrainerError, match=words):
        approve(registry, version, ANN)


def test_only_a_version_that_waits_can_be_refused(registry: Registry) -> None:
    ask(registry, 2, 1)
    approve(registry, 2, ANN)
    for version in (2, 3):
        with pytest.raises(RetrainerError, match="does not wait for approval"):
            refuse(registry, version, ANN)


def test_of_two_who_decide_at_once_one_decides(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(registry, 2, 1)
    newest = registry.alias(CHAMPION).newest()
    read = type(registry.alias(CHAMPION)).newest

    def refuse_meanwhile(alias: object) -> object:
        monkeypatch.setattr(type(alias), "newest", read)
        refuse(registry, 2, {"by": "bo", "why": "not this one"})
        return newest

    # Ann has read that it waits; before she writes, Bo refuses it.
    monkeypatch.setattr(type(registry.alias(CHAMPION)), "newest", refuse_meanwhile)
    with pytest.raises(RetrainerError, match="somebody else decided about version 2"):
        approve(registry, 2, ANN)
    assert registry.version_of(CHAMPION) == 1


def test_a_version_that_waits_is_not_deleted(store: str, registry: Registry) -> None:
    ask(registry, 2, 1)
    assert [use.what for use in version_uses(store, 2)] == ["it waits for approval"]
    refuse(registry, 2, ANN)
    assert version_uses(store, 2) == []
