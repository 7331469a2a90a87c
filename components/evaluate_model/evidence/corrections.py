"""Correcting p-values for many tests at once."""

import numpy as np
from scipy import stats

from .settings import Correction


def adjust(p_values: np.ndarray, correction: Correction) -> np.ndarray:
    """Adjust p-values, so that each can be compared with the level that all together must keep.

    Args:
        p_values: Shape (tests,).
        correction: `holm` bounds the chance of one false finding or more (Holm, A simple sequentially rejective
            multiple test procedure, Scandinavian Journal of Statistics 6, 1979). `benjamini_hochberg` bounds the share
            of false findings among all (Journal of the Royal Statistical Society B 57, 1995); it finds more, and more
            of what it finds is chance. `none` leaves them as they are.

    Returns:
        Adjusted p-values in the same order, shape (tests,).
    """
    if correction == Correction.NONE or not len(p_values):
        return p_values
    if correction == Correction.BENJAMINI_HOCHBERG:
        return np.asarray(stats.false_discovery_control(p_values, method="bh"))
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return adjusted
