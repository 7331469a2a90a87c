"""A test of two means that may be looked at as often as one likes, and the interval that belongs to it.

It bets against the claim "the canary's mean exceeds the baseline's by at most a margin". The capital of a bettor who
starts with 1 and whose bets are fair under the claim is an e-process: the probability that it ever reaches 1/alpha is
at most alpha (Ville's inequality), however often it is looked at, and whenever one stops.

The rows of each look are a block of n canary and m baseline values in [0, 1]. With a centre c and a bet b, both chosen
before the block, a canary value y is worth 1 + b·(y - c - margin), a baseline value 1 - b·(n/m)·(y - c). The product
over a block has expectation at most 1 under the claim: the values are independent, so the expectation is a product of
their own, which by the inequality of arithmetic and geometric means is at most
(1 + b·n/(n + m)·(difference of the means - margin))^(n + m). It needs no other assumption: not the same mean in
all rows, not how many rows of each kind a look has. Copies of one request that both versions answer are no harm where
both fail on the same requests: the two factors move against each other, so the product's expectation only shrinks.

The bets are those of Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (arXiv
2010.09686); blocks of two samples with a margin those of Turner, Ly and Grünwald, "Generic E-variables for exact
sequential k-sample tests that allow for optional stopping" (arXiv 2106.02693), and of Turner and Grünwald, "Exact
anytime-valid confidence intervals for contingency tables and beyond" (arXiv 2203.09785).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

EFFECTS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
"""The differences that are bet on, in standard deviations of a row; the capital is split between them.

