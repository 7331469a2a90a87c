"""A small regressor: gradient boosting over binned columns, with trees that ask the same question in a whole level.

A library of gradient boosting would be one more package with native code in every image, for one loss and some ten
thousand rows. Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29, 2001,
for squared loss; symmetric trees as in Prokhorenkova et al., "CatBoost", NeurIPS 2018; histograms of binned columns as
in Ke et al., "LightGBM", NIPS 2017, categories ordered by their mean target.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Column = np.ndarray
"""Numbers, NaN where missing; or texts (dtype object or str)."""
BINS = 32
TREES, DEPTH, RATE = 60, 3, 0.15
_MOST_CATEGORIES = 200
# Rows that a category's mean is drawn to the mean of all with.
_PRIOR_ROWS = 20.0
# Rows' weight that a leaf's mean is drawn to 0 with.
_LEAF_PRIOR = 20.0
# Columns with less of the gain hardly change a prediction.
_COUNTS = 0.05


@dataclass(frozen=True)
class NumberBins:
    """Bins of a column of numbers; bin 0 is for missing ones.

    Attributes:
        edges: Ascending; bin i + 1 holds numbers from edge i - 1 on, below edge i.
        low: The least number of the reference.
        high: The largest one.
    """

    edges: np.ndarray
    low: float
    high: float

    def codes(self, column: Column) -> np.ndarray:
        """Return each row's bin."""
        return np.where(np.isnan(column), 0, np.searchsorted(self.edges, column, "right") + 1)

    def outside(self, column: Column) -> np.ndarray:
        """Return which rows are beyond the numbers of the reference."""
        return (column < self.low) | (column > self.high)


@dataclass(frozen=True)
class TextBins:
    """Bins of a column of texts; bin 0 is for those that the reference does not have, or hardly.

    Attributes:
        bins: Bin by text.
        complete: Whether these are all texts of the reference.
    """

    bins: Mapping[str, int]
    complete: bool

    def codes(self, column: Column) -> np.ndarray:
        """Return each row's bin."""
        values, index = np.unique(column.astype(str), return_inverse=True)
        return np.array([self.bins.get(str(value), 0) for value in values], np.int64)[index]

    def outside(self, column: Column) -> np.ndarray:
        """Return which rows have a text that the reference does not have."""
        if not self.complete:
            return np.zeros(len(column), bool)
        return self.codes(column) == 0


Bins = NumberBins | TextBins


@dataclass(frozen=True)
class Tree:
    """A symmetric tree.

    Attributes:
        columns: The column that each level asks for.
        bins: The bin from which on a row goes to the right.
        leaves: Values, by the answers as bits, the first level's first.
    """

    columns: tuple[int, ...]
    bins: tuple[int, ...]
    leaves: np.ndarray


@dataclass(frozen=True)
class BoostedTrees:
    """A fitted regressor.

    Attributes:
        names: The columns, in order.
        bins: Bins of each.
        start: Mean of the target.
        trees: What is added to it.
        gains: By how much each column lowered the squared error, as a share of all.
    """

    names: tuple[str, ...]
    bins: tuple[Bins, ...]
    start: float
    trees: tuple[Tree, ...]
    gains: np.ndarray

    def predict(self, columns: Mapping[str, Column]) -> np.ndarray:
        """Predict the target of rows.

        Args:
            columns: By name; each shape (rows,).
        """
        codes = [
            bins.codes(columns[name]) for name, bins in zip(self.names, self.bins, strict=True)
        ]
        found = np.full(len(codes[0]), self.start)
        for tree in self.trees:
            found += tree.leaves[_leaf(tree, codes)]
        return found

    def outside(self, columns: Mapping[str, Column], weights: np.ndarray) -> tuple[str, float]:
        """Find the column that counts and has most rows unlike those of the reference.

        Args:
            columns: By name.
            weights: Shape (rows,).

        Returns:
            Its name and the share of such rows; without any such column, an empty name and 0.
        """
        worst, most = "", 0.0
        for name, bins, gain in zip(self.names, self.bins, self.gains.tolist(), strict=True):
            if gain < _COUNTS:
                continue
            share = float(weights[bins.outside(columns[name])].sum() / weights.sum())
            if share > most:
                worst, most = name, share
        return worst, most


