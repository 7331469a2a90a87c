"""A label's rate is reported where neither chance nor the earlier spans explain it."""

import pytest

from retrainer.components.lib.statistics import Feature
from retrainer.components.validate_examples.label_rate import check_label_rate
from retrainer.components.validate_examples.settings import parse_settings


def label(rate: float, rows: int) -> Feature:
    feature = Feature(name="y", type=Feature.INT)
    feature.num_stats.common_stats.num_non_missing = rows
    feature.num_stats.min, feature.num_stats.max, feature.num_stats.mean = 0, 1, rate
    return feature


def classes(rows: int, **shares: float) -> Feature:
    feature = Feature(name="y", type=Feature.STRING)
    feature.string_stats.common_stats.num_non_missing = rows
    feature.string_stats.unique = len(shares)
    for value, share in shares.items():
        feature.string_stats.rank_histogram.buckets.add(label=value, sample_count=share * rows)
    return feature


def check(newest, *earlier, **settings):
    return check_label_rate("y", "4", newest, earlier, parse_settings(**settings))


@pytest.mark.parametrize(
    ("newest", "earlier", "found"),
    [
        (label(0.45, 10_000), [label(0.2, 10_000), label(0.22, 10_000)], True),
        (label(0.45, 40), [label(0.2, 10_000), label(0.22, 10_000)], False),
        (label(0.45, 10_000), [label(0.2, 10_000), label(0.4, 10_000)], False),
        (label(0.0, 10_000), [label(0.02, 10_000)], True),
        (label(0.0, 200), [label(0.02, 10_000)], False),
        (label(0.001, 100_000), [label(0.01, 100_000)], True),
        (label(0.3, 10_000), [], False),
        (label(0.3, 10_000), [label(0.0, 0)], False),
    ],
    ids=[
        "moved", "moved by chance", "in the range of the spans", "vanished",
        "none among few", "a tenth as often", "no past", "an empty past",
    ],
)  # fmt: skip
def test_a_rate_moves(newest, earlier, found):
    assert bool(check(newest, *earlier)) is found


def test_of_several_classes_the_one_that_moved_furthest_is_named():
    before = classes(9_000, a=0.5, b=0.3, c=0.2)
    (finding,) = check(classes(9_000, a=0.1, b=0.35, c=0.55), before)
    assert finding.seen == "'a' in 10 % of the rows, 50 % in the earlier spans"
    assert finding.expected == "a change of at most 15 % of the rows"
    (gone,) = check(classes(9_000, a=0.6, b=0.4), classes(9_000, a=0.57, b=0.38, c=0.05))
    assert gone.seen == "'c' in 0 % of the rows, 5 % in the earlier spans"
    assert gone.expected == "at most 3 times as many, or as few"


def test_a_number_that_is_no_rate_is_not_judged():
    number = label(0.5, 1_000)
    number.num_stats.max = 7
    assert check(number, label(0.1, 1_000)) == []
