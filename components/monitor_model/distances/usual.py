"""The usual distance of clean datasets: what chance and the past's own variation explain, and the bound above it.

Let u be a distance's power that shrinks as one over the number of rows (see `Measure.power`). For clean datasets it has
two parts. Chance: two samples of n and m rows of one distribution have u of about (1/n + 1/m) c, with c chi-square
(scaled), so that it is simulated once and holds for every n and m. Variation: days differ, whatever their rows. The
past shows it: the mean over past datasets of u against all others, less what chance explains.

Both parts add up to the expected u. As a sum of squares of normal deviations u is about chi-square with v degrees of
freedom, which its variance gives (Satterthwaite); the expectation is a mean over k datasets, so their quotient follows
F(v, k v). Its quantile gives the bound. Variation counts with one degree of freedom, since days differ along one line,
such as weekdays and weekends; more heavy-tailed pasts have a larger variance, and so a larger bound.

Sources: F. E. Satterthwaite, An approximate distribution of estimates of variance components, Biometrics Bulletin 2,
1946; chance of the divergences: M. L. Menendez et al., Journal of the Franklin Institute 334, 1997, and for the
population stability index B. Yurdakul and J. Naranjo, Journal of Risk Model Validation 14, 2020.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from .count_table import CountTable
from .measures import Measure

_DRAWS = 300
# A past that never varied is still not certain never to vary.
_MOST_FREEDOM = 200.0


@dataclass(frozen=True)
class Chance:
    """How far samples of one distribution are from each other by chance.

    Attributes:
        scale: The mean u for samples of one row each, that is times 1 / (1/n + 1/m).
        freedom: Degrees of freedom of u.
    """

    scale: float
    freedom: float

    def at(self, one: np.ndarray | float, other: np.ndarray | float) -> np.ndarray:
        """Return the mean u for samples of so many rows."""
        return self.scale * (1 / np.maximum(one, 1.0) + 1 / np.maximum(other, 1.0))


@dataclass(frozen=True)
class Variation:
    """How far datasets of the past are from each other beyond chance.

    Attributes:
        mean: Mean u beyond chance.
        spread: Variance of u over its expectation, as a share of the squared expectation; 0 if unknown.
        datasets: How many datasets showed it.
    """

    mean: float
    spread: float
    datasets: int


def chance_of(measure: Measure, table: CountTable, past: Sequence[int], rows: float) -> Chance:
    """Simulate how far two samples of the past's rows are from each other.

    Args:
        measure: The measure.
        table: The counts.
        past: Which rows of the table are the past.
        rows: Rows of a sample.
    """
    pooled = table.counts[list(past)].sum(0)
    shares = pooled / max(pooled.sum(), 1e-300)
    size = int(np.clip(rows, 10, 10_000_000))
    # The same numbers each time: a look that is made again finds the same.
    random = np.random.default_rng(20_130_101)
    samples = random.multinomial(size, shares / max(shares.sum(), 1e-300), size=2 * _DRAWS)
    u = _powers(measure, samples[:_DRAWS], samples[_DRAWS:], table.ends)
    mean, variance = float(u.mean()), float(u.var())
    if mean <= 0 or variance <= 0:
        return Chance(0.0, _MOST_FREEDOM)
    return Chance(mean * size / 2, min(_MOST_FREEDOM, 2 * mean**2 / variance))


def variation_of(
    measure: Measure,
    table: CountTable,
    past: Sequence[int],
    groups: Sequence[int],
    chance: Chance,
) -> Variation:
    """Measure each dataset of the past against the others of its group.

    Args:
        measure: The measure.
        table: The counts.
        past: Which rows of the table are the past.
        groups: The group of each, such as its weekday; only datasets of one group are compared.
        chance: What chance explains.
    """
    found, expected = [], []
    of_group = np.asarray(groups)
    for group in np.unique(of_group):
        rows = table.counts[np.asarray(past)[of_group == group]]
        if len(rows) < 2:
            continue
        others = rows.sum(0) - rows
        found.append(_powers(measure, rows, others, table.ends))
        expected.append(chance.at(rows.sum(1), others.sum(1)))
    if not found:
        return Variation(0.0, 0.0, 0)
    u, by_chance = np.concatenate(found), np.concatenate(expected)
    mean = max(0.0, float((u - by_chance).mean()))
    relative = u / np.maximum(mean + by_chance, 1e-300)
    spread = float(relative.var(ddof=1)) if len(u) > 2 else 0.0
    return Variation(mean, spread, len(u))


def bound_of(
    measure: Measure,
    chance: float,
    freedom: float,
    variations: Sequence[Variation],
    share: float,
) -> float:
    """Return the distance that clean datasets exceed in a given share of comparisons.

    Args:
        measure: The measure.
        chance: The mean u that chance explains.
        freedom: Its degrees of freedom.
        variations: What adds to it, each shown by at least two datasets.
        share: The share of clean comparisons that are farther apart.
    """
    expected = chance + sum(variation.mean for variation in variations)
    if expected <= 0:
        return measure.least
    variance = 2 * chance**2 / freedom + sum(2 * variation.mean**2 for variation in variations)
    variance = max(variance, *(variation.spread * expected**2 for variation in variations), 1e-300)
    known = min((variation.datasets for variation in variations), default=1)
    v = 2 * expected**2 / variance
    quantile = special.fdtri(v, max(1.0, known * v), 1 - share)
    u = expected * float(quantile)
    return max(measure.least, u ** (1 / measure.power)) if np.isfinite(u) else np.inf


def _powers(measure: Measure, one: np.ndarray, other: np.ndarray, ends: np.ndarray) -> np.ndarray:
    return measure.distance(one, other, ends) ** measure.power
