"""How predictions are distributed, on buckets that both models share."""

import numpy as np
import pytest

from retrainer.components.evaluate_model.score_histogram import (
    BUCKETS,
    histogram_of_shares,
    make_histograms,
)

ONES = np.ones(4)


def test_scores_of_two_labels_are_counted_by_label_with_their_weight():
    label = np.array([0, 0, 1, 1])
    found = make_histograms(
        label, {"a": np.array([0.0, 0.049, 0.05, 1.0])}, np.array([1, 2, 4, 8])
    )["a"]
    assert list(found.groups) == ["label 0", "label 1"]
    assert found.groups["label 0"][:2] == [3.0, 0.0]
    # A bucket starts at its lower edge, and the last one has its upper edge, too.
    assert found.groups["label 1"][:2] == [0.0, 4.0]
    assert found.groups["label 1"][-1] == 8.0
    assert not found.has_tails


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
    assert make_histograms(np.zeros(4), {"a": np.zeros((4, 2, 2))}, ONES) == {}


def test_calibration_buckets_give_the_same_histogram():
    rng = np.random.default_rng(0)
    label = (rng.random(500) < 0.3).astype(float)
    prediction = rng.random(500)
    direct = make_histograms(label, {"a": prediction}, np.ones(500))["a"]
    bucket = (prediction * 1000).astype(int)
    rows = np.bincount(bucket, minlength=1000)
    known = rows > 0
    points = [
        (float(n), float(p), float(y))
        for n, p, y in zip(
            rows[known],
            (np.bincount(bucket, prediction, 1000) / np.maximum(rows, 1))[known],
            (np.bincount(bucket, label, 1000) / np.maximum(rows, 1))[known],
            strict=True,
        )
    ]
    found = histogram_of_shares(points)
    for group, counted in direct.groups.items():
        np.testing.assert_allclose(found.groups[group], counted, atol=1e-9)
