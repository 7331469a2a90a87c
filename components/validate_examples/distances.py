"""Distances between a column in two datasets: TFDV's, and measures that outliers and chance do not dominate."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from tensorflow_metadata.proto.v0 import anomalies_pb2

from ..lib.statistics.dataset import Column
from .confidence import wilson
from .limits import JENSEN_SHANNON, L_INFINITY, MEASURES

_MEASURE_NAMES = {
    anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY: L_INFINITY,
    anomalies_pb2.DriftSkewInfo.Measurement.JENSEN_SHANNON_DIVERGENCE: JENSEN_SHANNON,
    anomalies_pb2.DriftSkewInfo.Measurement.NORMALIZED_ABSOLUTE_DIFFERENCE: MEASURES[2],
}
MEASURE_WORDS = {
    L_INFINITY: "L-infinity norm",
    JENSEN_SHANNON: "Jensen-Shannon divergence",
    MEASURES[2]: "normalized absolute difference",
}
# One clean comparison of a column in a thousand exceeds what counts as chance.
_CHANCE = 0.001
# Beyond the outermost tenth of the rows, a tail is assumed to halve this many times.
_HALVINGS = 8


@dataclass(frozen=True)
class Distance:
    """How far a column of one dataset is from the same column of another.

    Attributes:
        measure: TFDV's name of the measure.
        value: The distance.
        threshold: The largest distance allowed.
        chosen: Whether somebody set the threshold.
        by_quantiles: Whether it is over bins that the quantiles of both datasets bound, and not over TFDV's bins of
            equal width.
    """

    measure: str
    value: float
    threshold: float
    chosen: bool
    by_quantiles: bool = False

    @property
    def words(self) -> str:
        """The measure's name, in words."""
        return MEASURE_WORDS[self.measure] + (" (quantile bins)" if self.by_quantiles else "")


def read_distances(
    anomalies: anomalies_pb2.Anomalies, chosen: Mapping[str, bool], measurements_field: str
) -> dict[str, Distance]:
    """Return the distances that TFDV measured.

    Args:
        anomalies: A result of `tfdv.validate_statistics`.
        chosen: What `set_comparators` returned.
        measurements_field: `drift_measurements` or `skew_measurements`.

    Returns:
        Distance by column; of several, the one farthest over its threshold.
    """
    found = {}
    for info in anomalies.drift_skew_info:
        column = ".".join(info.path.step)
        distances = [
            Distance(_MEASURE_NAMES[one.type], one.value, one.threshold, chosen.get(column, False))
            for one in getattr(info, measurements_field)
            if one.type in _MEASURE_NAMES
        ]
        if distances:
            found[column] = max(
                distances, key=lambda distance: distance.value / max(distance.threshold, 1e-12)
            )
    return found


def measure(one: Column, other: Column) -> float | None:
    """Measure a column in two datasets for the default thresholds: text by L-infinity, numbers by quantile bins.

    Returns:
        From 0 to 1; None if one of them has no values, or one is text and the other numbers.
    """
    if one.is_number != other.is_number or not one.filled or not other.filled:
        return None
    return quantile_divergence(one, other) if one.is_number else l_infinity(one, other)


def may_be_chance(one: Column, other: Column, value: float, threshold: float) -> bool:
    """Return whether two samples of one distribution, as large as these, may be as far apart by chance.

    Numbers: the Jensen-Shannon divergence of two samples of n and m rows of one distribution over k bins is, for large
    samples, (1/n + 1/m) / (8 ln 2) times a chi-square variable of k - 1 degrees of freedom. Text: a category has
    moved if Wilson's intervals of its two shares, at three standard errors, lie apart.

    Source: M. L. Menendez, J. A. Pardo, L. Pardo, M. C. Pardo, The Jensen-Shannon divergence, Journal of the Franklin
    Institute 334, 1997. E. B. Wilson and M. M. Hilferty, The distribution of chi-square, PNAS 17, 1931.

    Args:
        one: The column in one dataset.
        other: The column in the other one.
        value: Their distance, from `measure`.
        threshold: The largest distance allowed; a category that moved by less is ignored.
    """
    if one.is_number:
        bins = len(_shared_edges(one, other))
        scale = (1 / one.filled + 1 / other.filled) / (8 * math.log(2))
        return value <= scale * _chi_square(bins)
    return not any(
        abs(one.shares.get(text, 0.0) - other.shares.get(text, 0.0)) > threshold
        and _lie_apart(one, other, text)
        for text in {*one.shares, *other.shares}
    )


