"""A label's classes are reported where neither chance nor the earlier spans explain how often they come."""

from types import SimpleNamespace

import pytest

from retrainer.components.lib.statistics.statistics_artifact import StatisticsIndex
from retrainer.components.validate_examples.checks import label_rate
from retrainer.components.validate_examples.checks.label_rate import check_label_rate
from retrainer.components.validate_examples.confidence import wilson
from retrainer.components.validate_examples.label_classes import LabelCounts
from retrainer.components.validate_examples.settings import parse_settings


def label(rate: float, rows: int) -> LabelCounts:
    ones = round(rate * rows)
    return LabelCounts(rows, {0: rows - ones, 1: ones})


def classes(rows: int, *shares: float) -> LabelCounts:
    return LabelCounts(rows, {i: round(share * rows) for i, share in enumerate(shares)})


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
    before = classes(9_000, 0.5, 0.3, 0.2)
    (finding,) = check(classes(9_000, 0.1, 0.35, 0.55), before)
    assert finding.seen == "class 0 in 10 % of the rows, 50 % in the earlier spans"
    assert finding.expected == "a change of at most 15 % of the rows"
    (gone,) = check(classes(9_000, 0.6, 0.4), classes(9_000, 0.57, 0.38, 0.05))
    assert gone.seen == "class 2 in 0 % of the rows, 5 % in the earlier spans"
    assert gone.expected == "at most 3 times as many, or as few"


def test_wilson_gives_the_published_intervals():
    # R. G. Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17, 1998,
    # table I, method 3: 95 % intervals without continuity correction.
    published = {(81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0.0, 0.1611)}
    published[(1, 29)] = (0.0061, 0.1718)
    for (ones, rows), (low, high) in published.items():
        found = wilson(ones / rows, rows, z=1.959964)
        assert found == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("newest", "earlier", "found"),
    [
        (0.01, [0.001], True),
        (0.002, [0.001], False),
        (0.001, [0.01], True),
        (0.005, [0.01], False),
        # Among spans of which one had as many, or as few, it is none.
        (0.01, [0.001, 0.009], False),
        (0.001, [0.01, 0.0012], False),
        # By 15 % of the rows and a little, and by a little less.
        (0.66, [0.5], True),
        (0.64, [0.5], False),
        (0.34, [0.5], True),
        (0.36, [0.5], False),
    ],
)
def test_a_rate_moves_up_and_down_by_a_share_of_the_rows_or_by_a_factor(newest, earlier, found):
    rows = 1_000_000
    spans = [label(rate, rows) for rate in earlier]
    assert bool(check(label(newest, rows), *spans)) is found


def test_of_two_classes_that_moved_the_other_way_the_one_that_moved_more_is_named():
    before = classes(9_000, 0.5, 0.2, 0.3)
    (down,) = check(classes(9_000, 0.1, 0.4, 0.5), before)
    assert down.seen.startswith("class 0 in 10 %")
    (up,) = check(classes(9_000, 0.3, 0.6, 0.1), before)
    assert up.seen.startswith("class 1 in 60 %")


def test_the_words_have_the_range_of_the_earlier_spans():
    (finding,) = check(label(0.9, 1000), label(0.1, 1000), label(0.2, 1000))
    assert finding.seen == "rate 90 %, 10 % to 20 % in the earlier spans"
    assert (finding.column, finding.where) == ("y", "span 4")
    (other,) = check(
        classes(9_000, 0, 0, 1), classes(9_000, 0.5, 0.3, 0.2), classes(9_000, 0.4, 0.3, 0.3)
    )
    assert other.seen == "class 2 in 100 % of the rows, 20 % to 30 % in the earlier spans"


def found(counts, evaluation=1, shared=False):
    """The findings of spans, each the counts of its label; None where they are not known."""
    spans = tuple(str(i) for i in range(1, len(counts) + 1))
    split = {"train": spans[:-evaluation], "eval": spans[-evaluation:]}
    index = StatisticsIndex("y", (), spans, {"train": spans, "eval": spans} if shared else split)
    known = {span: one for span, one in zip(spans, counts, strict=True) if one is not None}
    analysis = SimpleNamespace(window=SimpleNamespace(index=index, label_counts=known))
    return [
        (one.kind.name, one.where, one.seen, one.expected)
        for one in label_rate.check(analysis, parse_settings())
    ]


A_THIRD = LabelCounts(300, {0: 100, 1: 100, 2: 100})
NEW = LabelCounts(300, {0: 100, 3: 190, 7: 10})


def test_a_class_that_training_lacks_is_new_and_its_rate_is_not_compared():
    assert found([A_THIRD, A_THIRD, NEW]) == [
        ("new_class", "span 3", "3 in 190 rows, 7 in 10 rows", "the classes that training has (0, 1, 2)")
    ]  # fmt: skip
    assert found([A_THIRD, NEW, NEW]) == []
    assert [where for _, where, *_ in found([A_THIRD, NEW, A_THIRD, NEW], evaluation=3)] == [
        "span 2", "span 4",
    ]  # fmt: skip
    assert found([A_THIRD, None, NEW], evaluation=2)[0][1] == "span 3"


def test_where_training_is_not_known_or_has_the_same_spans_no_class_is_new():
    assert [kind for kind, *_ in found([A_THIRD, None, NEW])] == ["label_rate"]
    assert [kind for kind, *_ in found([A_THIRD, NEW], shared=True)] == ["label_rate"]
    assert found([LabelCounts(0, {}), NEW]) == []


def test_a_newest_span_without_labels_has_no_rate():
    assert found([A_THIRD, None]) == []
    assert found([A_THIRD, LabelCounts(0, {})]) == []


def test_a_first_span_has_no_rate_to_compare():
    assert found([NEW]) == found([None, NEW]) == []


@pytest.mark.parametrize(("rows", "is_found"), [(200, False), (199, True)])
def test_the_rate_of_a_few_left_over_rows_is_not_usual(rows, is_found):
    counts = [label(0.5, 1000), label(0.5, 1000), label(0.9, rows), label(0.9, 1000)]
    assert bool(found(counts)) is is_found


def test_the_factor_is_for_a_rare_1_and_not_for_a_rare_0():
    assert check(label(1.0, 10_000), label(0.95, 10_000)) == []
    assert check(label(0.0, 10_000), label(0.05, 10_000))
