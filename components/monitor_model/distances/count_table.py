"""A column in several datasets, counted into the same bins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ...lib.statistics.dataset import Column

_MOST_TEXTS = 50
# Of each dataset so many of the most frequent texts are candidates.
_CANDIDATES = 200
# A text gets a bin of its own from this share of the past on, or if its share has grown by so much, and by more than so
# many standard deviations of chance.
_OWN_BIN, _DEVIATIONS = 0.005, 4.0
# TFDV's sketches count 1,024 values of a text; of one that has more, a count may be too large by one in 1,024 rows.
_COUNTED = 1_024
_CERTAIN = 3.0


@dataclass(frozen=True)
class CountTable:
    """Rows of a column by dataset and bin.

    Attributes:
        counts: One row for each dataset.
        ends: The value where each bin of numbers ends; of text, the bins' numbers.
        names: Of each bin of text; empty for numbers.
    """

    counts: np.ndarray
    ends: np.ndarray
    names: tuple[str, ...] = ()


def count_numbers(columns: Sequence[Column], past: Sequence[int], bins: int) -> CountTable:
    """Count numbers into bins that hold equal shares of the rows of the past.

    A value that many rows have gets a bin of its own.

    Args:
        columns: The column in each dataset, with at least one value.
        past: Which of them are the past; at least one.
        bins: How many bins.
    """
    quantiles = [_quantiles(column) for column in columns]
    filled = np.array([column.filled for column in columns], float)
    grid = np.unique(np.concatenate([quantiles[i][0] for i in past]))
    weights = filled[list(past)]
    pooled = sum(w * _below(grid, *quantiles[i]) for w, i in zip(weights, past, strict=True))
    pooled = np.asarray(pooled) / weights.sum()
    wanted = np.searchsorted(pooled, np.arange(1, bins) / bins - 1e-12)
    edges = np.unique(grid[np.minimum(wanted, len(grid) - 1)])
    # Below a value that a whole bin's share of rows has, a bin ends.
    just_below = np.nextafter(edges, -np.inf)
    mass = sum(
        w * (_below(edges, *quantiles[i]) - _below(just_below, *quantiles[i]))
        for w, i in zip(weights, past, strict=True)
    )
    edges = np.unique(np.concatenate([edges, just_below[mass / weights.sum() >= 1 / bins]]))
    shares = np.array([_below(edges, *quantile) for quantile in quantiles])
    cumulative = np.column_stack([shares, np.ones(len(columns))])
    counts = np.diff(cumulative, prepend=0.0, axis=1) * filled[:, None]
    return CountTable(np.maximum(counts, 0.0), np.append(edges, max(grid[-1], edges[-1])))


def count_texts(columns: Sequence[Column], past: Sequence[int]) -> CountTable:
    """Count the most frequent texts, and all others together.

    Args:
        columns: The column in each dataset.
        past: Which of them are the past.
    """
    shares = [_certain_shares(column) for column in columns]
    before = [(shares[i], columns[i].filled) for i in past]
    past_rows = max(sum(filled for _, filled in before), 1)
    total: dict[str, float] = {}
    for of_one, filled in before:
        for text, share in islice(of_one.items(), _CANDIDATES):
            total[text] = total.get(text, 0.0) + share * filled
    frequent = [text for text, count in total.items() if count >= _OWN_BIN * past_rows]
    ranked = sorted(frequent, key=lambda text: (-total[text], text))[:_MOST_TEXTS]
    known = set(ranked)
    for i, of_one in enumerate(shares):
        if i in past:
            continue
        for text, share in islice(of_one.items(), _MOST_TEXTS):
            if share < _OWN_BIN or text in known:
                continue
            usual = sum(one.get(text, 0.0) * filled for one, filled in before) / past_rows
            # Of many rare texts some are frequent by chance; as bins of their own they would empty that of the others.
            chance = _DEVIATIONS * np.sqrt(max(usual, 1 / past_rows) / max(columns[i].filled, 1))
            if share > usual + _OWN_BIN + chance:
                ranked.append(text)
                known.add(text)
    counts = np.array(
        [
            [of_one.get(text, 0.0) * column.filled for text in ranked]
            for of_one, column in zip(shares, columns, strict=True)
        ]
    ).reshape(len(columns), len(ranked))
    values = np.array([column.filled for column in columns], float)
    rest = np.maximum(0.0, values - counts.sum(1))
    table = np.column_stack([counts, rest])
    return CountTable(table, np.arange(table.shape[1], dtype=float), (*ranked, ""))


def _certain_shares(column: Column) -> Mapping[str, float]:
    if column.feature.string_stats.unique <= _COUNTED:
        return column.shares
    return {text: share for text, share in column.shares.items() if share > _CERTAIN / _COUNTED}


def _quantiles(column: Column) -> tuple[np.ndarray, np.ndarray]:
    found = column.quantiles
    if found is None:
        return np.zeros(1), np.ones(1)
    return found


def _below(values: np.ndarray, ends: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the share of rows up to each value; of several quantiles with one value, the last counts at the value."""
    return np.interp(values, ends, shares, left=0.0, right=1.0)