def fit_trees(
    columns: Mapping[str, Column], target: np.ndarray, weights: np.ndarray
) -> BoostedTrees:
    """Fit a regressor of squared loss.

    Args:
        columns: By name; each shape (rows,).
        target: Shape (rows,).
        weights: Shape (rows,).
    """
    names = tuple(columns)
    weights = weights / weights.mean()
    mean = float(np.average(target, weights=weights))
    bins = tuple(make_bins(columns[name], target, weights, mean) for name in names)
    codes = [one.codes(columns[name]) for name, one in zip(names, bins, strict=True)]
    rest = target - mean
    gains = np.zeros(len(names))
    trees = []
    for _ in range(TREES):
        tree = _grow(codes, rest, weights, gains)
        if tree is None:
            break
        rest = rest - tree.leaves[_leaf(tree, codes)]
        trees.append(tree)
    total = gains.sum()
    return BoostedTrees(names, bins, mean, tuple(trees), gains / total if total > 0 else gains)


def make_bins(column: Column, target: np.ndarray, weights: np.ndarray, mean: float) -> Bins:
    """Make the bins of a column: quantiles of numbers, and texts by their mean target."""
    if column.dtype.kind in "OU":
        values, index, counts = np.unique(
            column.astype(str), return_inverse=True, return_counts=True
        )
        kept = np.argsort(-counts, kind="stable")[:_MOST_CATEGORIES]
        weight = np.bincount(index, weights, len(values))
        means = np.bincount(index, weights * (target - mean), len(values)) / (weight + _PRIOR_ROWS)
        order = kept[np.argsort(means[kept], kind="stable")]
        reached = np.cumsum(weight[order])
        which = np.minimum((reached - weight[order] / 2) / reached[-1] * (BINS - 1), BINS - 2)
        bins = {str(values[one]): int(bin_) + 1 for one, bin_ in zip(order, which, strict=True)}
        return TextBins(bins, len(values) <= _MOST_CATEGORIES)
    there = column[~np.isnan(column)]
    if not len(there):
        return NumberBins(np.zeros(0), np.inf, -np.inf)
    edges = np.unique(np.quantile(there, np.arange(1, BINS - 1) / (BINS - 1)))
    return NumberBins(edges[edges > there.min()], float(there.min()), float(there.max()))


def _grow(
    codes: Sequence[np.ndarray], rest: np.ndarray, weights: np.ndarray, gains: np.ndarray
) -> Tree | None:
    """Grow a tree level by level; None if no question lowers the error."""
    leaf = np.zeros(len(rest), np.int64)
    weighted = weights * rest
    chosen: list[tuple[int, int]] = []
    before = 0.0
    for level in range(DEPTH):
        leaves = 1 << level
        best, at = before + 1e-12, None
        for number, code in enumerate(codes):
            place = leaf * BINS + code
            sums = np.bincount(place, weighted, leaves * BINS).reshape(leaves, BINS)
            sizes = np.bincount(place, weights, leaves * BINS).reshape(leaves, BINS)
            left, left_size = sums.cumsum(axis=1)[:, :-1], sizes.cumsum(axis=1)[:, :-1]
            right = sums.sum(axis=1, keepdims=True) - left
            right_size = sizes.sum(axis=1, keepdims=True) - left_size
            gain = left**2 / (left_size + _LEAF_PRIOR) + right**2 / (right_size + _LEAF_PRIOR)
            total = gain.sum(axis=0)
            bin_ = int(total.argmax())
            if total[bin_] > best:
                best, at = float(total[bin_]), (number, bin_ + 1)
        if at is None:
            break
        gains[at[0]] += best - before
        before = best
        chosen.append(at)
        leaf = leaf * 2 + (codes[at[0]] >= at[1])
    if not chosen:
        return None
    count = 1 << len(chosen)
    sums = np.bincount(leaf, weighted, count)
    values = RATE * sums / (np.bincount(leaf, weights, count) + _LEAF_PRIOR)
    return Tree(tuple(one for one, _ in chosen), tuple(bin_ for _, bin_ in chosen), values)


def _leaf(tree: Tree, codes: Sequence[np.ndarray]) -> np.ndarray:
    leaf = np.zeros(len(codes[0]), np.int64)
    for column, bin_ in zip(tree.columns, tree.bins, strict=True):
        leaf = leaf * 2 + (codes[column] >= bin_)
    return leaf
