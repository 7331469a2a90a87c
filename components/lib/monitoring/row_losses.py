"""The loss of each labelled row, by what a model predicts: a probability, classes, or a number."""

from collections.abc import Callable
from enum import StrEnum

import numpy as np

LOG_LOSS, ZERO_ONE, SQUARED, ABSOLUTE = "log_loss", "zero_one", "squared_error", "absolute_error"
_LEAST_PROBABILITY = 1e-7
_MOST_SUM_ERROR = 0.01


class Problem(StrEnum):
    """What a model predicts."""

    BINARY = "binary"
    CLASSES = "classes"
    SCORES = "scores"
    """A score for each class that is no probability."""
    NUMBER = "number"


LOSSES = {
    Problem.BINARY: (LOG_LOSS, ZERO_ONE),
    Problem.CLASSES: (LOG_LOSS, ZERO_ONE),
    Problem.SCORES: (ZERO_ONE,),
    Problem.NUMBER: (SQUARED, ABSOLUTE),
}
"""The losses that judge each problem, the first one first."""
LOSS_WORDS = {
    LOG_LOSS: "log loss",
    ZERO_ONE: "share of wrong classes",
    SQUARED: "squared error",
    ABSOLUTE: "absolute error",
}


def problem_of(labels: np.ndarray, predictions: np.ndarray) -> Problem:
    """Find out what a model predicts.

    Args:
        labels: Labels of rows that the model was judged on, shape (rows,).
        predictions: What it predicted there, shape (rows,) or (rows, outputs).
    """
    if predictions.ndim > 1 and predictions.shape[1] > 1:
        sums = np.nansum(predictions, axis=1)
        inside = np.nanmin(predictions, initial=0.0) >= 0
        sure = np.abs(sums - 1).max(initial=0.0) <= _MOST_SUM_ERROR
        return Problem.CLASSES if inside and sure else Problem.SCORES
    known = predictions[np.isfinite(predictions)]
    is_class = np.isin(labels[np.isfinite(labels)], (0.0, 1.0)).all()
    is_share = known.min(initial=0.0) >= 0 and known.max(initial=1.0) <= 1
    return Problem.BINARY if is_class and is_share else Problem.NUMBER


def row_loss(
    loss: str, problem: Problem, labels: np.ndarray, predictions: np.ndarray
) -> np.ndarray:
    """Compute the loss of each row.

    Args:
        loss: One of `LOSSES[problem]`.
        problem: What the model predicts.
        labels: Shape (rows,).
        predictions: Shape (rows,) or (rows, outputs).

    Returns:
        Shape (rows,); NaN where the label is none of the problem, or the prediction is no number.
    """
    return _FUNCTIONS[problem](loss, labels, predictions)


def _of_binary(loss: str, labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    share = predictions.reshape(len(labels)).astype(np.float64)
    valid = np.isin(labels, (0.0, 1.0)) & (share >= 0) & (share <= 1)
    if loss == ZERO_ONE:
        values = ((share > 0.5) != (labels > 0.5)).astype(np.float64)
    else:
        right = np.where(labels > 0.5, share, 1 - share)
        values = -np.log(np.clip(right, _LEAST_PROBABILITY, 1.0))
    return np.where(valid, values, np.nan)


def _of_classes(loss: str, labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    outputs = predictions.shape[1]
    valid = (labels >= 0) & (labels < outputs) & (labels == np.floor(labels))
    valid &= np.isfinite(predictions).all(1)
    which = np.where(valid, labels, 0).astype(np.int64)
    if loss == ZERO_ONE:
        safe = np.where(np.isfinite(predictions), predictions, -np.inf)
        values = (safe.argmax(1) != which).astype(np.float64)
    else:
        right = predictions[np.arange(len(labels)), which].astype(np.float64)
        values = -np.log(np.clip(np.where(valid, right, 1.0), _LEAST_PROBABILITY, 1.0))
    return np.where(valid, values, np.nan)


def _of_number(loss: str, labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    error: np.ndarray = labels - predictions.reshape(len(labels)).astype(np.float64)
    values = error**2 if loss == SQUARED else np.abs(error)
    return np.where(np.isfinite(error), values, np.nan)


_FUNCTIONS: dict[Problem, Callable[[str, np.ndarray, np.ndarray], np.ndarray]] = {
    Problem.BINARY: _of_binary,
    Problem.CLASSES: _of_classes,
    Problem.SCORES: _of_classes,
    Problem.NUMBER: _of_number,
}
