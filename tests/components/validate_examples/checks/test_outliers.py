"""Numbers far from all others, at the reach that makes them so and beside it."""

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
