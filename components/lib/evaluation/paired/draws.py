"""What a metric's formula starts from, over all rows of a slice and without each group of them in turn."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..array_metrics.array_path import Rows

Metrics = dict[Any, Any]
Draws = Iterator[Metrics]
GroupSums = Callable[[Rows, np.ndarray, int], Draws]
"""From the rows of a slice, their groups (shape (rows of the slice,)) and the number of groups to metrics: first over
all of the rows, then over the rows without each group."""


def by_group(rows: Rows, group: np.ndarray, groups: int) -> Iterator[np.ndarray]:
    """Yield the rows of each group.

    Args:
        rows: The rows of a slice.
        group: The group of each of them, shape (rows of the slice,).
        groups: How many groups there are.
    """
    numbers = np.arange(len(group))[rows] if isinstance(rows, slice) else rows
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.arange(groups + 1))
    for start, end in itertools.pairwise(bounds):
        yield numbers[order[start:end]]
