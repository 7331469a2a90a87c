"""A test of one mean against a bound that may be looked at as often as one likes, and that sees a late change.

It bets against the claim "the mean loss is at most `bound`". Losses are values x in [0, 1]; with a bet b, chosen before
a block of rows, a row is worth 1 + b·(x - bound), which has an expectation of at most 1 under the claim. So the capital
of a bettor who starts with 1 is an e-process: the probability that it ever reaches 1/alpha is at most alpha (Ville's
inequality), however often it is looked at (Waudby-Smith and Ramdas, "Estimating means of bounded random variables by
betting", arXiv 2010.09686; for the risk of a model in service, Podkopaev and Ramdas, "Tracking the risk of a deployed
model and detecting harmful distribution shifts", arXiv 2110.06177).

A bettor who started long ago has lost most of its capital in good times, and sees a change late. So before the k-th
block a share of 1/(k(k+1)) of the first capital is bet for the first time: what is not bet yet stays as it is. The sum
is an e-process, too, since each share is one that begins later; and after a change the share that began with it grows
as if the test had been started then, at the price of log(k(k+1)) in evidence (a mixture of e-processes over their
beginnings, as in Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection",
arXiv 2203.03532, whose weights sum to 1 here, so that the probability of an alarm stays bounded for ever).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..sequential_test import EFFECTS, Values

# No block may take more than half of the capital with a single row.
_MOST_STAKE = 0.5
_PRIOR_ROWS = 10.0
_EDGE = 1e-6


@dataclass(frozen=True)
class RiskTest:
    """The state of a test. Arrays may have dimensions of their own before the last one: many tests side by side.

    Attributes:
        bound: The mean that is allowed, between 0 and 1.
        blocks: How many blocks there were.
        rows: How many rows.
        total: Sum of their values.
        squares: Sum of their squares.
        log_pots: Logarithm of what was bet on each of `EFFECTS` has become, in the last dimension.
    """

    bound: float
    blocks: int
    rows: np.ndarray
    total: np.ndarray
    squares: np.ndarray
    log_pots: np.ndarray

    @classmethod
    def start(cls, bound: float, shape: tuple[int, ...] = ()) -> "RiskTest":
        """Start a test.

        Args:
            bound: The mean that is allowed; it is kept off 0 and 1.
            shape: Dimensions of many tests side by side.
        """
        zero = np.zeros(shape)
        inside = min(max(bound, _EDGE), 1 - _EDGE)
        return cls(inside, 0, zero, zero, zero, np.full((*shape, len(EFFECTS)), -np.inf))

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "RiskTest":
        """Read what `content` returned."""
        pots = [-np.inf if one is None else float(one) for one in content["log_pots"]]
        rows, total, squares = (
            np.array(float(content[name])) for name in ("rows", "total", "squares")
        )
        bound, blocks = float(content["bound"]), int(content["blocks"])
        return cls(bound, blocks, rows, total, squares, np.array(pots))

    def content(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        pots = [float(one) if np.isfinite(one) else None for one in self.log_pots]
        return {
            "bound": self.bound,
            "blocks": self.blocks,
            "rows": float(self.rows),
            "total": float(self.total),
            "squares": float(self.squares),
            "log_pots": pots,
        }

    @property
    def log_evidence(self) -> np.ndarray:
        """Logarithm of the capital, which is the evidence that the mean exceeds the bound."""
        kept = -np.log1p(self.blocks)
        pots = np.logaddexp.reduce(self.log_pots, axis=-1) - np.log(len(EFFECTS))
        return np.logaddexp(pots, kept)

    def plus(self, values: Values) -> "RiskTest":
        """Return the test after one more block of rows.

        Args:
            values: Losses between 0 and 1. A row of weight u, of at most 1, counts as `weighed` says.
        """
        number = self.blocks + 1
        deviation = self._deviation()
        bets = np.minimum(np.array(EFFECTS) / deviation[..., None], _MOST_STAKE / self.bound)
        gains = np.log1p(bets[..., None] * (values.values - self.bound))
        gain = (gains * values.counts[..., None, :]).sum(axis=-1)
        pots = np.logaddexp(self.log_pots, -np.log(number * (number + 1.0))) + gain
        return RiskTest(
            self.bound,
            number,
            self.rows + values.rows,
            self.total + values.moment(1),
            self.squares + values.moment(2),
            pots,
        )

    def _deviation(self) -> np.ndarray:
        """Return the standard deviation of a row by the blocks so far."""
        rows = self.rows + _PRIOR_ROWS
        mean = (self.total + _PRIOR_ROWS * self.bound) / rows
        spread = self.squares + _PRIOR_ROWS * self.bound - rows * mean**2
        return np.sqrt(np.maximum(spread / rows, _EDGE))


def weighed(losses: np.ndarray, weights: np.ndarray, bound: float) -> np.ndarray:
    """Return values whose mean exceeds the bound if, and only if, the weighted mean of the losses does.

    Args:
        losses: Between 0 and 1, shape (rows,).
        weights: Weights of the rows; they are divided by the largest.
        bound: The bound of the test.

    Returns:
        Values between 0 and 1: a row without weight is worth the bound.
    """
    largest = weights.max(initial=0.0)
    return bound + (weights / largest if largest else weights) * (losses - bound)
