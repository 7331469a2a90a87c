import json
import random

import pytest
from servers import memory_service
from servers.answers import Answers

from retrainer.components.deploy_model.deploy import deploy
from retrainer.components.lib import numbered_records
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.promotions import promote, roll_back
from retrainer.components.lib.registry.registry import CHAMPION
from retrainer.components.lib.runs.run_records import TaskRecord
from retrainer.components.lib.serving.interface import ServiceError
from retrainer.components.lib.serving.rollout_records import RolloutRecords
from retrainer.components.lib.serving.rollout_settings import RolloutSettings
from retrainer.components.lib.serving.rollout_state import Change, Rollout, RolloutState
from retrainer.components.watch_rollout.watch import look_at, watch

HOLD = 60


@pytest.fixture
def answers(tmp_path):
    return Answers(tmp_path / "logs")


@pytest.fixture
def section(answers):
    steps = [
        {"percent": percent, "hold_seconds": HOLD, "min_requests": 100} for percent in (10, 50)
    ]
    return {
        "observations": str(answers.folder / "*"),
        "steps": steps,
        "guards": {"error_rate": {"max_increase": 0.0}},
    }


@pytest.fixture
def look(store, settings, section, quick, answers):
    """Look at the rollout, some seconds later."""

    def look(later=HOLD + 5):
        answers.seconds += later
        services = {"memory": settings}
        return watch(
            store, services, "flights", section, "watcher", timing=quick, clock=answers.now
        )

    return look


@pytest.fixture
def begun(store, settings, section, push, quick):
    """Version 1 serves, and version 2 is rolled out."""
    push()
    deploy(store, {"memory": settings}, "flights", section, "run-1", timing=quick)
    push()
    deploy(store, {"memory": settings}, "flights", section, "run-2", timing=quick)


def _newest(store):
    return RolloutRecords(store).newest().rollout


def test_a_good_version_goes_step_by_step_to_all_requests(begun, store, look, answers, memory):
    assert memory.state["traffic"] == {"1": 90, "2": 10}
    answers.write("1.parquet", answers.rows(1, 900), answers.rows(2, 100))
    assert "50 %" in look()
    assert memory.state["traffic"] == {"1": 50, "2": 50}
    answers.write("2.jsonl", answers.rows(1, 150), answers.rows(2, 150))
    assert look() == "version 2 serves all requests: every service serves it"
    assert memory.state["history"] == [
        {"1": 100},
        {"1": 90, "2": 10},
        {"1": 50, "2": 50},
        {"2": 100},
    ]
    states = [one.state for one in _newest(store).changes]
    assert states == ["canary", "canary", "promoting", "serving"]
    assert look() == "version 2 serves all requests: every service serves it"


def test_a_bad_version_goes_back_and_is_held(begun, store, look, answers, memory, registry):
    answers.write("1.parquet", answers.rows(1, 900, 0.01), answers.rows(2, 100, 0.5))
    assert "version 2 was rolled back: a guard is violated: error_rate" in look(later=0)
    assert memory.state["traffic"] == {"1": 100}
    move = registry.alias(CHAMPION).newest()
    assert (move.version, move.held[0].version, move.held[0].by) == (1, 2, "watcher")
    assert "error_rate" in move.held[0].why
    look()
    assert memory.state["traffic"] == {"1": 100}
    assert _newest(store).state == RolloutState.ROLLED_BACK


def test_the_run_that_rolls_back_notes_it_and_later_ones_do_not(
    begun, store, settings, section, quick, answers
):
    answers.write("1.parquet", answers.rows(1, 900, 0.01), answers.rows(2, 100, 0.5))
    noted = []
    # The second is a retry of the first, such as after a death.
    for run in ("watch-1", "watch-1", "watch-2"):
        record = TaskRecord("watch_rollout")
        services = {"memory": settings}
        watch(store, services, "flights", section, run, record, timing=quick, clock=answers.now)
        noted.append(record.notes["rolled_back"])
    assert noted == [True, True, False]


