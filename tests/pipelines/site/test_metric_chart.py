"""The chart of a metric, as its coordinates show it."""

import re

import pytest

from retrainer.pipelines.site.metric_chart import metric_chart

DAYS = ("2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00", "2026-01-05T00:00:00+00:00")


def circles(svg):
    return [
        (float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)
    ]


def test_a_better_value_is_higher_and_time_is_to_scale():
    points = [
        (day, f"version {i}", value)
        for i, (day, value) in enumerate(zip(DAYS, (0.8, 0.9, 0.85), strict=True))
    ]
    first, second, third = circles(metric_chart("auc", points))
    assert second[1] < third[1] < first[1]
    assert third[0] - second[0] == pytest.approx(3 * (second[0] - first[0]), abs=0.2)
    assert "0.8 to 0.9" in metric_chart("auc", points)
    assert "now 0.85" in metric_chart("auc", points)


@pytest.mark.parametrize("values", [(0.8,), (0.8, 0.8)])
def test_one_champion_and_equal_champions_are_drawn(values):
    svg = metric_chart("auc", [(DAYS[i], f"version {i}", one) for i, one in enumerate(values)])
    assert len({y for _, y in circles(svg)}) == 1
    assert "nan" not in svg


def test_champions_of_one_moment_are_drawn():
    assert len(circles(metric_chart("auc", [(DAYS[0], "1", 0.8), (DAYS[0], "2", 0.9)]))) == 2


def test_names_cannot_break_the_page():
    assert "<b>" not in metric_chart('a"<b>', [(DAYS[0], "<b>", 0.8)])
