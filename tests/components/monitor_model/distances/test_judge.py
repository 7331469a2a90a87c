"""Judging columns: few false alarms on clean data of every kind, and drift found soon."""

import numpy as np
import pytest
from servers.column_statistics import numbers, texts

from retrainer.components.monitor_model.distances.judge import judge_past, judge_reference
from retrainer.components.monitor_model.distances.measures import MEASURES

SHARE = 0.002


def days(count, make, seed=0):
    random = np.random.default_rng(seed)
    return [make(random, day) for day in range(count)]


def constant_rows(random, day):
    return numbers(random.normal(size=500))


def any_rows(random, day):
    return numbers(random.normal(size=int(random.choice([100, 1000, 10_000]))))


def weekends(random, day):
    return numbers(random.normal(1.0 if day % 7 > 4 else 0.0, 1.0, 500))


def moving_days(random, day):
    return numbers(random.normal(random.normal() * 0.3, 1.0, 500))


def cities(random, day):
    return texts(random.choice(["a", "b", "c", "d"], 500, p=[0.6, 0.2, 0.15, 0.05]))


def rare_texts(random, day):
    return texts(random.choice(1000, 500, p=RARE).astype(str))


RARE = np.random.default_rng(3).dirichlet(np.full(1000, 0.7))


def judged(columns, name, at, back=28):
    past = list(range(max(0, at - back), at))
    return judge_past(
        MEASURES[name],
        [columns[at]],
        [columns[i] for i in past],
        [i % 7 for i in past],
        at % 7,
        SHARE,
    )


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (constant_rows, "jensen_shannon"),
        (constant_rows, "psi"),
        (constant_rows, "ks"),
        (constant_rows, "wasserstein"),
        (any_rows, "jensen_shannon"),
        (weekends, "jensen_shannon"),
        (moving_days, "jensen_shannon"),
        (cities, "infinity_norm"),
        (rare_texts, "infinity_norm"),
    ],
)
def test_clean_spans_are_within_the_bound(make, name):
    columns = days(54, make)
    found = [judged(columns, name, at).is_breached for at in range(14, 54)]
    assert sum(found) <= 1


@pytest.mark.parametrize("name", ["jensen_shannon", "psi", "ks", "wasserstein"])
def test_numbers_that_moved_are_beyond_it_by_every_measure(name):
    columns = days(28, constant_rows)
    moved = numbers(np.random.default_rng(9).normal(0.6, 1, 500))
    found = judged([*columns, moved], name, 28)
    assert found.is_breached
    assert found.measure.name == name


def test_weekends_are_compared_with_weekends_so_a_smaller_change_is_found():
    columns = days(28, weekends)
    moved = numbers(np.random.default_rng(9).normal(0.6, 1, 500))
    found = judged([*columns, moved], "jensen_shannon", 28)
    assert found.season
    assert found.is_breached


def test_a_text_that_grew_is_named():
    columns = days(28, cities)
    now = texts(np.random.default_rng(9).choice(["a", "b", "c"], 500, p=[0.6, 0.2, 0.2]))
    grown = texts(["漢"] * 200 + ["a"] * 300)
    assert not judged([*columns, now], "infinity_norm", 28).value > 0.2
    found = judged([*columns, grown], "infinity_norm", 28)
    assert found.is_breached
    assert found.largest.startswith("'漢': 0.0% before, 40.0% now")


def test_a_rare_text_that_grew_among_a_thousand_is_found():
    columns = days(28, rare_texts)
    few = np.random.default_rng(9).choice(1000, 440, p=RARE).astype(str).tolist()
    found = judged([*columns, texts([*few, *["777"] * 60])], "infinity_norm", 28)
    assert found.is_breached
    assert found.largest.startswith("'777'")


def test_a_threshold_wins():
    columns = days(29, constant_rows)
    past = columns[:-1]
    found = judge_past(
        MEASURES["ks"], columns[-1:], past, [0] * len(past), None, SHARE, threshold=1e-6
    )
    assert found.bound == 1e-6
    assert found.source == "threshold"
    assert found.is_breached


def test_a_million_rows_that_moved_by_nothing_that_matters_are_within_it():
    quantiles = np.random.default_rng(0).normal(size=20_000)
    columns = [numbers(quantiles + 0.01 * (n == 28)) for n in range(29)]
    for one in columns:
        one.feature.num_stats.common_stats.num_non_missing = 1_000_000
    assert not judged(columns, "jensen_shannon", 28).is_breached


def test_skew_that_all_windows_have_is_found_and_their_own_variation_is_not():
    windows = days(29, moving_days)
    same = numbers(np.random.default_rng(5).normal(0, 1.05, 20_000))
    shifted = numbers(np.random.default_rng(5).normal(2.0, 1.05, 20_000))
    for reference, wanted in ((same, False), (shifted, True)):
        found = judge_reference(
            MEASURES["jensen_shannon"], windows[-1:], windows[:-1], [reference], SHARE
        )
        assert found.source == "past"
        assert found.is_breached == wanted


def test_without_a_past_a_fixed_bound_holds():
    windows = days(1, constant_rows)
    reference = numbers(np.random.default_rng(5).normal(0, 1, 20_000))
    found = judge_reference(
        MEASURES["jensen_shannon"], windows, [], [reference], SHARE, past_shows=False
    )
    assert (found.source, found.bound) == ("fallback", 0.1)
    far = numbers(np.random.default_rng(5).normal(2, 1, 20_000))
    assert judge_reference(
        MEASURES["jensen_shannon"], windows, [], [far], SHARE, past_shows=False
    ).is_breached
