"""Calibration: from a model's scores to the share of rows that are positive, checked on rows that were held out."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

FOLDS = 10
BINS = 10


@dataclass(frozen=True)
class Isotonic:
    """A non-decreasing function of the score, linear between its points, constant beyond them.

    Attributes:
        scores: The points' scores, ascending; none for the identity.
        shares: The share of positive rows at each.
    """

    scores: np.ndarray
    shares: np.ndarray

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Return the share of positive rows at each score."""
        if not len(self.scores):
            return scores
        return np.interp(scores, self.scores, self.shares)


IDENTITY = Isotonic(np.zeros(0), np.zeros(0))


@dataclass(frozen=True)
class Calibration:
    """How scores are calibrated, and how well.

    Attributes:
        function: From scores to probabilities.
        held_out: The probability of each reference row by a function that was fitted without it.
        error_before: Expected calibration error of the scores themselves.
        error: That of the held-out probabilities.
        noise: What it would be for perfect probabilities of so many rows, since shares of few rows vary.
    """

    function: Isotonic
    held_out: np.ndarray
    error_before: float
    error: float
    noise: float


def calibrate(
    scores: np.ndarray, positive: np.ndarray, weights: np.ndarray, folds: int = FOLDS
) -> Calibration:
    """Fit an isotonic regression, and keep it only if it lowers the calibration error of rows that were held out.

    So does NannyML (`nannyml/calibration.py`), there with ten stratified splits of a tenth each. Here the splits are
    disjoint, so that each row is held out once.

    Args:
        scores: Shape (rows,), each between 0 and 1.
        positive: Shape (rows,), true for rows of the class; both classes must be there.
        weights: Shape (rows,).
        folds: How many folds.
    """
    positive = positive.astype(np.float64)
    folds = max(2, min(folds, int(min(positive.sum(), (1 - positive).sum()))))
    random = np.random.default_rng(0)
    fold = np.empty(len(scores), np.int64)
    for one in (0.0, 1.0):
        of_class = random.permutation(np.flatnonzero(positive == one))
        fold[of_class] = np.arange(len(of_class)) % folds
    held_out = np.empty(len(scores))
    for number in range(folds):
        out = fold == number
        function = fit_isotonic(scores[~out], positive[~out], weights[~out])
        held_out[out] = function(scores[out])
    before = calibration_error(scores, positive, weights)
    after = calibration_error(held_out, positive, weights)
    if after < before:
        function = fit_isotonic(scores, positive, weights)
        return Calibration(function, held_out, before, after, error_noise(held_out, weights))
    return Calibration(IDENTITY, scores, before, before, error_noise(scores, weights))


def fit_isotonic(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> Isotonic:
    """Fit a non-decreasing function by least squares, with pool adjacent violators.

    Args:
        scores: Shape (rows,).
        positive: Shape (rows,), 1 for rows of the class, else 0.
        weights: Shape (rows,).
    """
    values, index = np.unique(scores, return_inverse=True)
    weight = np.bincount(index, weights)
    share = np.bincount(index, weights * positive) / weight
    fitted = isotonic_regression(share, weights=weight).x
    # Within a block all points but the first and the last say the same.
    inner = np.zeros(len(fitted), bool)
    inner[1:-1] = (fitted[1:-1] == fitted[:-2]) & (fitted[1:-1] == fitted[2:])
    return Isotonic(values[~inner], fitted[~inner])


def calibration_error(
    probabilities: np.ndarray, positive: np.ndarray, weights: np.ndarray, bins: int = BINS
) -> float:
    """Return the expected calibration error: over bins of equal weight, |mean probability - share of positive rows|.

    M. P. Naeini, G. Cooper and M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning",
    AAAI 2015; with bins of equal weight as in NannyML.
    """
    which, total = _bins(probabilities, weights, bins)
    difference = np.bincount(which, weights * (probabilities - positive), bins)
    return float(np.abs(difference).sum() / total)


def error_noise(probabilities: np.ndarray, weights: np.ndarray) -> float:
    """Return the calibration error that perfect probabilities have on average, by the normal approximation."""
    which, total = _bins(probabilities, weights, BINS)
    variance = np.bincount(which, weights**2 * probabilities * (1 - probabilities), BINS)
    return float(math.sqrt(2 / math.pi) * np.sqrt(np.maximum(variance, 0)).sum() / total)


def _bins(probabilities: np.ndarray, weights: np.ndarray, bins: int) -> tuple[np.ndarray, float]:
    # Equal probabilities share a bin, whatever the order of the rows.
    values, index = np.unique(probabilities, return_inverse=True)
    weight = np.bincount(index, weights, len(values))
    reached = np.cumsum(weight)
    total = float(reached[-1])
    which = np.minimum((reached - weight / 2) / total * bins, bins - 1).astype(np.int64)
    return which[index], total
