"""How far equal predictions may be apart."""

import numpy as np
import pytest

from retrainer.components.lib.saved_models.prediction_tolerance import Tolerance


def test_the_tolerance_is_of_the_prediction_and_of_the_largest_one():
    others = np.array([0.0, 1000.0])
    agree = Tolerance().agree
    # 1e-6 and 1e-5 of 1000, and for the second 1e-4 of itself.
    assert agree(np.array([0.01, 1000.11]), others)
    assert not agree(np.array([0.0101, 1000.0]), others)
    assert not agree(np.array([0.0, 1000.1101]), others)
    assert not agree(others[:1] + 0.01, others[:1])
    assert Tolerance.around(others).agree(others[:1] + 0.01, others[:1])
    assert not agree(others, others[:1])


def test_a_tolerance_of_one_percent_is_a_hundred_times_wider():
    others = np.array([0.5, 1.0])
    wide = Tolerance(0.01)
    assert wide.agree(np.array([0.5059, 1.0109]), others)
    assert not wide.agree(np.array([0.5061, 1.0]), others)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3)])
def test_rows_that_differ_are_listed(shape):
    others = np.zeros(shape)
    some = others.copy()
    some[2] = 1.0
    some[3] = np.nan
    assert Tolerance().differing(some, others).tolist() == [2, 3]
    assert Tolerance().differing(some, some).tolist() == []
