"""How mature labels are, from the records alone."""

from datetime import UTC, datetime, timedelta

import pytest

from retrainer.components.lib.monitoring.maturity import (
    AgeShare,
    find_differences,
    is_all_due,
    measure_maturity,
)
from retrainer.components.lib.predictions.joined_sets import Compared, Coverage, JoinedSet

NOW = datetime(2026, 3, 2, tzinfo=UTC)
BINS = ("low", "high", "missing")


def _joined(*periods, compared=()):
    coverage = tuple(
        Coverage(
            (NOW - timedelta(hours=hours + 1)).isoformat() if hours is not None else "",
            (NOW - timedelta(hours=hours)).isoformat() if hours is not None else "",
            rows,
            labelled,
            rows * 10.0,
            labelled * 10.0,
        )
        for hours, rows, labelled in periods
    )
    return JoinedSet(
        "2026-03-01", "v", "", (), 0, "v", "late", coverage=coverage, compared=compared
    )


def test_shares_by_age_and_what_is_due():
    joined = _joined((0, 100, 10), (20, 100, 80), (50, 100, 90))
    found = measure_maturity([joined], NOW, delay_seconds=6 * 3600)
    assert (found.rows, found.labelled, found.due, found.due_labelled) == (3000, 1800, 2000, 1700)
    assert (found.late, found.not_due) == (300, 900)
    assert found.due_share == pytest.approx(0.85)
    assert found.by_age == (
        AgeShare("1 hour", 1000, 100),
        AgeShare("1 day", 1000, 800),
        AgeShare("1 week", 1000, 900),
    )
    assert not is_all_due(joined, NOW, 6 * 3600)
    assert is_all_due(joined, NOW, 0)


def test_without_predictions_there_is_no_share():
    found = measure_maturity([], NOW)
    assert (found.share, found.due_share, found.by_age) == (None, None, ())


def test_predictions_without_a_time_are_due():
    found = measure_maturity([_joined((None, 10, 1))], NOW, 10**9)
    assert (found.due, found.late) == (100, 90)


def test_labels_for_some_cases_only_are_a_difference_and_young_rows_without_labels_are_none():
    """Younger rows have other values and fewer labels; within each hour labels come for all alike."""
    alike = Compared("prediction", BINS, ((90, 10, 0), (10, 40, 0)), ((90, 10, 0), (40, 160, 0)))
    (found,) = find_differences(_joined((30, 200, 100), (20, 250, 50), compared=(alike,)), NOW, 0)
    assert (found.distance, found.p_value) == (pytest.approx(0), 1.0)
    only_low = Compared("prediction", BINS, ((100, 0, 0), (50, 0, 0)), ((80, 20, 0), (0, 200, 0)))
    joined = _joined((30, 200, 100), (20, 250, 50), compared=(only_low,))
    (found,) = find_differences(joined, NOW, 0)
    # Of the second hour a fifth of the rows is low, and all with a label are: 0.8 of 50, and 0.1 of 100, of 150 rows.
    assert found.distance == pytest.approx((0.8 * 50 + 0.1 * 100) / 150)
    assert found.p_value < 1e-9
    assert found.bin in ("low", "high")
    # Only what is due counts.
    (found,) = find_differences(joined, NOW, 25 * 3600)
    assert (found.labelled, found.rows) == (100, 200)


def test_a_chi_square_by_hand():
    """For one table of 2 x 2 it is the test of Mantel and Haenszel."""
    one = Compared("x", ("a", "b"), ((60, 40),), ((40, 60),))
    (found,) = find_differences(_joined((30, 200, 100), compared=(one,)), NOW, 0)
    # z² = (60 - 50)² / (100·100·100·100 / (200²·199)) = 7.96; two bins, both sides.
    assert found.p_value == pytest.approx(2 * 0.004782, rel=1e-3)


def test_all_labelled_or_none_is_no_difference():
    every = Compared("prediction", BINS, ((5, 5, 0),), ((0, 0, 0),))
    none = Compared("prediction", BINS, ((0, 0, 0),), ((5, 5, 0),))
    joined = _joined((30, 10, 10), compared=(every, none))
    assert find_differences(joined, NOW, 0) == []
