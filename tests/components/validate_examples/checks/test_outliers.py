"""Numbers far from all others, at the reach that makes them so and beside it."""

import re

import numpy as np
import pandas as pd
import pytest

from retrainer.components.validate_examples.checks.outliers import check
from retrainer.components.validate_examples.settings import parse_settings


@pytest.fixture
def found(analysis):
    """A function that checks a column of numbers by span, and gives what is seen of it."""

    def go(*cells):
        spans = {
            str(i): pd.DataFrame({"x": np.asarray(one, float), "y": np.arange(len(one)) % 2})
            for i, one in enumerate(cells, 1)
        }
        return [one.seen for one in check(analysis(spans), parse_settings())]

    return go


NEAR = np.linspace(0, 100, 1001)


def ends_with(*last):
    """Numbers from 0 to 100, with others in place of the last ones."""
    return np.concatenate([NEAR[: -len(last)], last])


def test_a_number_ten_ranges_beyond_the_earlier_spans_is_far(found):
    # The earlier span has a range of 100, from 0 to 100.
    assert found(NEAR, ends_with(1100)) == []
    (high,) = found(NEAR, ends_with(1101))
    assert high.startswith("maximum 1101, far from all others")
    assert high.endswith("earlier spans have 0 to 100")
    assert found(NEAR, ends_with(-1000)) == []
    (low,) = found(NEAR, ends_with(-1001))
    assert low.startswith("minimum -1001")


def test_both_ends_can_be_far(found):
    high, low = found(NEAR, ends_with(-5000, 5000))
    assert high.startswith("maximum 5000")
    assert low.startswith("minimum -5000")


def test_what_a_tenth_of_the_rows_has_is_drift_and_not_far(found):
    assert found(NEAR, np.concatenate([NEAR[:800], np.full(201, 5000.0)])) == []
    assert found(NEAR, np.concatenate([NEAR[201:], np.full(201, -5000.0)])) == []


def test_the_range_is_that_of_all_earlier_spans(found):
    assert found(NEAR + 1000, NEAR, ends_with(5000)) == []
    assert found(NEAR, NEAR, ends_with(5000))


def test_nines_are_a_stand_in_also_without_an_earlier_span(found):
    (seen,) = found(ends_with(99_999))
    assert seen.startswith("maximum 99,999, far from all others, in ")
    assert found(ends_with(-32_768))
    assert found(ends_with(99_998)) == []
    # 99 is too short to be one, and here near the others.
    assert found(ends_with(99)) == []


def test_columns_of_one_number_or_without_any_have_no_far_values(found):
    assert found([5.0] * 20, [5.0] * 19 + [999_999.0]) == []
    assert found(NEAR, [np.nan] * 20) == []


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        (999, True), (99, False), (9_999, True), (9_998, False), (10.0**15 - 1, True), (10.0**16 - 1, False),
        (32_767, True), (32_768, True), (32_769, False), (32_766, False),
        (2_147_483_647, True), (2_147_483_648, True), (2_147_483_646, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("sign", [1, -1])
def test_nines_and_the_ends_of_integers_stand_for_a_missing_number(found, value, sign, is_one):
    seen = found(np.concatenate([np.linspace(-1, 1, 200), [sign * value]]))
    assert [one.split(",")[0].split(" ")[0] for one in seen] == (
        ["maximum" if sign > 0 else "minimum"] * is_one
    )


@pytest.mark.parametrize(("width", "is_far"), [(58, True), (60, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_placeholder_is_twenty_times_as_far_as_most_numbers_reach(found, width, is_far, sign):
    # Eight tenths of the rows reach over 0.8 of the width; 999 lies 20 times that beyond them.
    assert bool(found(sign * np.append(np.linspace(0, width, 2000), 999))) is is_far


@pytest.mark.parametrize("sign", [1, -1])
def test_it_is_said_in_how_many_rows_the_number_is(found, sign):
    cells = sign * np.concatenate([np.linspace(0, 1, 1900), np.full(100, 99_999)])
    (seen,) = found(cells)
    rows, share = re.search(r"about (\d+) rows \((\d+(?:\.\d)?) %\)$", seen).groups()
    assert int(rows) == pytest.approx(100, abs=12)
    assert float(share) == pytest.approx(5, abs=0.6)


def test_numbers_that_all_moved_are_drift(found):
    assert found(NEAR, NEAR + 5000) == []
    assert found(NEAR, NEAR - 5000) == []
    assert found(NEAR, NEAR * 100) == []


def test_where_the_earlier_spans_have_no_range_nothing_is_far(found, analysis):
    inf = float("inf")
    assert found([np.nan] * 20, [5.0] * 19 + [5000.0]) == []
    assert found([0.0, inf], ends_with(5000)) == []
    text = {
        "1": pd.DataFrame({"x": ["a", "b"], "y": 0}),
        "2": pd.DataFrame({"x": ends_with(5000.0), "y": 0}),
    }
    assert check(analysis(text), parse_settings()) == []
    assert check(analysis(dict(reversed(text.items()))), parse_settings()) == []


def test_a_label_or_a_key_has_no_far_numbers(analysis):
    spans = {
        "1": pd.DataFrame({"x": NEAR, "y": NEAR}),
        "2": pd.DataFrame({"x": NEAR, "y": ends_with(99_999)}),
    }
    assert check(analysis(spans), parse_settings()) == []
    (found,) = check(analysis(spans, "x"), parse_settings())
    assert (found.column, found.where) == ("y", "span 2")
