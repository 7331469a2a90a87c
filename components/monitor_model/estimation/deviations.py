"""How much a metric varies between samples of the reference, which bounds what is usual."""

import math
from collections.abc import Callable

import numpy as np

Rows = np.ndarray | slice
MetricOfRows = Callable[[Rows], float]
"""The realised metric of some rows of the reference; NaN where it is not defined."""

SAMPLES = 32
"""So many disjoint random samples of the reference: their deviation is known to an eighth."""
FEWEST_CHUNKS = 6
"""Chunks of the reference from which a deviation is taken, as NannyML wants (`docs/how_it_works/chunking_data.rst`)."""
MOST_CHUNKS = 100
LONGEST_CHUNKS = 10
"""Of a window that is larger than the reference's tenth, the chunks are its tenths."""


def row_deviation(metric: MetricOfRows, rows: int, seed: int = 0) -> float:
    """Return the standard error of a metric times the root of the number of rows.

    The reference is cut into disjoint random samples, and the deviation of the metric between them is scaled to one row
    (NannyML: `docs/how_it_works/estimation_of_standard_error.rst`, there by a formula for each metric).

    Args:
        metric: The metric of rows.
        rows: How many rows the reference has.
        seed: Chooses the samples.

    Returns:
        The deviation; NaN if the metric is not defined in samples of a sixth.
    """
    order = np.random.default_rng(seed).permutation(rows)
    samples = SAMPLES
    while samples >= FEWEST_CHUNKS and rows >= samples:
        size = rows // samples
        values = [metric(order[one * size : (one + 1) * size]) for one in range(samples)]
        if np.isfinite(values).all():
            return float(np.std(values, ddof=1) * math.sqrt(size))
        samples //= 2
    return math.nan


def chunk_deviation(metric: MetricOfRows, rows: int, size: float) -> float:
    """Return the deviation of a metric between chunks of the reference, in the order of its rows.

    Unlike random samples, chunks differ by what changes with time.

    Args:
        metric: The metric of rows.
        rows: How many rows the reference has.
        size: Rows of the window that is judged; if they are more than the reference's tenth, the chunks are its tenths.

    Returns:
        The deviation; NaN if there are too few chunks in which the metric is defined.
    """
    length = max(1, min(int(size), rows // LONGEST_CHUNKS))
    count = min(rows // length, MOST_CHUNKS)
    starts = np.arange(count) * (rows // count)
    values = np.array([metric(slice(start, start + length)) for start in starts.tolist()])
    return spread(values[np.isfinite(values)])


def spread(values: np.ndarray) -> float:
    """Return the standard deviation of values; NaN if there are too few."""
    return float(values.std(ddof=1)) if len(values) >= FEWEST_CHUNKS else math.nan