def test_missing_data_never_promotes(begun, look, answers, memory):
    said = look(later=10_000)
    assert "no observations of the new version since" in said
    assert "matches no file with rows of this rollout's time" in said
    answers.write("1.parquet", answers.rows(1, 2000))
    said = look(later=10_000)
    assert "no observations of the new version since" in said
    assert "matches no file" not in said
    answers.write("2.parquet", answers.rows(2, 99), answers.rows(1, 99))
    assert "99 of 100 requests" in look(later=10_000)
    assert memory.state["traffic"] == {"1": 90, "2": 10}


def test_a_version_without_a_baseline_to_compare_with_waits(begun, look, answers):
    answers.write("1.parquet", answers.rows(2, 500))
    assert "error_rate has compared 0 of 1 rows" in look(later=10_000)


def test_the_hold_lasts(begun, look, answers, memory):
    answers.write("1.parquet", answers.rows(1, 900), answers.rows(2, 100))
    assert "the stage lasts" in look(later=10)
    assert "clock is" in look(later=-110)
    assert memory.state["traffic"] == {"1": 90, "2": 10}


def test_it_gives_up_if_asked(begun, look, section, memory):
    section["give_up_seconds"] = 500
    assert "waiting" in look(later=400)
    assert "was rolled back: given up after" in look(later=200)
    assert memory.state["traffic"] == {"1": 100}


def test_each_row_counts_once(begun, store, look, answers):
    """Looked at again, in a copied file, in a file that grew, and in half a line."""
    rows = answers.write("1.jsonl", answers.rows(1, 90), answers.rows(2, 40))
    look()
    look()
    assert _newest(store).progress["requests"] == 40
    answers.write("copy.parquet", rows)
    look()
    assert _newest(store).progress["requests"] == 40
    grown = answers.write("1.jsonl", rows, answers.rows(1, 5), answers.rows(2, 5))
    with open(answers.folder / "1.jsonl", "a") as file:
        file.write('{"request_id": "half')
    look()
    assert _newest(store).progress["requests"] == 45
    answers.write("1.jsonl", grown, answers.rows(2, 1), answers.rows(1, 1))
    look()
    assert _newest(store).progress["requests"] == 46


def test_a_log_that_is_rotated_counts_once(begun, store, look, answers):
    """It is renamed, and a shorter one takes its name."""
    answers.write("current.jsonl", answers.rows(1, 90), answers.rows(2, 40))
    look()
    (answers.folder / "current.jsonl").rename(answers.folder / "old.jsonl")
    answers.write("current.jsonl", answers.rows(1, 5), answers.rows(2, 5))
    look()
    assert _newest(store).progress["requests"] == 45
    (answers.folder / "old.jsonl").unlink()
    answers.write("next.jsonl", answers.rows(1, 5), answers.rows(2, 5))
    look()
    assert _newest(store).progress["requests"] == 50


