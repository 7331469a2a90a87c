"""TFDV's equi-width histograms, over whole arrays.

TFDV makes one from a thousand quantile buckets, each a message, in Python loops: most of what extracting a
number column's statistics costs. The same arithmetic in the same order on arrays gives the same digits.
"""

import numpy as np
from tensorflow_data_validation.utils import quantiles_util
from tensorflow_metadata.proto.v0 import statistics_pb2


def equi_width_histogram(
    quantiles: np.ndarray,
    cumulative_counts: np.ndarray,
    finite_min: float,
    finite_max: float,
    num_buckets: int,
    num_pos_inf: float,
) -> statistics_pb2.Histogram:
    """Make a standard histogram of quantile boundaries.

    The twin of `quantiles_util.generate_equi_width_histogram` of tensorflow_data_validation, which says what the
    arguments are: rows spread evenly within a quantile bucket, point buckets belong to the bucket below, but for
    the first.

    Args:
        quantiles: Quantile boundaries, ascending.
        cumulative_counts: Rows up to each.
        finite_min: The least finite value.
        finite_max: The largest finite value.
        num_buckets: How many buckets of equal width.
        num_pos_inf: Rows with positive infinity.

    Returns:
        The histogram.
    """
    result = statistics_pb2.Histogram(type=statistics_pb2.Histogram.STANDARD)
    if not np.isfinite(finite_min) and not np.isfinite(finite_max):
        result.buckets.add(
            low_value=finite_min, high_value=finite_max, sample_count=cumulative_counts[-1]
        )
        return result
    quantiles, cumulative_counts, num_neg_inf = quantiles_util._strip_infinities(
        quantiles, cumulative_counts, finite_max, num_pos_inf
    )
    edges = np.array([finite_min, finite_max], dtype=np.float64)
    if finite_min != finite_max:
        # A range beyond the largest double has no edges, and gets no histogram.
        with np.errstate(over="ignore", invalid="ignore"):
            edges = np.linspace(finite_min, finite_max, num_buckets + 1)
        if not np.isfinite(edges).all():
            return result
    counts = _rebinned(quantiles, _bin_weights(quantiles, cumulative_counts), edges)
    if num_neg_inf:
        result.buckets.add(low_value=-np.inf, high_value=-np.inf, sample_count=num_neg_inf)
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        result.buckets.add(low_value=low, high_value=high, sample_count=count)
    if num_pos_inf:
        result.buckets.add(low_value=np.inf, high_value=np.inf, sample_count=num_pos_inf)
    return result


def _bin_weights(boundaries: np.ndarray, cumulative: np.ndarray) -> np.ndarray:
    cumulative = cumulative.astype(np.float64)
    low, high = boundaries[:-1], boundaries[1:]
    if not low.size:
        return np.zeros(0)
    # Bins that end at the same value share their rows.
    starts = np.flatnonzero(np.append(True, high[1:] != high[:-1]))
    sizes = np.diff(np.append(starts, high.size))
    weights = np.repeat(np.add.reduceat(np.diff(cumulative), starts) / sizes, sizes)
    differs = np.flatnonzero((low != low[0]) | (high != high[0]))
    first = differs[0] if differs.size else low.size
    weights[:first] += cumulative[0] / first
    return weights


def _rebinned(boundaries: np.ndarray, weights: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Spread the rows of bins over other bins."""
    low, high = boundaries[:-1], boundaries[1:]
    first = np.searchsorted(edges[1:], low, side="left")
    last = np.searchsorted(edges[:-1], high, side="right") - 1
    spans = np.maximum(last - first + 1, 0)
    # One entry for each pair of a bin and an edge interval that it touches, in the order of the bins.
    source = np.repeat(np.arange(low.size), spans)
    target = np.arange(spans.sum()) - np.repeat(np.cumsum(spans) - spans, spans) + first[source]
    start, end = edges[target], edges[target + 1]
    left, right = low[source], high[source]
    shares = np.ones(target.size)
    # Nearly all bins lie within one interval.
    cut = np.flatnonzero((start > left) | (end < right))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        inside = np.minimum(end[cut], right[cut]) - np.maximum(start[cut], left[cut])
        shares[cut] = inside / (right[cut] - left[cut])
    point = (left == right) & (right == start)
    shares[point] = target[point] == 0
    # Adds one after the other, as TFDV does; a pairwise sum would move the last digits.
    return np.bincount(target, shares * weights[source], edges.size - 1)
