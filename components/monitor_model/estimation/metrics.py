"""Metrics of rows whose labels are known, or known by their probability alone.

With a calibrated probability p of the positive class a row stands for p positive and 1 - p negative rows: the expected
confusion matrix, and all that follows from it, are those of these shares. This is confidence-based performance
estimation (CBPE): NannyML, `docs/how_it_works/performance_estimation.rst` and
`nannyml/performance_estimation/confidence_based/metrics.py`. With a label for p it is the realised metric, so that one
function computes both. Rows with equal scores share one point of the ROC curve.
"""

import math
from collections.abc import Callable

import numpy as np

THRESHOLD = 0.5
"""The score from which on a row is taken for positive, as in TFMA's and Keras' BinaryAccuracy."""
_EDGE = 1e-7

Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], float]
"""From scores, probabilities of the classes and weights to a value; NaN where it is not defined."""


def _confusion(
    scores: np.ndarray, positive: np.ndarray, weights: np.ndarray
) -> tuple[float, float, float, float]:
    """Return the weight of true positives, false positives, false negatives and true negatives."""
    taken = scores >= THRESHOLD
    tp = float((weights * positive)[taken].sum())
    fp = float((weights * (1 - positive))[taken].sum())
    fn = float((weights * positive)[~taken].sum())
    tn = float((weights * (1 - positive))[~taken].sum())
    return tp, fp, fn, tn


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan


def accuracy(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    """Return the share of rows that are classified rightly."""
    tp, fp, fn, tn = _confusion(scores, positive, weights)
    return _ratio(tp + tn, tp + fp + fn + tn)


def precision(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    """Return the share of positive rows among those taken for positive."""
    tp, fp, _, _ = _confusion(scores, positive, weights)
    return _ratio(tp, tp + fp)


def recall(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    """Return the share of positive rows that are taken for positive."""
    tp, _, fn, _ = _confusion(scores, positive, weights)
    return _ratio(tp, tp + fn)


def f1(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    """Return the harmonic mean of precision and recall."""
    tp, fp, fn, _ = _confusion(scores, positive, weights)
    return _ratio(2 * tp, 2 * tp + fp + fn)


def auc(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    """Return the area under the ROC curve; NaN without positive or without negative rows."""
    values, index = np.unique(scores, return_inverse=True)
    tps = np.bincount(index, weights * positive, len(values))
    fps = np.bincount(index, weights * (1 - positive), len(values))
    # A pair of rows with equal scores counts half.
    above = tps.sum() - np.cumsum(tps) + tps / 2
    return _ratio(float((fps * above).sum()), float(tps.sum() * fps.sum()))


def log_loss(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean log loss of the scores."""
    inner = np.clip(scores, _EDGE, 1 - _EDGE)
    loss = -(positive * np.log(inner) + (1 - positive) * np.log1p(-inner))
    return _ratio(float((weights * loss).sum()), float(weights.sum()))


def brier(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean squared difference of score and label."""
    loss = positive * (1 - scores) ** 2 + (1 - positive) * scores**2
    return _ratio(float((weights * loss).sum()), float(weights.sum()))


def class_accuracy(scores: np.ndarray, classes: np.ndarray, weights: np.ndarray) -> float:
    """Return the share of rows whose class has the highest score."""
    chosen = scores.argmax(axis=1)
    right = np.take_along_axis(classes, chosen[:, None], axis=1)[:, 0]
    return _ratio(float((weights * right).sum()), float(weights.sum()))


def class_log_loss(scores: np.ndarray, classes: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean log loss of the scores of several classes."""
    loss = -(classes * np.log(np.clip(scores, _EDGE, 1))).sum(axis=1)
    return _ratio(float((weights * loss).sum()), float(weights.sum()))


def class_brier(scores: np.ndarray, classes: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean squared difference of scores and label, summed over classes (Brier 1950)."""
    loss = (scores**2).sum(axis=1) - 2 * (scores * classes).sum(axis=1) + 1
    return _ratio(float((weights * loss).sum()), float(weights.sum()))


def _macro(metric: Callable[[np.ndarray, np.ndarray, np.ndarray], float], chosen: bool) -> Metric:
    """Make the mean over classes of a metric of one class against the rest."""

    def mean(scores: np.ndarray, classes: np.ndarray, weights: np.ndarray) -> float:
        number = scores.shape[1]
        taken = scores.argmax(axis=1)
        of_class = [
            metric(
                (taken == one).astype(float) if chosen else scores[:, one], classes[:, one], weights
            )
            for one in range(number)
        ]
        return float(np.mean(of_class))

    return mean


BINARY: dict[str, Metric] = {
    "accuracy": accuracy,
    "auc": auc,
    "brier": brier,
    "f1": f1,
    "log_loss": log_loss,
    "precision": precision,
    "recall": recall,
}
"""Metrics of a classifier with one output."""
MULTICLASS: dict[str, Metric] = {
    "accuracy": class_accuracy,
    "auc": _macro(auc, chosen=False),
    "brier": class_brier,
    "f1": _macro(f1, chosen=True),
    "log_loss": class_log_loss,
    "precision": _macro(precision, chosen=True),
    "recall": _macro(recall, chosen=True),
}
"""Metrics of a classifier with an output for each class; of one class against the rest, the mean over classes."""
LESS_IS_BETTER = frozenset({"brier", "log_loss", "mae", "rmse"})
"""Metrics that are worse when they are higher."""
LIMITS = {
    "log_loss": (0.0, math.inf),
    "mae": (0.0, math.inf),
    "rmse": (0.0, math.inf),
    "brier": (0.0, 2.0),
}
"""The range of a metric, where it is not from 0 to 1."""