A factor of two between neighbours costs at most a sixth of the growth that the best bet has."""
# No block may take more than half of the capital with a single row.
_MOST_STAKE = 0.5
_PRIOR_ROWS, _PRIOR_MEAN = 10.0, 0.05
_EDGE = 1e-6
_FIRST_BLOCK = 100
# How much larger all rows are after each block.
_GROWTH = 1.1
_FLOOR = 1e-12


@dataclass(frozen=True)
class Values:
    """Values of one arm in a block: which there are, and how often each.

    Attributes:
        values: The values, each in [0, 1].
        counts: How often each is there; arrays of several dimensions hold many blocks, the values in the last one.
    """

    values: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "Values":
        """Count the values of an array."""
        found, counts = np.unique(np.asarray(values, np.float64), return_counts=True)
        return cls(found, counts.astype(np.float64))

    @classmethod
    def of_shares(cls, yes: np.ndarray, rows: np.ndarray) -> "Values":
        """Make the values of rows that are 0 or 1.

        Args:
            yes: How many are 1.
            rows: How many there are.
        """
        return cls(np.array([0.0, 1.0]), np.stack([rows - yes, yes], axis=-1))

    @property
    def rows(self) -> np.ndarray:
        """How many there are."""
        return self.counts.sum(axis=-1)

    def moment(self, power: int) -> np.ndarray:
        """Return the sum of a power of the values."""
        return (self.counts * self.values**power).sum(axis=-1)


@dataclass(frozen=True)
class Arm:
    """Sums over the rows of one version.

    Attributes:
        rows: How many rows.
        total: Sum of their values.
        squares: Sum of their squares.
    """

    rows: np.ndarray
    total: np.ndarray
    squares: np.ndarray

    def plus(self, values: Values) -> "Arm":
        """Return the sums after more rows."""
        return Arm(
            self.rows + values.rows,
            self.total + values.moment(1),
            self.squares + values.moment(2),
        )


@dataclass(frozen=True)
class Comparison:
    """The state of a test: sums of both arms, and the logarithm of what each bet has become.

    Arrays may have dimensions of their own before the last one: many tests side by side.

    Attributes:
        margin: Increase of the mean that is allowed.
        baseline: Sums of the baseline's rows.
        canary: Sums of the canary's rows.
        log_bets: Logarithm of the capital of each of `EFFECTS`, in the last dimension.
    """

    margin: float
    baseline: Arm
    canary: Arm
    log_bets: np.ndarray

    @classmethod
    def start(cls, margin: float = 0.0, shape: tuple[int, ...] = ()) -> "Comparison":
        """Start a test.

        Args:
            margin: Increase of the mean that is allowed, above -1 and below 1.
            shape: Dimensions of many tests side by side.
        """
        zero = np.zeros(shape)
        arm = Arm(zero, zero, zero)
        return cls(margin, arm, arm, np.zeros((*shape, len(EFFECTS))))

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Comparison":
        """Read what `content` returned."""
        baseline, canary = (Arm(*(np.array(float(one)) for one in content[name])) for name in _ARMS)
        log_bets = np.array(content["log_bets"], np.float64)
        return cls(float(content["margin"]), baseline, canary, log_bets)

    def content(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        arms = {
            name: [float(one) for one in (arm.rows, arm.total, arm.squares)]
            for name, arm in zip(_ARMS, (self.baseline, self.canary), strict=True)
        }
        return {"margin": self.margin, **arms, "log_bets": [float(bet) for bet in self.log_bets]}

    @property
    def log_evidence(self) -> np.ndarray:
        """Logarithm of the capital, which is the evidence that the margin is violated."""
        return np.logaddexp.reduce(self.log_bets, axis=-1) - np.log(len(EFFECTS))

    @property
    def difference(self) -> np.ndarray:
        """The canary's mean less the baseline's; NaN where one has no rows."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.canary.total / self.canary.rows - self.baseline.total / self.baseline.rows

    def plus(self, baseline: Values, canary: Values) -> "Comparison":
        """Return the test after one more block; a block of one arm alone compares nothing and is left out.

        Args:
            baseline: Values of the baseline's rows.
            canary: Values of the canary's rows.
        """
        of_canary, of_baseline = canary.rows, baseline.rows
        both = (of_canary > 0) & (of_baseline > 0)
        ratio = np.where(both, of_canary / np.maximum(of_baseline, 1), 1.0)
        centre, deviation = self._past()
        limit = np.minimum(1 / (centre + self.margin), 1 / (ratio * (1 - centre)))
        wanted = np.array(EFFECTS) / (deviation * (1 + ratio))[..., None]
        bets = np.minimum(wanted, _MOST_STAKE * limit[..., None])
        gain = _log_gain(canary, bets, centre + self.margin)
        gain = gain + _log_gain(baseline, -bets * ratio[..., None], centre)
        log_bets = self.log_bets + np.where(both[..., None], gain, 0.0)
        return Comparison(
            self.margin, self.baseline.plus(baseline), self.canary.plus(canary), log_bets
        )

    def _past(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the centre and the standard deviation of a row by the blocks so far."""
        rows = self.baseline.rows + self.canary.rows + _PRIOR_ROWS
        total = self.baseline.total + self.canary.total - self.margin * self.canary.rows
        low, high = max(0.0, -self.margin), min(1.0, 1.0 - self.margin)
        edge = min(_EDGE, (high - low) / 4)
        centre = np.clip((total + _PRIOR_ROWS * _PRIOR_MEAN) / rows, low + edge, high - edge)
        arms = (self.baseline, self.canary)
        spread = sum(arm.squares - arm.total**2 / np.maximum(arm.rows, 1) for arm in arms)
        variance = (spread + _PRIOR_ROWS * centre * (1 - centre)) / rows
        return centre, np.sqrt(np.maximum(variance, _FLOOR))


_ARMS = ("of_baseline", "of_canary")
Block = tuple[Values, Values]


def log_mean(logarithms: Sequence[float]) -> float:
    """Return the logarithm of the mean of values that are given by theirs: e-processes may be averaged."""
    return float(np.logaddexp.reduce(np.asarray(logarithms)) - np.log(len(logarithms)))


def block_ends(seen: int, rows: int) -> list[int]:
    """Cut the rows of a look into blocks, so that the bets of a large first look learn from its own first rows.

    Args:
        seen: How many rows there were before.
        rows: How many rows the look has.

    Returns:
        Where each block ends; each has at most as many rows as there were before it.
    """
    ends, end = [], 0
    while end < rows:
        end = min(rows, end + max(_FIRST_BLOCK, seen + end))
        ends.append(end)
    return ends


def whole_blocks(rows: int) -> list[int]:
    """Cut rows in their order into blocks whose bounds do not move when rows are added.

    Args:
        rows: How many rows there are.

    Returns:
        Where each whole block ends; the rows after the last one wait for more.
    """
    ends, end = [], 0
    while (end := max(end + _FIRST_BLOCK // 2, int(end * _GROWTH))) <= rows:
        ends.append(end)
    return ends


def confidence_interval(blocks: Sequence[Block], alpha: float) -> tuple[float, float]:
    """Return a confidence sequence's interval for the canary's mean less the baseline's.

    With probability 1 - alpha the difference lies in the intervals of all looks.

    Args:
        blocks: Values of baseline and canary in each block.
        alpha: Probability that an interval of any look misses the difference.
    """
    lower = _lowest_margin(blocks, alpha / 2)
    swapped = [(canary, baseline) for baseline, canary in blocks]
    return lower, -_lowest_margin(swapped, alpha / 2)


def _lowest_margin(blocks: Sequence[Block], alpha: float) -> float:
    """Return the largest margin that the rows violate; -1 if they violate none."""
    threshold = -np.log(alpha)

    def violated(margin: float) -> bool:
        return any(one >= threshold for one in _evidence(blocks, margin))

    return _bisect(violated, -1.0, 1.0)


def _evidence(blocks: Sequence[Block], margin: float) -> Iterator[float]:
    state = Comparison.start(margin)
    for baseline, canary in blocks:
        state = state.plus(baseline, canary)
        yield float(state.log_evidence)


def _bisect(holds: Callable[[float], bool], low: float, high: float) -> float:
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _log_gain(values: Values, bets: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return the sum of the logarithms of the factors, for each bet."""
    gains = np.log1p(bets[..., None] * (values.values - np.asarray(centre)[..., None, None]))
    return np.asarray((gains * values.counts[..., None, :]).sum(axis=-1))
