"""Measures of the distance between distributions, over whole tables of shares at once."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

# A bin without rows counts as one row in ten thousand, as Evidently has it.
_PSI_LEAST = 1e-4


@dataclass(frozen=True)
class Measure:
    """A measure of distance.

    Attributes:
        name: Its name in settings.
        words: Its name in sentences.
        function: Takes shares of two distributions (the last axis has the bins) and the values where bins end; returns
            their distance.
        power: The distance's power that shrinks as one over the number of rows: 2 if the distance itself shrinks as one
            over its root.
        bins: Number of bins of numbers, each with an equal share of the rows of the past.
        least: A smaller distance is never drift, however many rows there are: numbers that move by a tenth of their
            standard deviation, a text's share that moves by one in a hundred.
        text: Whether it can measure text.
        numbers: Whether it can measure numbers.
        most: No distance is larger.
    """

    name: str
    words: str
    function: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    power: int
    bins: int
    least: float
    text: bool = True
    numbers: bool = True
    most: float = math.inf

    def distance(self, one: np.ndarray, other: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Measure rows of counts against others.

        Args:
            one: Counts, the last axis has the bins.
            other: Counts.
            ends: The value where each bin ends; of text, their numbers.
        """
        return self.function(_shares(one), _shares(other), ends)


def jensen_shannon(p: np.ndarray, q: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the Jensen-Shannon divergence, from 0 to 1: TFDV's measure of numbers.

    Source: J. Lin, Divergence measures based on the Shannon entropy, IEEE Transactions on Information Theory 37, 1991.
    """
    middle = (p + q) / 2
    return np.maximum(0.0, (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2)


def l_infinity(p: np.ndarray, q: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the largest difference of a share, from 0 to 1: TFDV's measure of text."""
    return np.abs(p - q).max(-1)


def psi(p: np.ndarray, q: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the population stability index, the sum of (p - q) ln(p / q).

    Source: B. Yurdakul and J. Naranjo, Statistical properties of the population stability index, Journal of Risk Model
    Validation 14, 2020.
    """
    p, q = np.maximum(p, _PSI_LEAST), np.maximum(q, _PSI_LEAST)
    return ((p - q) * np.log(p / q)).sum(-1)


def kolmogorov_smirnov(p: np.ndarray, q: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the largest difference of the cumulative shares, the statistic of the two-sample test, over the bins."""
    return np.abs(np.cumsum(p - q, axis=-1)).max(-1)


def wasserstein(p: np.ndarray, q: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the Wasserstein distance over the second distribution's standard deviation, as Evidently norms it.

    It is the area between the cumulative distributions, each linear within a bin. Source: A. Ramdas, N. Garcia and
    M. Cuturi, On Wasserstein two-sample testing and related families of nonparametric tests, Entropy 19, 2017.
    """
    gaps = np.abs(np.cumsum(p - q, axis=-1))
    area = ((gaps[..., 1:] + gaps[..., :-1]) / 2 * np.diff(ends)).sum(-1)
    q = np.broadcast_to(q, np.broadcast_shapes(p.shape, q.shape))
    mean = (q * ends).sum(-1, keepdims=True)
    deviation = np.sqrt((q * (ends - mean) ** 2).sum(-1))
    return np.divide(area, deviation, out=np.where(area > 0, np.inf, 0.0), where=deviation > 0)


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    p, q = np.broadcast_arrays(p, q)
    terms = np.zeros(p.shape)
    there = p > 0
    terms[there] = p[there] * np.log2(p[there] / q[there])
    return terms.sum(-1)


def _shares(counts: np.ndarray) -> np.ndarray:
    return counts / np.maximum(counts.sum(-1, keepdims=True), 1e-300)


MEASURES: Mapping[str, Measure] = {
    one.name: one
    for one in (
        Measure(
            "jensen_shannon", "Jensen-Shannon divergence", jensen_shannon, 1, 10, 0.002, most=1.0
        ),
        Measure("infinity_norm", "L-infinity norm", l_infinity, 2, 20, 0.01, most=1.0),
        Measure("psi", "population stability index", psi, 1, 10, 0.01),
        Measure(
            "ks",
            "Kolmogorov-Smirnov distance",
            kolmogorov_smirnov,
            2,
            100,
            0.04,
            text=False,
            most=1.0,
        ),
        Measure("wasserstein", "normed Wasserstein distance", wasserstein, 2, 100, 0.1, text=False),
    )
}
TEXT_DEFAULT, NUMBER_DEFAULT = "infinity_norm", "jensen_shannon"
"""The measures that TFDV has for text and for numbers."""
