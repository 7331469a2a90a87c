"""Rules for labels, weights and predictions, and the rows that break them."""

import math
from collections.abc import Iterator

import numpy as np

from .metric_requirements import Requirement, Requirements
from .scores import Scores

EMPTY, INFINITE, NEGATIVE, UNDEFINED = "empty", "infinite", "negative", "undefined"
LABEL, WEIGHT = "label", "weight"
FRACTION = "fraction"

# A softmax or sigmoid in 16 bits is off by a thousandth.
_TOLERANCE = 1e-3
_TOLERANCE_OF_SUMS = 1e-2

Rule = tuple[str, str, np.ndarray, np.ndarray, np.ndarray]
"""A rule, what it is about, which rows break it, and the lowest and highest value of each row to show."""


def rules(scores: Scores, requirements: Requirements) -> Iterator[Rule]:
    """Apply the rules for labels, weights and predictions of one output.

    Args:
        scores: The rows.
        requirements: What the metrics require.
    """
    label, several = scores.label.astype(np.float64), scores.label.ndim > 1
    if several:
        yield from _rules_of_labels(label, requirements)
    else:
        yield EMPTY, LABEL, np.isnan(label), label, label
        yield INFINITE, LABEL, np.isinf(label), label, label
    if scores.weight is not None:
        weight = scores.weight.astype(np.float64)
        yield EMPTY, WEIGHT, np.isnan(weight), weight, weight
        yield INFINITE, WEIGHT, np.isinf(weight), weight, weight
        yield NEGATIVE, WEIGHT, weight < 0, np.where(weight < 0, weight, np.nan), weight
    if not several:
        yield from _rules_of_label(scores, label, requirements)
    for name, values in scores.predictions.items():
        yield from _rules_of_model(name, values.reshape(scores.rows, -1), label, requirements)


def _rules_of_label(
    scores: Scores, label: np.ndarray, requirements: Requirements
) -> Iterator[Rule]:
    fraction = np.isfinite(label) & (label != np.round(label))
    if Requirement.CLASSES in requirements:
        yield FRACTION, LABEL, fraction, *_where(fraction, label)
    for requirement, low, high in (
        (Requirement.BINARY, 0.0, 1.0),
        (Requirement.HINGE, -1.0, 1.0),
        (Requirement.COUNTS, 0.0, math.inf),
    ):
        one = requirement is not Requirement.BINARY or all(
            v.ndim == 1 for v in scores.predictions.values()
        )
        if requirement in requirements and one:
            outside = (label < low) | (label > high)
            yield requirement, LABEL, outside, *_where(outside, label)
    if Requirement.LOGARITHM in requirements:
        outside = label <= -1
        yield Requirement.LOGARITHM, LABEL, outside, *_where(outside, label)


def _rules_of_labels(labels: np.ndarray, requirements: Requirements) -> Iterator[Rule]:
    """Give the rules of several labels a row."""
    every = np.full(len(labels), np.nan)
    yield EMPTY, LABEL, np.isnan(labels).any(axis=1), every, every
    yield INFINITE, LABEL, np.isinf(labels).any(axis=1), every, every
    if Requirement.BINARY in requirements or Requirement.CLASSES in requirements:
        low, high = labels.min(axis=1), labels.max(axis=1)
        outside = (low < 0) | (high > 1)
        yield (
            Requirement.BINARY,
            LABEL,
            outside,
            np.where(outside, low, np.nan),
            np.where(outside, high, np.nan),
        )


def _rules_of_model(
    name: str, outputs: np.ndarray, label: np.ndarray, requirements: Requirements
) -> Iterator[Rule]:
    finite = np.isfinite(outputs).all(axis=1)
    low = np.where(finite, outputs.min(axis=1), np.nan).astype(np.float64)
    high = np.where(finite, outputs.max(axis=1), np.nan).astype(np.float64)
    every = np.ones(len(outputs), bool)
    yield UNDEFINED, name, ~finite, low, high
    if Requirement.PROBABILITIES in requirements:
        outside = finite & ((low < -_TOLERANCE) | (high > 1 + _TOLERANCE))
        yield Requirement.PROBABILITIES, name, outside, low, high
        if Requirement.DISTRIBUTION in requirements and outputs.shape[1] > 1 and label.ndim == 1:
            sums = outputs.sum(axis=1, dtype=np.float64)
            off = finite & ~outside & (np.abs(sums - 1) > _TOLERANCE_OF_SUMS)
            yield Requirement.DISTRIBUTION, name, off, sums, sums
    if Requirement.COUNTS in requirements:
        yield Requirement.COUNTS, name, finite & (low < 0), low, high
    if Requirement.LOGARITHM in requirements:
        yield Requirement.LOGARITHM, name, finite & (low <= -1), low, high
    if label.ndim > 1:
        # Metrics take the labels and predictions of a row pair by pair.
        return
    if outputs.shape[1] > 1:
        if Requirement.ONE_OUTPUT in requirements:
            yield Requirement.ONE_OUTPUT, name, every, low, high
        if Requirement.KNOWN_CLASSES in requirements or Requirement.BINARY in requirements:
            # A fraction is not a class: TFMA would truncate it.
            unknown = (label < 0) | (label >= outputs.shape[1]) | (label != np.round(label))
            unknown &= np.isfinite(label)
            yield Requirement.KNOWN_CLASSES, name, unknown, *_where(unknown, label)
    elif Requirement.CLASSES in requirements:
        yield Requirement.CLASSES, name, every, low, high


def _where(rows: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shown = np.where(rows, values, np.nan)
    return shown, shown
