"""The states of a signal over looks."""

import random

import pytest

from retrainer.components.lib.monitoring.signal_states import (
    Looked,
    Rule,
    SignalState,
    State,
    follow,
)
from retrainer.components.lib.monitoring.signals import Kind, Outcome, Signal

LETTERS = {"o": Outcome.OK, "b": Outcome.BREACHED, "s": Outcome.SILENT, "n": Outcome.OK}


def signal(letter: str, kind: Kind = Kind.DRIFT, window: str = "") -> Signal:
    """`o` quiet, `n` near its bound, `b` breached, `s` silent."""
    value = {"o": 0.1, "n": 0.19, "b": 0.5, "s": None}[letter]
    return Signal(kind, "x", LETTERS[letter], letter, value, 0.2, 0.16, window)


def states_of(looks: str, section=None, kind: Kind = Kind.DRIFT, champion: int = 1) -> list[str]:
    """The state after each look, each at a span of its own."""
    states: dict[str, SignalState] = {}
    found = []
    for number, letter in enumerate(looks, start=1):
        looked = Looked(number, f"span-{number:03d}", f"at {number}", champion)
        states, _ = follow(states, [signal(letter, kind)], looked, section or {})
        found.append(str(states[f"{kind}/x"].state))
    return found


@pytest.mark.parametrize(
    ("looks", "last"),
    [
        ("o", "ok"),
        ("b", "suspected"),
        ("bo", "suspected"),
        ("boo", "ok"),
        ("bob", "detected"),
        ("bb", "detected"),
        ("bbo", "detected"),
        ("bboo", "cleared"),
        ("bbooo", "ok"),
        ("bboob", "suspected"),
        ("bboobb", "detected"),
        # Near its bound it is not quiet.
        ("bbnnnn", "detected"),
        ("bbono", "detected"),
        ("bbonoo", "cleared"),
        # What could not be judged neither detects nor clears.
        ("bs", "suspected"),
        ("bss", "suspected"),
        ("bsb", "detected"),
        ("bssb", "suspected"),
        ("bbsss", "detected"),
        ("bbsoso", "cleared"),
        ("s", "ok"),
    ],
)
def test_two_of_three_looks_detect_and_two_quiet_ones_clear(looks, last):
    assert states_of(looks)[-1] == last


def test_broken_data_is_detected_at_once_and_clears_at_once():
    assert states_of("obobo", kind=Kind.DATA) == [
        "ok",
        "detected",
        "cleared",
        "detected",
        "cleared",
    ]


def test_a_kind_has_rules_of_its_own():
    section = {"breaches": 3, "looks": 4, "kinds": {"drift": {"breaches": 1, "cool_down_looks": 2}}}
    assert Rule.of(section, Kind.DRIFT) == Rule(1, 4, 2, 2)
    assert Rule.of(section, Kind.ESTIMATED) == Rule(3, 4, 2, 0)


def test_in_the_cool_down_it_is_suspected_at_most():
    section = {"breaches": 1, "looks": 1, "quiet_looks": 1, "cool_down_looks": 2}
    assert states_of("bobbb", section) == [
        "detected", "cleared", "suspected", "suspected", "detected",
    ]  # fmt: skip


def test_a_second_look_at_a_span_replaces_the_first():
    states: dict[str, SignalState] = {}
    for number, (window, letter) in enumerate([("a", "b"), ("a", "b"), ("a", "o"), ("b", "b")], 1):
        looked = Looked(number, window, "now", 1)
        states, _ = follow(states, [signal(letter)], looked, {})
    assert states["drift/x"].state == State.SUSPECTED
    assert [one.window for one in states["drift/x"].recent] == ["a", "b"]


def test_a_signal_counts_by_the_span_that_it_judges():
    """Labels come late: several looks may judge the same labelled span."""
    states: dict[str, SignalState] = {}
    for number in range(1, 6):
        looked = Looked(number, f"span-{number}", "now", 1)
        states, _ = follow(states, [signal("b", window="labelled")], looked, {})
    assert states["drift/x"].state == State.SUSPECTED


def test_a_new_champion_begins_with_ok_and_broken_data_stays():
    found = [signal("b"), signal("b", Kind.DATA)]
    states: dict[str, SignalState] = {}
    for number in (1, 2):
        states, _ = follow(states, found, Looked(number, f"{number}", "now", 1), {})
    assert {str(one.state) for one in states.values()} == {"detected"}
    states, changes = follow(states, found, Looked(3, "3", "now", 2), {})
    assert states["data/x"].state == State.DETECTED
    assert states["data/x"].look == 1
    assert states["drift/x"].state == State.SUSPECTED
    assert [(one.name, str(one.after)) for one in changes] == [
        ("drift/x", "cleared"), ("drift/x", "suspected"),
    ]  # fmt: skip
    assert "version 2 is champion now" in changes[0].why


def test_a_reason_why_nothing_was_judged_goes_with_the_look_that_says_it():
    reason = Signal(Kind.REALISED, "labels", Outcome.SILENT, "no labels yet")
    loss = Signal(Kind.REALISED, "log_loss", Outcome.OK, "as good as the gate measured", 0.3, 0.4)
    states, _ = follow({}, [reason], Looked(1, "a", "now", 1), {})
    assert list(states) == [reason.name]
    states, changes = follow(states, [loss], Looked(2, "b", "now", 1), {})
    assert (list(states), changes) == ([loss.name], [])


def test_a_detection_is_named_by_the_look_that_made_it():
    states: dict[str, SignalState] = {}
    for number, letter in enumerate("bbbbb", 1):
        states, changes = follow(states, [signal(letter)], Looked(number, f"{number}", "t", 1), {})
        assert len(changes) == (number <= 2)
    assert states["drift/x"].look == 2


def test_states_come_back_from_json():
    states, _ = follow({}, [signal("b")], Looked(1, "a", "now", 1), {})
    one = states["drift/x"]
    assert SignalState.of(one.content()) == one


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_a_state_keeps_its_rules(seed):
    chance = random.Random(seed)
    rule = Rule(chance.randint(1, 4), 0, chance.randint(1, 4), chance.randint(0, 3))
    rule = Rule(
        rule.breaches, chance.randint(rule.breaches, 6), rule.quiet_looks, rule.cool_down_looks
    )
    looks = "".join(chance.choices("obsn", [4, 3, 1, 1], k=200))
    found = states_of(looks, vars(rule))
    before, cleared = "ok", -100
    for place, (letter, state) in enumerate(zip(looks, found, strict=True)):
        newest = looks[max(0, place + 1 - rule.looks) : place + 1]
        if state == "detected" and before != "detected":
            assert letter == "b"
            assert newest.count("b") >= rule.breaches
            assert place - cleared > rule.cool_down_looks
        if state == "cleared" and before == "detected":
            assert letter == "o"
            cleared = place
        if before == "detected":
            assert state in ("detected", "cleared")
        if letter == "s":
            assert state not in ("detected", "cleared") or before == state
        before = state