def l_infinity(one: Column, other: Column) -> float:
    """Return the largest difference of a text's share between two datasets, as TFDV's `infinity_norm`."""
    texts = {*one.shares, *other.shares}
    return max(
        (abs(one.shares.get(text, 0.0) - other.shares.get(text, 0.0)) for text in texts),
        default=0.0,
    )


def quantile_divergence(one: Column, other: Column) -> float | None:
    """Measure the Jensen-Shannon divergence of numbers over bins that the quantiles of both datasets bound.

    TFDV's bins are of equal width from the least to the largest number, so that a single 999999 on both sides puts
    everything else into one bin, and one on one side alone is a divergence of nearly 1. These bins hold a tenth of the
    rows of one side at most, wherever those lie.

    Source: J. Lin, Divergence measures based on the Shannon entropy, IEEE Transactions on Information Theory 37, 1991.

    Returns:
        From 0 to 1 (logarithms are to the base 2); None where the statistics have no quantiles.
    """
    sides = one.quantiles, other.quantiles
    if sides[0] is None or sides[1] is None:
        return None
    edges = _shared_edges(one, other)
    p, q = _bin_shares(sides[0], edges), _bin_shares(sides[1], edges)
    middle = (p + q) / 2
    return max(0.0, min(1.0, (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2))


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> float:
    there = p > 0
    return float(np.sum(p[there] * np.log2(p[there] / q[there])))


def _shared_edges(one: Column, other: Column) -> np.ndarray:
    known = [side[0] for side in (one.quantiles, other.quantiles) if side is not None]
    return np.unique(np.concatenate([np.zeros(0), *known]))


def _bin_shares(quantiles: tuple[np.ndarray, np.ndarray], edges: np.ndarray) -> np.ndarray:
    """Return the share of a column in bins that end at edges, inclusive; the first bin has all up to its edge."""
    # Of several quantiles with one value, the last one counts at the value itself, the first one below it.
    up_to = np.interp(edges, *_with_tails(*quantiles), left=0.0, right=1.0)
    return np.diff(up_to, prepend=0.0)


def _with_tails(values: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Extend the outermost quantiles with tails that halve, not evenly up to the outermost value."""
    high_values, high_shares = _tail(values[-3:], shares[-3:])
    low_values, low_shares = _tail(-values[2::-1], 1 - shares[2::-1])
    return (
        np.concatenate([values[:1], -low_values[::-1], values[1:-1], high_values, values[-1:]]),
        np.concatenate([shares[:1], 1 - low_shares[::-1], shares[1:-1], high_shares, shares[-1:]]),
    )


def _tail(values: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    before, start, end = values
    step = start - before
    if step <= 0 or end <= start:
        return np.zeros(0), np.zeros(0)
    halvings = np.arange(1, _HALVINGS + 1)
    points = start + step * halvings
    within = shares[2] - (shares[2] - shares[1]) * 0.5**halvings
    evenly = np.interp(points, values, shares)
    keep = (points < end) & (within > evenly)
    return points[keep], within[keep]


def _chi_square(bins: int) -> float:
    degrees = max(bins - 1, 1)
    z = NormalDist().inv_cdf(1 - _CHANCE)
    spread = 2 / (9 * degrees)
    return float(degrees * (1 - spread + z * math.sqrt(spread)) ** 3)


def _lie_apart(one: Column, other: Column, text: str) -> bool:
    low, high = sorted((side.shares.get(text, 0.0), side.filled) for side in (one, other))
    return wilson(*low)[1] < wilson(*high)[0]
