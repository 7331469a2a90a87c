"""Distributions that TFDV statistics describe, in a form that can be drawn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest

import numpy as np

from .statistics_artifact import Feature, value_counts

# A share is known if its bounds differ by at most this fraction of it.
_TOLERANCE = 0.5
_MIDDLE, _TAIL, _LONG_TAIL = 0.15, 0.1, 0.001
# From three orders of magnitude on, 18 equal bins put nearly all rows into the first.
_WIDE = 1_000


@dataclass(frozen=True)
class Cumulative:
    """A cumulative distribution of numbers, linear between its points.

    Attributes:
        values: The numbers, ascending.
        shares: Share of rows at or below each, ascending from 0 to 1.
    """

    values: np.ndarray
    shares: np.ndarray

    def share_below(self, values: np.ndarray | float) -> np.ndarray:
        """Return the share of rows below each of some values."""
        return np.interp(values, self.values, self.shares, left=0.0, right=1.0)

    def near_share_below(self, value: float) -> float | None:
        """Return the approximate share of rows below a value, or None if the points are too far apart.

        If few rows lie beyond a value, one bucket holds them and many others, in unknown proportion.
        """
        return self._if_known(float(self.share_below(value)), *self._around(value))

    def near_share_above(self, value: float) -> float | None:
        """Return the approximate share of rows above a value, or None if the points are too far apart."""
        low, high = self._around(value)
        return self._if_known(1 - float(self.share_below(value)), 1 - high, 1 - low)

    def _around(self, value: float) -> tuple[float, float]:
        """Return the shares at the points on either side of a value."""
        before = self.shares[self.values <= value]
        after = self.shares[self.values >= value]
        return float(before[-1]) if len(before) else 0.0, float(after[0]) if len(after) else 1.0

    @staticmethod
    def _if_known(share: float, low: float, high: float) -> float | None:
        return share if high - low <= _TOLERANCE * share else None

    def quantile(self, share: float) -> float:
        """Return the value below which a share of rows lies."""
        return float(np.interp(share, self.shares, self.values))


def cumulative(feature: Feature) -> Cumulative | None:
    """Join a number column's two histograms into one cumulative distribution.

    The standard histogram is fine where the range is wide, the quantiles one where the rows are:
    their bucket ends together follow a long-tailed column far better than either alone.

    Args:
        feature: Statistics of a column.

    Returns:
        The distribution of its finite values, or None if it has none or is text.
    """
    if not feature.HasField("num_stats"):
        return None
    values, shares = [], []
    for histogram in feature.num_stats.histograms:
        ends = [bucket.high_value for bucket in histogram.buckets]
        counts = np.array([bucket.sample_count for bucket in histogram.buckets], dtype=float)
        if not ends or counts.sum() <= 0:
            continue
        values += [histogram.buckets[0].low_value, *ends]
        shares += [0.0, *(np.cumsum(counts) / counts.sum())]
    x, y = np.array(values), np.array(shares)
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        return None
    x, y = x[finite], y[finite]
    order = np.lexsort((y, x))
    x, y = x[order], np.maximum.accumulate(y[order])
    return Cumulative(*(_with_steps(x, y) if feature.type == feature.INT else (x, y)))


def _with_steps(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep the rows of an integer from being spread over the fractions before it, which no integer has."""
    jumps = np.flatnonzero((np.diff(x) > 0) & (np.diff(x) <= 1) & (x[1:] == np.floor(x[1:]))) + 1
    return np.insert(x, jumps, np.nextafter(x[jumps], -np.inf)), np.insert(y, jumps, y[jumps - 1])


def plotting_range(distributions: Sequence[Cumulative]) -> tuple[float, float]:
    """Choose a range that shows the bulk of some distributions; long tails are cut off.

    Returns:
        Lowest and highest value to draw; equal only if every value is.
    """
    lows, highs = [], []
    for distribution in distributions:
        first, last = float(distribution.values[0]), float(distribution.values[-1])
        # If nearly all rows have one value, the bulk has no width: show the others.
        alike = distribution.quantile(_MIDDLE) == distribution.quantile(1 - _MIDDLE)
        tail = _LONG_TAIL if alike else _TAIL
        low, high = distribution.quantile(tail), distribution.quantile(1 - tail)
        if low == high:
            low, high = first, last
        reach = high - low
        lows.append(max(first, low - reach))
        highs.append(min(last, high + reach))
    return min(lows), max(highs)


def is_wide(distributions: Sequence[Cumulative]) -> bool:
    """Return whether positive numbers span so many orders of magnitude that equal bins would hide most."""
    if any(distribution.values[0] <= 0 for distribution in distributions):
        return False
    low = min(distribution.quantile(0.05) for distribution in distributions)
    high = max(distribution.quantile(0.95) for distribution in distributions)
    return high > _WIDE * low


def logarithmic(distribution: Cumulative) -> Cumulative:
    """Return the distribution of the decimal logarithms of positive numbers."""
    return Cumulative(np.log10(distribution.values), distribution.shares)


def binned(
    distribution: Cumulative, low: float, high: float, bins: int
) -> tuple[np.ndarray, float, float]:
    """Count a distribution into equal bins.

    Args:
        distribution: What to count.
        low: Where the first bin starts.
        high: Where the last bin ends; more than `low`.
        bins: How many.

    Returns:
        Share of rows in each bin, the share below the first, and the share above the last.
    """
    edges = np.linspace(low, high, bins + 1)
    below = distribution.share_below(edges)
    # A step at the very start belongs to the first bin.
    below[0] = float(distribution.share_below(np.nextafter(low, -np.inf)))
    above = 1.0 - float(distribution.share_below(high))
    return np.diff(below), float(below[0]), max(0.0, above)


def text_shares(feature: Feature) -> dict[str, float]:
    """Return the share of each value of a text column, most frequent first."""
    rows = feature.string_stats.common_stats.num_non_missing
    return {value: count / rows for value, count in value_counts(feature).items()} if rows else {}


def leading_values(shares: Iterable[dict[str, float]], count: int) -> list[str]:
    """Choose the values to draw of a text column: those that are largest in any dataset."""
    largest: dict[str, float] = {}
    for one in shares:
        for value, share in one.items():
            largest[value] = max(share, largest.get(value, 0.0))
    return nsmallest(count, largest, key=lambda value: (-largest[value], value))
