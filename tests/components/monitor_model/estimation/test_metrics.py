"""Metrics of labels and of probabilities: by hand, by counting pairs, and as the mean over drawn labels."""

import math

import numpy as np
import pytest

from retrainer.components.monitor_model.estimation.metrics import BINARY, MULTICLASS

SCORES = np.array([0.9, 0.8, 0.8, 0.4, 0.3, 0.1])
LABELS = np.array([1.0, 1.0, 0.0, 1.0, 0.0, 0.0])
ONES = np.ones(6)


def test_realised_metrics_by_hand() -> None:
    found = {name: metric(SCORES, LABELS, ONES) for name, metric in BINARY.items()}
    pairs = [
        1.0 if p > n else 0.5 if p == n else 0.0
        for p in SCORES[LABELS == 1]
        for n in SCORES[LABELS == 0]
    ]
    loss = -np.log(np.where(LABELS == 1, SCORES, 1 - SCORES)).mean()
    expected = {
        "accuracy": 4 / 6,
        "precision": 2 / 3,
        "recall": 2 / 3,
        "f1": 2 / 3,
        "auc": np.mean(pairs),
        "log_loss": loss,
        "brier": ((SCORES - LABELS) ** 2).mean(),
    }
    assert found == pytest.approx(expected)


def test_a_weight_is_that_many_rows() -> None:
    weights = np.array([1.0, 3.0, 2.0, 1.0, 2.0, 4.0])
    repeat = weights.astype(int)
    for metric in BINARY.values():
        expected = metric(np.repeat(SCORES, repeat), np.repeat(LABELS, repeat), np.ones(13))
        assert metric(SCORES, LABELS, weights) == pytest.approx(expected)


def test_estimates_are_the_mean_over_labels_that_keep_to_the_probabilities() -> None:
    random = np.random.default_rng(1)
    probabilities = random.beta(2, 3, 4_000)
    draws = [(random.random(4_000) < probabilities).astype(float) for _ in range(60)]
    ones = np.ones(4_000)
    for name, metric in BINARY.items():
        values = [metric(probabilities, labels, ones) for labels in draws]
        error = np.std(values) / math.sqrt(len(values))
        # The expected value of a ratio differs from the ratio of expected values by terms of 1/n.
        assert metric(probabilities, probabilities, ones) == pytest.approx(
            np.mean(values), abs=4 * error + 1e-4
        ), name


def test_metrics_of_several_classes() -> None:
    scores = np.array([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4], [0.3, 0.4, 0.3], [0.2, 0.2, 0.6]])
    labels = np.array([0, 1, 0, 2])
    classes = (labels[:, None] == np.arange(3)).astype(float)
    found = {name: metric(scores, classes, np.ones(4)) for name, metric in MULTICLASS.items()}
    assert found["accuracy"] == 0.75
    assert found["log_loss"] == pytest.approx(-np.log([0.7, 0.5, 0.3, 0.6]).mean())
    assert found["brier"] == pytest.approx(((scores - classes) ** 2).sum(axis=1).mean())
    # Class 0: precision 1, recall 1/2. Class 1: precision 1/2, recall 1. Class 2: both 1.
    assert found["precision"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert found["recall"] == pytest.approx((0.5 + 1 + 1) / 3)
    assert found["f1"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert found["auc"] == pytest.approx(np.mean([1.0, 1.0, 1.0]))


@pytest.mark.parametrize("labels", [np.zeros(6), np.ones(6)])
def test_rows_of_one_class_have_no_auc(labels: np.ndarray) -> None:
    assert math.isnan(BINARY["auc"](SCORES, labels, ONES))
    assert math.isfinite(BINARY["log_loss"](SCORES, labels, ONES))


def test_no_rows_have_no_metric_and_constant_scores_rank_nothing() -> None:
    nothing = np.zeros(0)
    assert all(math.isnan(metric(nothing, nothing, nothing)) for metric in BINARY.values())
    assert BINARY["auc"](np.full(6, 0.4), LABELS, ONES) == 0.5
    assert math.isnan(BINARY["precision"](np.full(6, 0.4), LABELS, ONES))
