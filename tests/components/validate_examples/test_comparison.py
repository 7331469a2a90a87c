"""Each span is measured against the spans before it, as the newest one is."""

import pytest

from retrainer.components.lib.statistics.statistics_artifact import read_statistics
from retrainer.components.validate_examples.analysis import analyze
from retrainer.components.validate_examples.comparison import Comparison
from retrainer.components.validate_examples.distances import Distance
from retrainer.components.validate_examples.limits import L_INFINITY
from retrainer.components.validate_examples.report import render
from retrainer.components.validate_examples.result import run_checks
from retrainer.components.validate_examples.schema_inference import infer_schema
from retrainer.components.validate_examples.settings import parse_settings
from retrainer.components.validate_examples.window import read_window


@pytest.fixture
def judged(judge, months, tmp_path):
    """A function that judges months, changed or not, and returns the window and the judgement."""

    def go(change=lambda i, frame: frame, first=0, behind=6):
        spans = {span: change(i, months[span]) for i, span in enumerate(list(months)[first:behind])}
        judge(spans)
        window, settings = read_window(tmp_path / "statistics"), parse_settings()
        train = window.splits["train"]
        schema = infer_schema(train, list(window.spans.values())[:-1], ["late"], (), 0.99)
        return window, run_checks(analyze(window, schema, settings), settings)

    return go


def test_what_came_before_a_span_is_all_of_it(judged, tmp_path):
    window, _ = judged()
    assert list(window.before) == list(window.spans)[1:]
    rows = [dataset.rows for dataset in window.spans.values()]
    before = [dataset.rows for dataset in window.before.values()]
    assert before == [sum(rows[:i]) for i in range(1, 6)]
    assert window.earlier.statistics == read_statistics(tmp_path / "statistics", "Split-train")


def test_the_line_ends_with_the_distance_that_is_judged(judged):
    _, judgement = judged()
    last = judgement.history[-1]
    assert len(judgement.history) == 5
    assert last.keys() == judgement.drift.keys()
    for column, distance in judgement.drift.items():
        assert last[column].value == distance.value


def test_a_span_stays_as_far_as_it_was_when_it_was_the_newest(judged):
    _, before = judged(behind=4)
    window, after = judged(first=1, behind=5)
    assert list(window.spans)[-2] == "2013-04"
    measured = {column: one.value for column, one in after.history[-2].items()}
    assert measured == {column: one.value for column, one in before.drift.items()}
    assert len(measured) > 5


def test_a_column_that_never_moved_before_has_a_line(judged):
    window, judgement = judged(lambda i, frame: frame.assign(gate="B" if i < 5 else "C"))
    assert [distances["gate"].value for distances in judgement.history] == [0, 0, 0, 0, 1]
    page = render(window, judgement, "", "")
    assert 'aria-label="Drift of gate by span"' in page
    assert "<title>2013-03: 0</title>" in page


def test_a_column_that_creeps_away_is_farther_with_every_span(judged):
    _, judgement = judged(lambda i, frame: frame.assign(distance=frame.distance + 300 * i))
    values = [distances["distance"].value for distances in judgement.history]
    assert values[-1] > 1.5 * values[0]
    assert values[-1] == max(values)


def distance(value: float) -> Distance:
    return Distance(L_INFINITY, value, 0.1, chosen=False)


@pytest.mark.parametrize(
    ("earlier", "usual"),
    [([], None), ([0.4, 0.4], None), ([0.1, 0.9, 0.4], 0.4), ([0.1, 0.2, 0.4, 0.9], 0.3)],
)
def test_the_middle_of_three_or_more_distances_is_usual(earlier, usual):
    history = [{"x": distance(value), "y": distance(1.0)} for value in earlier]
    history.insert(1, {"y": distance(1.0)})
    compared = Comparison({}, history)
    assert compared.earlier("x") == earlier
    assert compared.usual("x") == (None if usual is None else pytest.approx(usual))
