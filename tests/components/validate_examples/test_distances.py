"""Distances that neither outliers nor chance decide."""

import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from retrainer.components.lib.statistics.dataset import Column, Dataset
from retrainer.components.validate_examples.distances import (
    l_infinity,
    may_be_chance,
    quantile_divergence,
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
    for _ in range(60):
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
