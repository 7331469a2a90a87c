"""Measures against published values, closed forms and SciPy's own."""

import math

import numpy as np
import pytest
from scipy import stats

from retrainer.components.monitor_model.distances.measures import MEASURES


def distance(name, one, other, ends=None):
    one, other = np.asarray(one, float), np.asarray(other, float)
    ends = np.arange(len(one), dtype=float) if ends is None else np.asarray(ends, float)
    return float(MEASURES[name].distance(one, other, ends))


@pytest.mark.parametrize("name", MEASURES)
def test_equal_distributions_are_no_distance_apart_whatever_their_rows(name):
    assert distance(name, [10, 20, 70], [100, 200, 700]) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", ["jensen_shannon", "infinity_norm", "ks"])
def test_distributions_without_a_value_in_common_are_as_far_apart_as_can_be(name):
    assert distance(name, [1, 0], [0, 1]) == MEASURES[name].most == 1.0


def test_jensen_shannon_is_that_of_lin():
    # (H(m) - H(p)/2 - H(q)/2) with m the mean, Lin 1991, equation 4.1, in bits.
    p, q = np.array([0.36, 0.48, 0.16]), np.array([1 / 3, 1 / 3, 1 / 3])
    by_entropies = (
        stats.entropy((p + q) / 2, base=2)
        - (stats.entropy(p, base=2) + stats.entropy(q, base=2)) / 2
    )
    assert distance("jensen_shannon", p, q) == pytest.approx(by_entropies)


def test_psi_of_the_textbook_example():
    # Siddiqi, Credit Risk Scorecards (2006), the form of its stability report: sum of (A - E) ln(A / E).
    expected = [0.10, 0.20, 0.40, 0.20, 0.10]
    actual = [0.15, 0.25, 0.30, 0.20, 0.10]
    wanted = 0.05 * math.log(1.5) + 0.05 * math.log(1.25) - 0.10 * math.log(0.75)
    assert distance("psi", actual, expected) == pytest.approx(wanted)
    assert wanted == pytest.approx(0.0602, abs=1e-4)


def test_a_bin_without_rows_counts_as_one_row_in_ten_thousand_in_psi():
    wanted = (0.5 - 1e-4) * math.log(0.5 / 1e-4) + (1.0 - 0.5) * math.log(1.0 / 0.5)
    assert distance("psi", [50, 50], [0, 100]) == pytest.approx(wanted)


def test_ks_and_wasserstein_are_scipys():
    random = np.random.default_rng(1)
    one, other = random.normal(0.3, 1.2, 4000), random.normal(size=5000)
    ends = np.quantile(np.concatenate([one, other]), np.linspace(0.002, 1, 500))
    counts = [np.histogram(x, np.concatenate([[-np.inf], ends]))[0] for x in (one, other)]
    assert distance("ks", *counts) == pytest.approx(stats.ks_2samp(one, other).statistic, abs=0.004)
    wanted = stats.wasserstein_distance(one, other) / other.std()
    assert distance("wasserstein", *counts, ends) == pytest.approx(wanted, rel=0.02)


def test_wasserstein_from_a_constant_is_infinite_unless_it_is_the_same():
    assert distance("wasserstein", [0, 5], [5, 0]) == math.inf
    assert distance("wasserstein", [5, 0], [3, 0]) == 0


def test_rows_of_a_table_are_measured_at_once():
    table = np.array([[10.0, 20, 70], [70, 20, 10]])
    found = MEASURES["jensen_shannon"].distance(table, table[::-1], np.arange(3.0))
    assert found.shape == (2,)
    assert found[0] == pytest.approx(found[1])
