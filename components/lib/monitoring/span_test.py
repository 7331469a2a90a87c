"""A test of the mean loss of spans against a bound that may be looked at as often as one likes.

Rows of one span are no independent witnesses: a day of bad weather, or an hour of the night, moves them all. So what is
tested are the means of spans. A span's mean m has the standard error e by its rows, and varies between spans with a
standard deviation v beside that; its score is z = (m - bound) / sqrt(v² + e²). Under the claim "the mean is at most the
bound" a bet b on it is worth exp(b·z - b²/2), whose expectation is at most 1 for a normal score. So the capital of a
bettor who starts with 1 is an e-process: the probability that it ever reaches 1/alpha is at most alpha (Ville's
inequality), however often it is looked at (Robbins, "Statistical methods related to the law of the iterated logarithm",
1970; Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", arXiv
1810.08240). A score counts as at most `MOST_SCORE`: no single span is an alarm, and
bad days in a row are seldom one. Simulated at alpha = 0.0025 with 20,000 models over ten weeks, whose days vary by a
quarter of the mean: 0.005 % alarm if days are independent, 0.6 % if neighbours correlate by 0.5, of which the test
knows nothing.

v is estimated from the spans before, so that a bet knows nothing of the span that it is on, and together with an
assumed value that counts as `PRIOR_SPANS` spans: the first days of a model show too little of how days vary. The mean
of squares less the rows' own errors is the estimate of DerSimonian and Laird, "Meta-analysis in clinical trials", 1986,
for spans of equal weight.

A bettor who started long ago has lost most of its capital in good times, and sees a change late. So before the k-th
span a share of 1/(k(k+1)) of the first capital is bet for the first time: what is not bet yet stays as it is. The sum
is an e-process, too, since each share is one that begins later; and after a change the share that began with it grows
as if the test had been started then, at the price of log(k(k+1)) in evidence (a mixture of e-processes over their
beginnings, as in Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection",
arXiv 2203.03532, whose weights sum to 1 here, so that the probability of an alarm stays bounded for ever).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

BETS = (0.25, 0.5, 1.0, 2.0)
"""What is bet; the capital is split between them. The best bet is as large as the scores are."""
MOST_SCORE = 2.5
MOST_SPREAD = 4.0
"""A mean counts in the variation as at most so many deviations from the ones before: a shift must not hide itself in
what it is measured by."""
PRIOR_SPANS = 4.0
_SUMS = ("total", "squares", "errors")


@dataclass(frozen=True)
class SpanTest:
    """The state of a test. Arrays may have dimensions of their own: many tests side by side.

    Attributes:
        bound: The mean that is allowed.
        variation: Standard deviation between spans that is assumed.
        spans: How many spans there were.
        total: Sum of their means.
        squares: Sum of the squares of their means.
        errors: Sum of the squares of their means' standard errors.
        log_pots: Logarithm of what was bet on each of `BETS` has become, in the last dimension.
    """

    bound: float
    variation: float
    spans: int
    total: np.ndarray
    squares: np.ndarray
    errors: np.ndarray
    log_pots: np.ndarray

    @classmethod
    def start(cls, bound: float, variation: float, shape: tuple[int, ...] = ()) -> "SpanTest":
        """Start a test.

        Args:
            bound: The mean that is allowed.
            variation: Standard deviation between spans that is assumed until spans show another; above 0.
            shape: Dimensions of many tests side by side.
        """
        zero = np.zeros(shape)
        pots = np.full((*shape, len(BETS)), -np.inf)
        return cls(bound, variation, 0, zero, zero, zero, pots)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "SpanTest":
        """Read what `content` returned."""
        sums = (np.array(float(content[name])) for name in _SUMS)
        total, squares, errors = sums
        pots = [-np.inf if one is None else float(one) for one in content["log_pots"]]
        return cls(
            float(content["bound"]),
            float(content["variation"]),
            int(content["spans"]),
            total,
            squares,
            errors,
            np.array(pots),
        )

    def content(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "bound": self.bound,
            "variation": self.variation,
            "spans": self.spans,
            **{name: float(getattr(self, name)) for name in _SUMS},
            "log_pots": [float(pot) if np.isfinite(pot) else None for pot in self.log_pots],
        }

    @property
    def log_evidence(self) -> np.ndarray:
        """Logarithm of the capital, which is the evidence that the mean exceeds the bound."""
        kept = -np.log1p(self.spans)
        pots = np.logaddexp.reduce(self.log_pots, axis=-1) - np.log(len(BETS))
        return np.logaddexp(pots, kept)

    @property
    def between(self) -> np.ndarray:
        """Standard deviation of the means between spans, by the spans so far and what is assumed."""
        weight = max(0, self.spans - 1)
        if not weight:
            return np.full(np.shape(self.total), self.variation)
        spread = (self.squares - self.total**2 / self.spans) / weight
        found = np.maximum(spread - self.errors / self.spans, 0.0)
        variance = PRIOR_SPANS * self.variation**2 + weight * found
        return np.asarray(np.sqrt(variance / (PRIOR_SPANS + weight)))

    def plus(self, mean: np.ndarray, error: np.ndarray) -> "SpanTest":
        """Return the test after one more span.

        Args:
            mean: Its mean loss.
            error: Standard error of the mean by the span's rows.
        """
        number = self.spans + 1
        deviation = np.sqrt(self.between**2 + error**2)
        score = np.minimum((mean - self.bound) / deviation, MOST_SCORE)[..., None]
        bets = np.array(BETS)
        first = -np.log(number * (number + 1.0))
        pots = np.logaddexp(self.log_pots, first) + bets * score - bets**2 / 2
        usual = self.total / self.spans if self.spans else mean
        kept = np.clip(mean, usual - MOST_SPREAD * deviation, usual + MOST_SPREAD * deviation)
        return SpanTest(
            self.bound,
            self.variation,
            number,
            self.total + kept,
            self.squares + kept**2,
            self.errors + error**2,
            pots,
        )
