"""What is usual: chance by the published distributions, and bounds that clean data rarely exceeds."""

import numpy as np
import pytest
from scipy import stats

from retrainer.components.monitor_model.distances.count_table import CountTable
from retrainer.components.monitor_model.distances.measures import MEASURES
from retrainer.components.monitor_model.distances.usual import (
    Variation,
    bound_of,
    chance_of,
    variation_of,
)

EVEN = np.full(10, 0.1)


def table_of(rows):
    counts = np.array(rows, float)
    return CountTable(counts, np.arange(counts.shape[1], dtype=float))


@pytest.mark.parametrize(("name", "unit"), [("psi", 1.0), ("jensen_shannon", 1 / (8 * np.log(2)))])
def test_chance_is_the_published_chi_square(name, unit):
    # PSI: (1/n + 1/m) chi-square(B - 1), Yurdakul and Naranjo; Jensen-Shannon: an eighth of it in nats, Menendez et al.
    table = table_of([EVEN * 5000, EVEN * 5000])
    chance = chance_of(MEASURES[name], table, [0, 1], 2000)
    assert chance.at(1000, 4000) == pytest.approx((1 / 1000 + 1 / 4000) * 9 * unit, rel=0.1)
    assert chance.freedom == pytest.approx(9, rel=0.35)


def test_the_bound_of_chance_alone_is_a_quantile_of_it():
    chance, many = 1e-3, Variation(0.0, 0.0, 10_000)
    bound = bound_of(MEASURES["psi"], 50 * chance, 9, [many], 0.001)
    assert bound == pytest.approx(50 * chance * stats.chi2.isf(0.001, 9) / 9, rel=0.01)
    few = bound_of(MEASURES["psi"], 50 * chance, 9, [Variation(0.0, 0.0, 5)], 0.001)
    assert few > bound


def test_variation_is_what_chance_does_not_explain():
    random = np.random.default_rng(0)
    measure = MEASURES["jensen_shannon"]
    quiet = table_of([random.multinomial(2000, EVEN) for _ in range(30)])
    tilts = [EVEN * np.exp(random.normal() * 0.3 * np.linspace(-1, 1, 10)) for _ in range(30)]
    moving = table_of([random.multinomial(2000, one / one.sum()) for one in tilts])
    found = []
    for table in (quiet, moving):
        past = list(range(30))
        chance = chance_of(measure, table, past, 2000)
        found.append(variation_of(measure, table, past, [0] * 30, chance).mean)
    assert found[0] < 2e-4
    assert found[1] > 3e-3


def test_only_datasets_of_one_season_are_compared():
    measure = MEASURES["infinity_norm"]
    table = table_of([[100, 0] if n % 2 else [0, 100] for n in range(8)])
    chance = chance_of(measure, table, list(range(8)), 100)
    apart = variation_of(measure, table, list(range(8)), [0] * 8, chance)
    alike = variation_of(measure, table, list(range(8)), [n % 2 for n in range(8)], chance)
    assert apart.mean > 0.2
    assert alike.mean == 0
    assert alike.datasets == 8


def test_datasets_without_a_second_of_their_season_show_nothing():
    table = table_of([[5, 5], [6, 4]])
    chance = chance_of(MEASURES["psi"], table, [0, 1], 10)
    assert variation_of(MEASURES["psi"], table, [0, 1], [0, 1], chance) == Variation(0.0, 0.0, 0)


def test_a_constant_column_has_the_least_bound():
    measure = MEASURES["infinity_norm"]
    table = table_of([[100, 0]] * 6)
    chance = chance_of(measure, table, list(range(6)), 100)
    variation = variation_of(measure, table, list(range(6)), [0] * 6, chance)
    bound = bound_of(measure, float(chance.at(100, 600)), chance.freedom, [variation], 0.001)
    assert bound == measure.least
