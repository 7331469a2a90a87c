"""What single columns say by themselves, in the newest span and beside the earlier ones."""

import pandas as pd
import pytest

from retrainer.components.validate_examples.checks.columns import (
    check_constant,
    check_infinite,
    check_numbers_in_text,
)
from retrainer.components.validate_examples.settings import parse_settings


@pytest.fixture
def found(analysis):
    """A function that runs a check on the cells of one column by span, and gives the findings."""

    def go(check, *cells, label="y"):
        spans = {
            str(i): pd.DataFrame({"x": pd.Series(one), "y": [0, 1] * (len(one) // 2)})
            for i, one in enumerate(cells, 1)
        }
        return check(analysis(spans, label), parse_settings())

    return go


def kinds(findings):
    return [(one.kind.name, one.where) for one in findings]


def test_infinite_numbers_are_named_by_split_and_span(found):
    inf = float("inf")
    findings = found(check_infinite, [1.0, inf], [1.0, 2.0], [-inf, inf], [3.0, -inf])
    assert kinds(findings) == [
        ("infinite", "training (1, 3)"),
        ("infinite", "evaluation (4)"),
    ]
    assert [one.in_training for one in findings] == [True, False]
    assert findings[1].seen == "from -infinity to 3"
    assert found(check_infinite, [1.0, 2.0], [1.0, 1e308]) == []


@pytest.mark.parametrize(
    ("numbers", "others", "is_found"), [(90, 10, True), (88, 12, False), (100, 0, False)]
)
def test_text_is_nearly_all_numbers_from_nine_in_ten_on(found, numbers, others, is_found):
    cells = [*map(str, range(numbers)), *(f"n{i}" for i in range(others))]
    findings = found(check_numbers_in_text, cells, cells)
    assert kinds(findings) == ([("numbers_in_text", "spans 1, 2")] if is_found else [])


def test_a_label_or_a_number_is_not_looked_at_for_numbers_in_text(found):
    cells = [*map(str, range(98)), "a", "b"]
    assert found(check_numbers_in_text, cells, cells, label="x") == []
    assert found(check_numbers_in_text, [1.0, 2.0], [1.0, 2.0]) == []


A, B, NONE = ["a", "a"], ["a", "b"], [None, None]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ((B, B), []),
        ((B, A), [("became_constant", "span 2")]),
        ((B, A, A), [("became_constant", "span 3")]),
        ((A, A), [("constant_column", "every span of the window")]),
        ((A, NONE, A), [("constant_column", "every span of the window")]),
        # One value in each span, another one in each: that is drift.
        ((["c", "c"], A), []),
        ((NONE, A), [("constant_column", "span 2")]),
        ((NONE, B), []),
        ((B, NONE), [("became_empty", "span 2")]),
        ((B, NONE, NONE), [("became_empty", "span 3")]),
        ((NONE, NONE), [("all_missing", "span 2")]),
    ],
)
def test_a_column_with_one_value_or_none(found, cells, expected):
    assert kinds(found(check_constant, *cells)) == expected


def test_the_label_is_not_silent(found):
    assert found(check_constant, A, A, label="x") == []
