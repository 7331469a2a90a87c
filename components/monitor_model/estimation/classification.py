"""Estimated quality of a classifier by its calibrated probabilities (CBPE)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .calibration import FOLDS, Calibration, calibrate
from .metrics import BINARY, MULTICLASS, Metric

LEAST_OF_CLASS = 20
"""Rows of each class (of the rarer ones: together) below which there is nothing to calibrate on."""
MOST_OUTSIDE = 0.01
"""Share of a window whose scores may be outside of those of the reference, where nothing was calibrated."""
_SUM_TOLERANCE = 0.01
_FULLY_SPLIT = 50


@dataclass(frozen=True)
class ClassifierEstimator:
    """What is learned from the reference of a classifier.

    Attributes:
        scores: The reference's scores: shape (rows,) of the positive class, or (rows, classes).
        classes: 1 for a row's class, else 0, of the same shape.
        weights: Shape (rows,).
        calibrations: For each class; one if there is one output.
    """

    scores: np.ndarray
    classes: np.ndarray
    weights: np.ndarray
    calibrations: tuple[Calibration, ...]

    method = "CBPE"

    @classmethod
    def fit(
        cls, scores: np.ndarray, labels: np.ndarray, weights: np.ndarray
    ) -> "ClassifierEstimator":
        """Calibrate on the reference.

        Args:
            scores: Shape (rows,), or (rows, classes).
            labels: Shape (rows,): 0 or 1, or the number of the class.
            weights: Shape (rows,).

        Raises:
            ValueError: If there is nothing to calibrate on, with the reason in words.
        """
        if problem := not_probabilities(scores):
            raise ValueError(f"the reference's {problem}")
        if scores.ndim == 1:
            _check_classes(labels, 2)
            if np.ptp(scores) == 0:
                raise ValueError(
                    f"the model gives every row of the reference the score {scores[0]:g}"
                )
            return cls(scores, labels, weights, (calibrate(scores, labels == 1, weights),))
        number = scores.shape[1]
        _check_classes(labels, number)
        classes = (labels[:, None] == np.arange(number)).astype(np.float64)
        # Of many classes each has fewer splits, so that a thousand take no minutes.
        folds = max(2, min(FOLDS, 2 * _FULLY_SPLIT // number))
        calibrations = tuple(
            calibrate(scores[:, one], classes[:, one], weights, folds) for one in range(number)
        )
        return cls(scores, classes, weights, calibrations)

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """The metrics that can be estimated."""
        return BINARY if self.scores.ndim == 1 else MULTICLASS

    @property
    def error(self) -> float:
        """The calibration error of held-out rows, of the worst class."""
        return max(calibration.error for calibration in self.calibrations)

    @property
    def noise(self) -> float:
        """What that error would be on average with perfect probabilities."""
        return max(calibration.noise for calibration in self.calibrations)

    def problem(self, scores: np.ndarray, weights: np.ndarray) -> str:
        """Return why the quality of these rows can't be estimated; empty if it can."""
        if problem := not_probabilities(scores):
            return f"the {problem}"
        low, high = self.scores.min(axis=0), self.scores.max(axis=0)
        outside = ((scores < low) | (scores > high)).reshape(len(scores), -1).any(axis=1)
        share = float(weights[outside].sum() / weights.sum())
        if share > MOST_OUTSIDE:
            return (
                f"{share:.1%} of the rows have scores outside of those that the probabilities were calibrated on "
                f"({np.min(low):.3g} to {np.max(high):.3g}), and {MOST_OUTSIDE:.0%} may"
            )
        return ""

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities; those of several classes are scaled to a sum of 1, as NannyML does."""
        if scores.ndim == 1:
            return self.calibrations[0].function(scores)
        each = [
            calibration.function(scores[:, number])
            for number, calibration in enumerate(self.calibrations)
        ]
        return _scaled(np.stack(each, axis=1), scores)

    def estimate(self, metric: str, scores: np.ndarray, weights: np.ndarray) -> float:
        """Estimate a metric of rows without labels; NaN where it is not defined."""
        return self.metrics[metric](scores, self.probabilities(scores), weights)

    def realised(
        self, metric: str, scores: np.ndarray, labels: np.ndarray, weights: np.ndarray
    ) -> float:
        """Compute a metric of rows with labels; NaN where it is not defined."""
        classes = labels if scores.ndim == 1 else labels[:, None] == np.arange(scores.shape[1])
        return self.metrics[metric](scores, classes.astype(np.float64), weights)

    @property
    def held_out_count(self) -> int:
        """How many rows of the reference have a probability that does not know their label: all."""
        return len(self.weights)

    @cached_property
    def held_out(self) -> np.ndarray:
        """The probabilities of the reference's rows, each by a function that was fitted without it."""
        each = [calibration.held_out for calibration in self.calibrations]
        return each[0] if self.scores.ndim == 1 else _scaled(np.stack(each, axis=1), self.scores)

    def of_held_out(self, metric: str, rows: np.ndarray | slice) -> tuple[float, float]:
        """Return a metric of rows of the reference: estimated without their labels, and from them."""
        compute, scores, weights = self.metrics[metric], self.scores[rows], self.weights[rows]
        return compute(scores, self.held_out[rows], weights), compute(
            scores, self.classes[rows], weights
        )


def not_probabilities(scores: np.ndarray) -> str:
    """Return in words why scores are no probabilities; empty if they are."""
    low, high = float(scores.min()), float(scores.max())
    if low < 0 or high > 1:
        return f"predictions are no probabilities: they reach from {low:.4g} to {high:.4g}"
    if scores.ndim > 1:
        sums = scores.sum(axis=1)
        worst = float(sums[np.abs(sums - 1).argmax()])
        if abs(worst - 1) > _SUM_TOLERANCE:
            return (
                f"predictions are no probabilities of classes: those of a row add up to {worst:.4g}"
            )
    return ""


def _scaled(probabilities: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Scale the probabilities of a row's classes to a sum of 1."""
    total = probabilities.sum(axis=1, keepdims=True)
    return np.where(total > 0, probabilities / np.where(total > 0, total, 1), scores)


def _check_classes(labels: np.ndarray, number: int) -> None:
    counts = np.array([(labels == one).sum() for one in range(number)])
    if counts.sum() < len(labels):
        strange = labels[~np.isin(labels, np.arange(number))][0]
        raise ValueError(f"the reference has the label {strange:g}, and the model {number} classes")
    if len(labels) - counts.max() < LEAST_OF_CLASS or counts.min() < 2:
        raise ValueError(
            f"the reference has {', '.join(f'{count:,} rows of class {one}' for one, count in enumerate(counts))}: too "
            "few to calibrate on"
        )
