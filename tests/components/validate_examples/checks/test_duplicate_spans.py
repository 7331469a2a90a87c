"""The same rows under two names, in any order, and rows that only look alike."""

import pandas as pd
import pytest

from retrainer.components.validate_examples.checks.duplicate_spans import check
from retrainer.components.validate_examples.settings import parse_settings

ROWS = pd.DataFrame({"x": [1.5, 2.5, 4.0], "kind": ["a", "b", "b"], "y": [0, 1, 1]})


@pytest.fixture
def seen(analysis):
    """A function that gives what is seen of spans that are the same."""

    def go(*frames):
        spans = {str(i): frame for i, frame in enumerate(frames, 1)}
        return [one.seen for one in check(analysis(spans), parse_settings())]

    return go


def test_a_copy_is_found_in_any_order_of_its_rows(seen):
    other = ROWS.assign(x=[9.0, 2.5, 4.0])
    assert seen(ROWS, other, ROWS.iloc[::-1]) == ["1 = 3: the same 3 rows"]


def test_two_pairs_are_named_apart(seen):
    other = ROWS.assign(x=[9.0, 2.5, 4.0])
    assert seen(ROWS, other, ROWS, other) == ["1 = 3; 2 = 4: the same 6 rows"]


@pytest.mark.parametrize(
    "change",
    [
        {"x": [1.5, 2.5, 4.000001]},
        {"x": [1.5, 2.5, None]},
        {"kind": ["a", "a", "b"]},
        {"kind": ["a", "b", None]},
        {"kind": ["a", "b", "c"]},
        {"y": [0, 0, 1]},
    ],
)
def test_one_cell_makes_another_span(seen, change):
    assert seen(ROWS, ROWS.assign(**change)) == []


def test_spans_without_rows_are_no_copies(seen):
    assert seen(ROWS, ROWS.iloc[:0], ROWS.iloc[:0]) == []


def test_the_last_digits_of_a_number_depend_on_the_order_of_a_sum(seen):
    assert seen(ROWS, ROWS.assign(x=[1.5, 2.5, 4.0000001])) == ["1 = 2: the same 3 rows"]


def test_a_copy_is_found_whatever_order_its_columns_have(seen):
    assert seen(ROWS, ROWS[["y", "kind", "x"]]) == ["1 = 2: the same 3 rows"]
