"""Looks and states in the store: several writers, and processes that were killed."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.monitoring import looks as module
from retrainer.components.lib.monitoring.looks import LookRecord, Looks
from retrainer.components.lib.monitoring.signals import Kind, Outcome, Signal
from retrainer.components.lib.numbered_records import NumberedRecords
from retrainer.components.lib.uris import read_json, write_json


def look(window: str, outcome: Outcome = Outcome.OK, **more) -> LookRecord:
    signal = Signal(Kind.DATA, "x", outcome, "m", 1.0, 2.0)
    given = {"key": window, "window": window, "champion": 1, "at": "2026-11-01T00:00:00+00:00"}
    return LookRecord(**{**given, "signals": (signal,), **more})


@pytest.fixture
def looks(tmp_path):
    return Looks(str(tmp_path / "store"))


def test_without_a_look_there_are_no_states(looks):
    assert looks.newest(5) == []
    assert looks.states().look == 0
    assert looks.fold({}).states == {}


def test_a_look_and_its_states_come_back(looks):
    spans = {"a": {"version": "v1", "rows": 3}}
    written = looks.add(look("a", Outcome.BREACHED, spans=spans, by="ann", about={"n": 1}))
    assert looks.newest(1) == [written]
    states = looks.fold({})
    assert [one.name for one in states.detected()] == ["data/x"]
    assert looks.states() == states
    assert [one.after for one in states.changes] == ["detected"]


def test_an_equal_look_is_not_written_twice(looks):
    first = looks.add(look("a"))
    assert looks.add(look("a")) == first
    assert len(looks.newest(9)) == 1


def test_a_look_with_an_error_is_repeated(looks):
    looks.add(look("a", errors=("no baseline",)))
    looks.add(look("a"))
    assert [one.errors for one in looks.newest(9)] == [("no baseline",), ()]


def test_many_processes_that_look_at_once_write_one_look_and_its_states_once(looks):
    with ThreadPoolExecutor(8) as pool:

        def work(number: int) -> str:
            looks.add(look("a" if number % 2 else "b", Outcome.BREACHED))
            return str(looks.fold({}).states["data/x"].state)

        assert set(pool.map(work, range(16))) == {"detected"}
    assert sorted(one.window for one in looks.newest(99)) == ["a", "b"]
    records = looks.states_since(0)
    assert [one.look for one in records] == [1, 2]
    assert [change.look for one in records for change in one.changes] == [1]


def test_states_that_a_killed_process_did_not_write_are_written_by_the_next(looks):
    for window in ("a", "b", "c"):
        looks.add(look(window, Outcome.BREACHED if window == "b" else Outcome.OK))
    states = looks.fold({})
    assert states.look == 3
    assert [change.after for one in looks.states_since(0) for change in one.changes] == [
        "detected", "cleared",
    ]  # fmt: skip


@pytest.mark.parametrize("step", range(4))
def test_killed_at_any_write_the_next_run_ends_the_same(looks, monkeypatch, step):
    calls = iter(range(100))
    append = NumberedRecords.append

    def killed(self, content, after):
        if next(calls) == step:
            raise KeyboardInterrupt
        return append(self, content, after)

    def run():
        for window in ("a", "b"):
            looks.add(look(window, Outcome.BREACHED))
            looks.fold({})

    with monkeypatch.context() as patch:
        patch.setattr(NumberedRecords, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            run()
    run()
    assert [one.window for one in looks.newest(9)] == ["a", "b"]
    assert looks.states().look == 2
    assert looks.states().states["data/x"].look == 1


def test_a_record_of_another_format_is_an_error(looks, monkeypatch):
    monkeypatch.setattr(module, "FORMAT", 2)
    looks.add(look("a"))
    monkeypatch.setattr(module, "FORMAT", 1)
    with pytest.raises(RetrainerError, match="format 2"):
        looks.newest(1)


@pytest.mark.parametrize("damage", [{"at": 7}, {"signals": None}, {"states": []}, {"changes": 7}])
def test_a_damaged_record_is_named(looks, tmp_path, damage):
    looks.add(look("a"))
    looks.fold({})
    folder = "looks" if damage.keys() & {"signals", "at"} else "state"
    file = str(tmp_path / "store" / "monitoring" / folder / "000001.json")
    write_json(file, {**read_json(file), **damage})
    with pytest.raises(
        RetrainerError, match=rf"{folder}/000001\.json' is no record that retrainer"
    ):
        looks.newest(1) if folder == "looks" else looks.states()


def test_a_look_keeps_its_key_apart_from_others_of_its_span(looks):
    looks.add(look("a"))
    looks.add(replace(look("a"), key="with labels"))
    assert looks.fold({}).look == 2
    assert len(looks.states().states["data/x"].recent) == 1


def test_the_history_has_one_look_a_window_however_often_one_was_looked_at(looks):
    for window in ("a", "b", "c"):
        for number in range(4):
            looks.add(replace(look(window), key=f"{window}{number}"))
    assert [(one.window, one.number) for one in looks.history(9)] == [("a", 4), ("b", 8), ("c", 12)]
    assert [one.window for one in looks.history(2)] == ["b", "c"]
    assert [one.window for one in looks.history(1)] == ["c"]
    # Late rows: an older window is looked at again.
    looks.add(replace(look("b"), key="late"))
    assert [(one.window, one.number) for one in looks.history(9)] == [
        ("a", 4),
        ("c", 12),
        ("b", 13),
    ]


def test_a_history_without_a_look_is_empty(looks):
    assert looks.history(3) == []
