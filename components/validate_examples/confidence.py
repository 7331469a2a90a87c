"""Confidence intervals of a share of rows."""

import math

# Standard errors on either side: chance alone exceeds them once in 370 times.
STANDARD_ERRORS = 3.0


def wilson(rate: float, rows: int, z: float = STANDARD_ERRORS) -> tuple[float, float]:
    """Return Wilson's confidence interval of the rate that a sample was drawn from.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, Journal of the American
    Statistical Association 22, 1927.

    Args:
        rate: Share of the sample's rows, from 0 to 1.
        rows: Size of the sample, at least 1.
        z: Standard errors on either side.

    Returns:
        Its lower and upper end, from 0 to 1.
    """
    scale = 1 + z**2 / rows
    middle = (rate + z**2 / (2 * rows)) / scale
    half = z * math.sqrt(rate * (1 - rate) / rows + z**2 / (4 * rows**2)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)
