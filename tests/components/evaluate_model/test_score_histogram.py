"""How predictions are distributed, on buckets that both models share."""

import numpy as np
import pytest

from retrainer.components.evaluate_model.score_histogram import (
    BUCKETS,
    histogram_of_shares,
    make_histograms,
)

ONES = np.ones(4)


def test_numbers_have_buckets_that_both_models_share_and_a_long_tail_is_in_the_last_one():
    rng = np.random.default_rng(0)
    label = rng.normal(size=2_000)
    some, others = rng.normal(size=2_000), rng.normal(5, 1, 2_000)
    others[0] = 1e9
    found = make_histograms(label, {"a": some, "b": others}, np.ones(2_000))
    assert found["a"].edges == found["b"].edges
    assert len(found["a"].edges) == BUCKETS + 1
    assert found["a"].edges[-1] < 10
    assert found["a"].has_tails
    for one in found.values():
        assert sum(one.groups["all rows"]) == 2_000


def test_of_classes_the_prediction_for_the_rows_own_class_is_counted():
    prediction = np.array([[0.9, 0.1], [0.31, 0.69], [0.2, 0.8], [0.5, 0.5]])
    # Of class 2 there is no prediction, and no row counts for it.
    found = make_histograms(np.array([0, 0, 1, 2]), {"a": prediction}, ONES)["a"]
    assert found.of_own_class
    counted = found.groups["all rows"]
    assert sum(counted) == 3
    assert [counted[place] for place in (6, 16, 18)] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("value", [0.5, 7.0])
def test_a_model_that_predicts_one_number_has_one_bucket(value):
    found = make_histograms(np.array([0, 1, 0, 1]), {"a": np.full(4, value)}, ONES)["a"]
    assert sum(sum(group) for group in found.groups.values()) == 4
    assert all(end > start for start, end in zip(found.edges, found.edges[1:], strict=False))


def test_predictions_that_are_no_numbers_are_left_out_and_may_leave_nothing():
    found = make_histograms(np.array([0, 1, 0, 1]), {"a": np.array([np.nan, 0.5, 0.5, 0.5])}, ONES)
    assert sum(sum(group) for group in found["a"].groups.values()) == 3
    assert make_histograms(np.array([0, 1, 0, 1]), {"a": np.full(4, np.nan)}, ONES) == {}


def test_of_two_labels_the_histogram_is_of_calibration_buckets_however_fine():
    rng = np.random.default_rng(0)
    label = (rng.random(500) < 0.3).astype(float)
    prediction = rng.random(500)

    def buckets(count):
        bucket = (prediction * count).astype(int)
        rows = np.bincount(bucket, minlength=count)
        known = rows > 0
        means = [np.bincount(bucket, of, count)[known] / rows[known] for of in (prediction, label)]
        return list(zip(rows[known].astype(float), *means, strict=True))

    found = histogram_of_shares(buckets(1000))
    for one in (0, 1):
        exact = np.histogram(prediction[label == one], BUCKETS, (0, 1))[0]
        np.testing.assert_allclose(found.groups[f"label {one}"], exact, atol=1e-9)
        same = histogram_of_shares(buckets(BUCKETS)).groups[f"label {one}"]
        np.testing.assert_allclose(same, exact, atol=1e-9)
    assert not found.has_tails
    assert not histogram_of_shares([])


def test_a_bucket_starts_at_its_lower_edge_and_the_last_one_has_its_upper_edge():
    prediction = np.array([0.0, 0.049, 0.05, 0.3, 1.0])
    weight = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    found = make_histograms(np.full(5, 0.5), {"a": prediction}, weight)["a"].groups["all rows"]
    assert [found[place] for place in (0, 1, 6, 19)] == [3.0, 4.0, 8.0, 16.0]


def test_shares_reach_from_0_to_1_and_other_numbers_over_nearly_all_rows_of_both_models():
    shares = [*np.linspace(0.0, 1.0, 5)]
    found = make_histograms(np.zeros(5), {"a": np.array(shares)}, np.ones(5))["a"]
    assert found.edges == pytest.approx(np.linspace(0.0, 1.0, 21))
    assert (found.has_tails, found.of_own_class) == (False, False)
    assert histogram_of_shares([(1.0, 0.5, 1.0)]).edges == found.edges
    for beyond in (-0.001, 1.001):
        other = make_histograms(np.zeros(5), {"a": np.array([*shares[:4], beyond])}, np.ones(5))
        assert other["a"].has_tails
    thousand = np.arange(1001.0)
    both = make_histograms(thousand, {"a": thousand, "b": thousand + 100}, np.ones(1001))
    assert both["a"].edges == pytest.approx(np.linspace(5, 1095, 21))
    # What lies beyond is in the first and in the last bucket.
    assert both["a"].groups["all rows"][0] == np.count_nonzero(thousand < 5 + 54.5)
    one = make_histograms(np.zeros(2), {"a": np.full(2, 7.0)}, np.ones(2))["a"]
    assert (one.edges[0], one.edges[-1]) == (7, 8)


def test_of_a_label_that_is_no_class_of_the_model_there_is_no_prediction():
    label = np.array([0.0, 1.0, 2.0, -1.0, 0.5])
    prediction = np.tile([0.25, 0.75], (5, 1))
    found = make_histograms(label, {"a": prediction}, np.array([1.0, 2.0, 4.0, 8.0, 16.0]))["a"]
    counted = found.groups["all rows"]
    assert (counted[5], counted[15], sum(counted)) == (1, 2, 3)
