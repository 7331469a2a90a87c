"""Distances that neither outliers nor chance decide."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from scipy.stats import chi2
from tensorflow_metadata.proto.v0 import anomalies_pb2

from retrainer.components.lib.statistics.dataset import Column, Dataset
from retrainer.components.validate_examples.distances import (
    Distance,
    l_infinity,
    may_be_chance,
    measure,
    quantile_divergence,
    read_distances,
)


def column(values) -> Column:
    frame = pd.DataFrame({"x": values})
    return Dataset(tfdv.generate_statistics_from_dataframe(frame)).columns["x"]


def normal(middle: float, seed: int, rows: int = 1000, wild: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(middle, 2, rows)
    values[:wild] = 999_999
    return values


@pytest.mark.parametrize("wild", [0, 4])
def test_a_shift_is_seen_whether_or_not_both_sides_have_an_outlier(wild):
    moved = quantile_divergence(column(normal(29, 1, wild=wild)), column(normal(20, 2, wild=wild)))
    assert moved > 0.7


def test_outliers_on_one_side_are_no_shift():
    assert quantile_divergence(column(normal(20, 1, wild=4)), column(normal(20, 2))) < 0.05


@pytest.mark.parametrize(
    ("factor", "low", "high"), [(1, 0, 0.05), (3, 0.05, 0.4), (0.3, 0.1, 0.4), (0.1, 0.3, 1)]
)
def test_heavy_tails_stay_seen(factor, low, high):
    tail = [np.random.default_rng(seed).lognormal(3, 1.5, 1000) for seed in (1, 2)]
    assert low <= quantile_divergence(column(tail[0] * factor), column(tail[1])) <= high


def test_numbers_that_never_meet_are_as_far_apart_as_can_be():
    assert quantile_divergence(column([4] * 50), column([5] * 50)) == pytest.approx(1)
    assert quantile_divergence(column([4] * 50), column([4] * 70)) == 0
    apart = quantile_divergence(column(np.arange(100.0)), column(np.arange(100.0) + 200))
    assert apart == pytest.approx(1)


def test_a_point_that_holds_half_of_the_rows_is_told_from_a_spread():
    spread = np.random.default_rng(1).uniform(0, 10, 1000)
    pointed = np.where(np.arange(1000) % 2, 5.0, spread)
    assert quantile_divergence(column(pointed), column(spread)) > 0.1


def test_chance_does_not_look_like_a_change():
    rng = np.random.default_rng(7)
    beyond = {"text": 0, "number": 0}
    for _ in range(15):
        for rows in (30, 60, 120):
            one, other = (
                {
                    "text": column(rng.choice(list("abcde"), size)),
                    "number": column(rng.normal(50, 10, size)),
                }
                for size in (rows, 6 * rows)
            )
            for kind, threshold in (("text", 0.1), ("number", 0.1)):
                measure = l_infinity if kind == "text" else quantile_divergence
                value = measure(one[kind], other[kind])
                chance = may_be_chance(one[kind], other[kind], value, threshold)
                beyond[kind] += value > threshold and not chance
    assert beyond == {"text": 0, "number": 0}


def test_a_change_in_a_small_span_is_still_one():
    one, other = column(["a"] * 50 + ["b"] * 10), column(["a"] * 60 + ["b"] * 340)
    assert not may_be_chance(one, other, l_infinity(one, other), 0.1)
    one, other = column(normal(29, 1, 60)), column(normal(20, 2, 400))
    assert not may_be_chance(one, other, quantile_divergence(one, other), 0.1)


def text(rows, **shares):
    """A column of text of which only its size and shares matter."""
    return SimpleNamespace(is_number=False, filled=rows, shares=shares)


def numbers(values, rows=1000, shares=None):
    """A column of numbers that is known by its quantiles."""
    values = np.asarray(values, float)
    quantiles = values, np.linspace(0, 1, len(values)) if shares is None else np.asarray(shares)
    return SimpleNamespace(is_number=True, filled=rows, quantiles=quantiles)


NONE = SimpleNamespace(is_number=True, filled=10, quantiles=None)


def test_the_largest_difference_of_a_share_is_the_distance_of_text():
    assert l_infinity(text(9, a=0.5, b=0.5), text(9, a=0.25, b=0.75)) == 0.25
    assert l_infinity(text(9, a=0.5, b=0.5), text(9, a=0.5, c=0.375)) == 0.5
    assert l_infinity(text(9, a=0.5, c=0.375), text(9, a=0.5, b=0.5)) == 0.5
    assert l_infinity(text(0), text(0)) == 0


def test_only_columns_of_one_type_with_values_are_measured():
    assert measure(text(9, a=1.0), text(9, b=1.0)) == 1
    assert measure(numbers([0, 1, 2]), numbers([0, 1, 2])) == 0
    for one, other in (
        (text(9, a=1.0), numbers([0, 1, 2])),
        (text(9, a=1.0), text(0)),
        (text(0), text(9, a=1.0)),
        (numbers([0, 1, 2]), NONE),
        (NONE, numbers([0, 1, 2])),
    ):
        assert measure(one, other) is None


def entropy(shares):
    return -sum(share * math.log2(share) for share in shares if share)


@pytest.mark.parametrize(
    ("one", "other", "p", "q"),
    [
        # Bins end at 0, 1, 2, 3: a third of the rows lies between two of them.
        ([0, 1, 2, 3], [0, 1, 1, 3], (0, 1 / 3, 1 / 3, 1 / 3), (0, 2 / 3, 1 / 6, 1 / 6)),
        # Tails halve with every step: of a tenth of the rows, half lies beyond the first one.
        (
            [0, 1, 2, 16],
            [0, 1, 2, 2],
            (0, 1 / 3, 1 / 3, 1 / 3),
            (0, 1 / 3, 2 / 3, 0),
        ),
        ([0, 1, 2, 16], [0, 1, 2, 3], (0, 1 / 3, 1 / 3, 1 / 6, 1 / 6), (0, 1 / 3, 1 / 3, 1 / 3, 0)),
        ([0, 1, 2, 16], [0, 1, 2, 5], (0, 1 / 3, 1 / 3, 7 / 24, 1 / 24), (0, 1 / 3, 1 / 3, 1 / 3, 0)),
        # From the eighth step on, what is left lies evenly up to the end.
        (
            [0, 1, 2, 40],
            [0, 1, 2, 25],
            (0, 1 / 3, 1 / 3, (1 - 2**-8 * 15 / 30) / 3, 2**-8 * 15 / 30 / 3),
            (0, 1 / 3, 1 / 3, 1 / 3, 0),
        ),
    ],
)  # fmt: skip
def test_the_divergence_is_lins_over_bins_that_quantiles_bound(one, other, p, q):
    lins = entropy([(a + b) / 2 for a, b in zip(p, q, strict=True)]) - (entropy(p) + entropy(q)) / 2
    one, other = np.array(one), np.array(other)
    for ours, theirs in ((one, other), (other, one)):
        assert quantile_divergence(numbers(ours), numbers(theirs)) == pytest.approx(lins, abs=1e-9)
        # Mirrored it is the same, but for rows at an edge, which are on the other side of it then.
        away = quantile_divergence(numbers(-ours[::-1] + 0.0), numbers(-theirs[::-1] + 0.0))
        if len({*one}) == len({*other}) == len(one):
            assert away == pytest.approx(lins, abs=1e-9)


@pytest.mark.parametrize("bins", [2, 3, 10, 20])
@pytest.mark.parametrize("sizes", [(30, 200), (200, 30), (1000, 1000)])
def test_up_to_what_one_in_a_thousand_samples_exceeds_a_divergence_is_chance(bins, sizes):
    one, other = (numbers(range(7, 7 + bins), rows) for rows in sizes)
    scale = (1 / sizes[0] + 1 / sizes[1]) / (8 * math.log(2))
    limit = scale * chi2.isf(0.001, bins - 1)
    # Wilson's and Hilferty's approximation is good to a few percent.
    assert may_be_chance(one, other, 0.96 * limit, 0.1)
    assert not may_be_chance(one, other, 1.04 * limit, 0.1)


@pytest.mark.parametrize(
    ("one", "other", "is_chance"),
    [
        (text(1000, a=0.5, b=0.5), text(1000, a=0.7, b=0.3), False),
        (text(1000, a=0.7, b=0.3), text(1000, a=0.5, b=0.5), False),
        # Moved, but in samples that small it may be nothing.
        (text(30, a=0.5, b=0.5), text(1000, a=0.7, b=0.3), True),
        (text(1000, a=0.7, b=0.3), text(30, a=0.5, b=0.5), True),
        # Surely moved, but by no more than the threshold.
        (text(10**6, a=0.5, b=0.5), text(10**6, a=0.625, b=0.375), True),
        (text(10**6, a=0.5, b=0.5), text(10**6, a=0.626, b=0.374), False),
        # New, and gone.
        (text(1000, a=0.8, b=0.2), text(1000, a=0.8), False),
        (text(1000, a=0.8), text(1000, a=0.8, b=0.2), False),
    ],
)
def test_text_moved_by_chance_unless_the_intervals_of_a_share_lie_apart(one, other, is_chance):
    assert may_be_chance(one, other, l_infinity(one, other), 0.125) is is_chance


def test_of_several_measures_the_one_farthest_over_its_threshold_counts():
    anomalies = text_format.Parse(
        """
        drift_skew_info {
          path { step: "a" step: "b" }
          drift_measurements { type: L_INFTY value: 0.4 threshold: 0.5 }
          drift_measurements { type: JENSEN_SHANNON_DIVERGENCE value: 0.3 threshold: 0.1 }
          drift_measurements { type: UNKNOWN value: 9 threshold: 0.1 }
          skew_measurements { type: NORMALIZED_ABSOLUTE_DIFFERENCE value: 0.2 threshold: 0 }
        }
        drift_skew_info {
          path { step: "c" }
          drift_measurements { type: L_INFTY value: 0.4 threshold: 0 }
          drift_measurements { type: JENSEN_SHANNON_DIVERGENCE value: 0.5 threshold: 0.1 }
        }
        drift_skew_info { path { step: "d" } drift_measurements { type: UNKNOWN value: 9 } }
        """,
        anomalies_pb2.Anomalies(),
    )
    found = read_distances(anomalies, {"c": True}, "drift_measurements")
    assert found == {
        "a.b": Distance("jensen_shannon_divergence", 0.3, 0.1, chosen=False),
        "c": Distance("infinity_norm", 0.4, 0, chosen=True),
    }
    assert found["a.b"].words == "Jensen-Shannon divergence"
    skew = read_distances(anomalies, {}, "skew_measurements")
    assert skew == {"a.b": Distance("normalized_abs_difference", 0.2, 0, chosen=False)}
    assert skew["a.b"].words == "normalized absolute difference"
