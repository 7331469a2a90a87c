"""What a person changes by hand, and what a run can't undo."""

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.aliases import AliasMovedError, HeldError
from retrainer.components.lib.registry.model_versions import training_digest
from retrainer.components.lib.registry.promotions import (
    describe_change,
    promote,
    retire,
    roll_back,
    rollback_target,
)
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.uris import read_json, remove, write_json

BY = {"by": "ann", "why": "too many refunds"}


@pytest.fixture(params=["local", "memory"])
def registry(request, tmp_path):
    """Four versions, pushed into service one after the other."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "saved_model.pb").write_bytes(b"graph")
    uri = (
        str(tmp_path / "models") if request.param == "local" else f"memory://{tmp_path.name}/models"
    )
    made = Registry(uri)
    for number in (1, 2, 3, 4):
        made.add(str(model), f"d{number}", {"run": "nightly", "job": f"job-{number}"})
        made.move_alias(CHAMPION, number, number - 1 or None, {"run": f"run-{number}"})
    return made


def held(registry):
    return [one.version for one in registry.alias(CHAMPION).newest().held]


def test_two_rollbacks_go_two_champions_back(registry):
    assert rollback_target(registry) == 3
    assert roll_back(registry, BY).version == 3
    assert roll_back(registry, BY).version == 2
    assert held(registry) == [4, 3]
    assert rollback_target(registry) == 1


def test_what_is_held_is_known_by_its_content_and_run_and_says_who_holds_it_and_why(registry):
    info = {"data_digest": "rows", "code_digest": "code"}
    model = registry.get(4)
    write_json(
        f"{registry.version_uri(4)}/version.json",
        {"version": 4, "digest": model.digest, "info": {**model.info, **info}},
    )
    roll_back(registry, {"by": "ann"})
    newest = registry.alias(CHAMPION).newest()
    (hold,) = newest.held
    assert (hold.version, hold.digest, hold.run, hold.job) == (4, "d4", "nightly", "job-4")
    assert hold.training == training_digest(info)
    assert (hold.by, hold.why, hold.at) == ("ann", "", newest.at)
    # What was not given is not written.
    assert "why" not in read_json(f"{registry.uri}/aliases/champion/000005.json")
    # Of a version that is gone there is the number.
    remove(f"{registry.version_uri(3)}/version.json")
    roll_back(registry, BY)
    gone = registry.alias(CHAMPION).newest().held[-1]
    assert (gone.version, gone.digest, gone.run, gone.by) == (3, "", "", "ann")


def test_a_rollback_goes_back_to_what_was_in_service_before_and_not_to_the_number_before(registry):
    promote(registry, 2, BY)
    assert roll_back(registry, BY).version == 4
    assert roll_back(registry, BY).version == 3
    # Version 2 is held.
    assert roll_back(registry, BY).version == 1


def test_a_version_that_served_twice_is_gone_back_to_from_its_last_time(registry):
    promote(registry, 1, BY)
    promote(registry, 2, BY)
    assert roll_back(registry, BY).version == 1
    # Before its last time version 4 served; before its first, none.
    assert roll_back(registry, BY).version == 4


def test_a_rollback_does_not_go_back_to_the_version_that_it_takes_out_of_service(registry):
    promote(registry, 1, BY)
    promote(registry, 4, BY)
    remove(f"{registry.version_uri(1)}/version.json")
    assert roll_back(registry, BY).version == 3


def test_a_rollback_to_a_named_version_holds_only_the_one_that_was_in_service(registry):
    assert roll_back(registry, BY, to=1).previous == 4
    assert held(registry) == [4]
    with pytest.raises(RetrainerError, match="no version to go back to from version 1"):
        roll_back(registry, BY)


def test_a_rollback_skips_what_was_deleted_and_a_retired_champion(registry):
    retire(registry, BY)
    with pytest.raises(RetrainerError, match="no model is in service"):
        roll_back(registry, BY)
    promote(registry, 1, BY)
    remove(f"{registry.version_uri(3)}/version.json")
    assert roll_back(registry, BY).version == 2


def test_where_no_model_ever_served_there_is_nothing_to_roll_back_or_to_retire(tmp_path):
    empty = Registry(str(tmp_path / "models"))
    assert rollback_target(empty) is None
    for change in (roll_back, retire):
        with pytest.raises(RetrainerError, match="no model is in service"):
            change(empty, BY)


def test_a_rollback_of_a_champion_that_changed_is_an_error(registry):
    with pytest.raises(AliasMovedError, match="points at version 4 now, not at version 3"):
        roll_back(registry, BY, expected=3)
    assert registry.version_of(CHAMPION) == 4
    assert roll_back(registry, BY, expected=4).version == 3


def test_what_serves_is_neither_promoted_nor_gone_back_to(registry):
    with pytest.raises(RetrainerError, match=r"version 4 is the champion of .* already"):
        promote(registry, 4, BY)
    with pytest.raises(RetrainerError, match=r"version 4 is the champion of .* already"):
        roll_back(registry, BY, to=4)
    assert held(registry) == []


def test_a_held_version_is_no_target_until_a_person_promotes_it(registry):
    roll_back(registry, BY)
    with pytest.raises(HeldError, match=r"version 4 was rolled back by ann on .* is held"):
        roll_back(registry, BY, to=4)
    assert promote(registry, 4, BY).lifted.why == "too many refunds"
    assert held(registry) == []
    # Held again, and named once.
    roll_back(registry, BY)
    assert held(registry) == [4]


def test_a_promotion_lifts_the_hold_of_its_version_alone(registry):
    roll_back(registry, BY)
    roll_back(registry, BY)
    promote(registry, 4, BY)
    assert held(registry) == [3]


def test_a_hold_stays_when_the_champion_moves_on(registry):
    roll_back(registry, BY)
    registry.move_alias(CHAMPION, 1, 3, {"run": "later"})
    retire(registry, BY)
    newest = registry.alias(CHAMPION).newest()
    assert newest.holding("d4").version == 4
    assert newest.holding("another", "job-4").version == 4
    # Another run of the same name.
    assert newest.holding("another", "job-5") is None
    assert newest.holding("another", "") is None


def test_an_incomplete_version_is_not_promoted(registry):
    remove(f"{registry.get(2).uri}/saved_model.pb")
    fs_model = registry.get(2).uri
    with pytest.raises(
        RetrainerError, match=rf"version 2 in .* is incomplete: its model '{fs_model}"
    ):
        promote(registry, 2, BY)
    with pytest.raises(RetrainerError, match="no version 9"):
        promote(registry, 9, BY)
    assert registry.version_of(CHAMPION) == 4


def test_the_history_says_who_moved_the_alias_why_and_how(registry):
    roll_back(registry, BY)
    moves = registry.alias(CHAMPION).moves()
    assert [(move.action, move.version, move.previous) for move in moves[-2:]] == [
        ("push", 4, 3),
        ("rollback", 3, 4),
    ]
    assert (moves[-1].by, moves[-1].why, moves[-1].run) == ("ann", "too many refunds", "")
    assert (moves[-2].run, moves[-2].by) == ("run-4", "")


def test_a_change_in_one_sentence(registry):
    back = describe_change(roll_back(registry, BY))
    assert back == (
        "version 3 is in service now, in place of version 4; version 4 is held: no run puts it into service again."
    )
    again = describe_change(promote(registry, 4, BY))
    assert again.startswith(
        "version 4 is in service now, in place of version 3; its hold is lifted"
    )
    assert again.endswith("(too many refunds)).")
    assert describe_change(retire(registry, BY)) == (
        "no version is in service now, in place of version 4."
    )
    assert describe_change(promote(registry, 1, BY)) == (
        "version 1 is in service now; none was before."
    )
