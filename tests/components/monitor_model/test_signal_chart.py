"""A signal over the looks."""

import math

from retrainer.components.lib.monitoring.looks import LookRecord
from retrainer.components.lib.monitoring.signals import Kind, Outcome, Signal
from retrainer.components.monitor_model.signal_chart import Point, points_of, signal_chart


def look(window, value, outcome=Outcome.OK, bound=0.2):
    signal = Signal(Kind.DRIFT, "x", outcome, "m", value, bound)
    return LookRecord(window, window, 1, "2026-11-01T00:00:00+00:00", (signal,))


def test_the_last_look_at_a_span_counts():
    history = [look("a", 0.1), look("b", 0.3, Outcome.BREACHED), look("b", 0.15)]
    assert [(one.window, one.value) for one in points_of("drift/x", history)] == [
        ("a", 0.1), ("b", 0.15),
    ]  # fmt: skip


def test_breached_looks_are_marked_and_gaps_are_gaps():
    points = points_of(
        "drift/x",
        [look("a", 0.1), look("b", None, Outcome.SILENT, None), look("c", 0.3, Outcome.BREACHED)],
    )
    chart = signal_chart("drift/<x>", points)
    assert chart.count('fill="var(--bad)"') == 1
    assert "b: not judged" in chart
    # The line begins again after the gap.
    assert chart.count("M") == 4
    assert "<x>" not in chart


def test_what_has_no_two_values_is_not_drawn():
    point = Point("a", Outcome.OK, 0.1, None)
    assert signal_chart("x", [point]) == ""
    assert signal_chart("x", [point, Point("b", Outcome.OK, math.nan, None)]) == ""


def test_equal_values_are_drawn_and_nothing_but_zeros_is_not():
    for value, drawn in ((0.3, True), (0.0, False)):
        points = [Point(str(n), Outcome.OK, value, 0.3) for n in range(3)]
        assert ("<svg" in signal_chart("x", points)) is drawn