def test_a_file_that_cannot_be_read_is_named_and_read_later(begun, store, look, answers):
    rows = answers.write("1.parquet", answers.rows(1, 90), answers.rows(2, 40))
    whole = (answers.folder / "1.parquet").read_bytes()
    (answers.folder / "1.parquet").write_bytes(whole[: len(whole) // 2])
    assert "1.parquet' can't be read yet" in look()
    (answers.folder / "1.parquet").write_bytes(whole)
    look()
    assert _newest(store).progress["requests"] == len(
        [row for row in rows if row["model_version"] == 2]
    )


def test_rows_that_a_log_writes_without_a_time_or_a_request_are_named_while_it_waits(
    begun, look, answers
):
    rows = answers.write("1.jsonl", answers.rows(2, 3), answers.rows(1, 9))
    for row in rows[:2]:
        row["request_id"] = None
    rows[2]["occurred_at"] = "yesterday"
    (answers.folder / "1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = look()
    assert "1 new row without occurred_at left out" in said
    assert "2 new rows without request_id left out" in said
    # They are named once.
    assert "left out" not in look()


def test_rows_before_the_rollout_do_not_count(begun, look, answers):
    answers.write("1.parquet", answers.rows(1, 90, after=-9999), answers.rows(2, 400, after=-9999))
    assert "no observations" in look()


def test_each_stage_counts_its_own_requests(begun, look, answers, memory):
    answers.write("1.parquet", answers.rows(1, 900), answers.rows(2, 100))
    look()
    assert memory.state["traffic"] == {"1": 50, "2": 50}
    answers.write("2.parquet", answers.rows(1, 60), answers.rows(2, 60))
    # Logged late: they were answered in the stage before.
    answers.write("3.parquet", answers.rows(1, 60, after=-30), answers.rows(2, 60, after=-30))
    assert "60 of 100 requests" in look()
    answers.write("4.parquet", answers.rows(1, 40), answers.rows(2, 40))
    assert "serves all requests" in look()


def test_a_guard_that_is_changed_starts_again(begun, look, answers, section):
    answers.write("1.parquet", answers.rows(1, 300), answers.rows(2, 90))
    assert "waiting" in look(later=0)
    section["guards"]["error_rate"]["max_increase"] = 0.5
    answers.write("2.parquet", answers.rows(1, 300), answers.rows(2, 300, 0.3))
    assert "50 %" in look()


def _fewest_failures(answers, guards):
    """Count the failures of 300 requests from which on a version is rolled back."""
    begun = Change(RolloutState.CANARY, 10, answers.now().isoformat(), "begun", "me")
    steps = [{"percent": 10, "hold_seconds": HOLD, "min_requests": 100}]
    section = {"observations": str(answers.folder / "*"), "steps": steps, "guards": guards}
    for failures in range(60):
        canary = answers.rows(2, 300)
        for row in canary[:: 300 // failures][:failures] if failures else ():
            row["status"] = "error"
        answers.write("1.jsonl", answers.rows(1, 300), canary)
        rollout = Rollout(2, 1, 2, (begun,))
        decision, _ = look_at(rollout, RolloutSettings.of(section), "me", answers.now())
        if decision.rollout.ended:
            return failures
    return None


def test_the_probability_of_a_false_alarm_is_shared_among_the_guards(answers):
    guards = {"error_rate": {"max_increase": 0.0}}
    alone = _fewest_failures(answers, guards)
    silent = {"prediction_drift": {"column": "prediction", "max_difference": 1.0}}
    assert 0 < alone < _fewest_failures(answers, {**guards, **silent})


def test_a_shadow_answers_nobody(store, settings, section, push, quick, look, answers, memory):
    section["shadow"] = {"hold_seconds": 0, "min_requests": 50}
    push()
    deploy(store, {"memory": settings}, "flights", section, timing=quick)
    push()
    deploy(store, {"memory": settings}, "flights", section, timing=quick)
    assert memory.state["traffic"] == {"1": 100}
    assert memory.state["loaded"] == [1, 2]
    answers.write("1.parquet", answers.rows(1, 60), answers.rows(2, 60, variant="shadow"))
    assert "has 10 % of the requests: passed as shadow" in look()
    assert memory.state["traffic"] == {"1": 90, "2": 10}


def test_a_newer_champion_takes_the_canarys_place(begun, push, look, memory, store):
    push()
    look()
    assert memory.state["traffic"] == {"1": 90, "3": 10}
    assert "takes the place of version 2" in _newest(store).changes[0].reason


def test_a_registry_rolled_back_in_the_middle_of_a_canary(begun, registry, look, memory):
    roll_back(registry, {"by": "ann", "why": "complaints"})
    assert "the registry went back to version 1 by ann: complaints" in look()
    assert memory.state["traffic"] == {"1": 100}


def test_what_was_rolled_back_begins_again_only_if_a_person_promotes_it(
    begun, registry, look, answers, memory
):
    answers.write("1.parquet", answers.rows(1, 900, 0.01), answers.rows(2, 100, 0.5))
    look()
    look()
    assert memory.state["traffic"] == {"1": 100}
    (answers.folder / "1.parquet").unlink()
    promote(registry, 2, {"by": "ann", "why": "the log was wrong"})
    look()
    assert memory.state["traffic"] == {"1": 90, "2": 10}


def test_a_service_that_is_down_delays_and_the_state_is_recorded(
    begun, store, look, answers, memory
):
    answers.write("1.parquet", answers.rows(1, 900), answers.rows(2, 100))

    def down(_):
        raise ServiceError("memory is down", transient=True)

    memory_service.BEFORE.append(down)
    with pytest.raises(RetrainerError, match=r"has 50 % .* recorded, but not yet so in memory"):
        look()
    assert _newest(store).percent == 50
    memory_service.BEFORE.clear()
    look(later=0)
    assert memory.state["traffic"] == {"1": 50, "2": 50}


@pytest.mark.parametrize("errors", [0.0, 0.5])
def test_killed_anywhere_the_next_look_goes_on_and_traffic_is_a_planned_split(
    begun, store, look, answers, memory, in_child, monkeypatch, errors, registry
):
    """At every file that is created in the store and at every call of the service, before it and after it."""
    answers.write("1.parquet", answers.rows(1, 900, 0.01), answers.rows(2, 100, errors))
    create = numbered_records.create_exclusive
    kills = 0
    for number in range(1, 40):

        def killed(number=number):
            left = iter(range(number - 1))

            def count(*_):
                if next(left, None) is None:
                    memory_service.die()

            def create_or_die(*arguments):
                count()
                made = create(*arguments)
                count()
                return made

            memory_service.BEFORE.append(count)
            memory_service.AFTER.append(count)
            monkeypatch.setattr(numbered_records, "create_exclusive", create_or_die)
            look()

        if in_child(killed) == 0:
            break
        kills += 1
    answers.seconds += 1000
    answers.write("2.parquet", answers.rows(1, 150, 0.01), answers.rows(2, 150, errors))
    look()
    look()
    planned = [{"1": 100}, {"1": 90, "2": 10}, {"1": 50, "2": 50}, {"2": 100}]
    history = memory.state["history"]
    assert all(one in planned for one in history)
    assert history[-1] == ({"1": 100} if errors else {"2": 100})
    assert registry.version_of(CHAMPION) == (1 if errors else 2)
    assert kills > 5
    if not errors:
        assert history == planned


def test_two_watchers_at_once_count_and_decide_once(begun, store, look, answers, memory, in_child):
    answers.write("1.parquet", answers.rows(1, 900), answers.rows(2, 100))
    children = [in_child.start(look) for _ in range(3)]
    assert [in_child.wait(one) for one in children] == [0, 0, 0]
    rollout = _newest(store)
    assert [one.percent for one in rollout.changes] == [10, 50]
    assert memory.state["overlaps"] == 0
    assert memory.state["traffic"] == {"1": 50, "2": 50}


def test_a_random_life_never_leaves_the_planned_splits(
    begun, store, look, answers, memory, push, registry
):
    """Looks, pushes, rollbacks, and services that fail, in any order."""
    draw = random.Random(3)
    for step in range(25):
        fate = draw.random()
        memory_service.BEFORE.clear()
        if fate < 0.15:
            push()
        elif fate < 0.25 and registry.version_of(CHAMPION) is not None:
            try:
                roll_back(registry, {"by": "ann"})
            except RetrainerError:
                continue
        elif fate < 0.5:
            hook = memory_service.failing_at(draw.randint(1, 4), memory_service.lost_reply())
            memory_service.BEFORE.append(hook)
        rollout = _newest(store)
        errors = 0.4 if draw.random() < 0.3 else 0.0
        answers.write(
            f"{step}.jsonl",
            answers.rows(rollout.stable or 1, 110),
            answers.rows(rollout.canary, 110, errors),
        )
        try:
            look()
        except RetrainerError:
            continue
    for one in memory.state["history"]:
        shares = sorted(one.values())
        assert shares in ([100], [10, 90], [50, 50])
