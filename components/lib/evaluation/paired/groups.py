"""Groups of rows that are left out together."""

import numpy as np
import pyarrow as pa

from ..array_metrics.queries import Queries

SEED = 1
"""The groups are drawn with a fixed seed, so that the same rows give the same intervals."""


def assign_groups(rows: int, groups: int, cluster: pa.ChunkedArray | None = None) -> np.ndarray:
    """Put rows into groups at random, all of nearly the same size.

    Args:
        rows: How many rows.
        groups: How many groups.
        cluster: Column whose equal values mark rows that depend on each other, shape (rows,): they come into the same
            group. A row without a value depends on no other. None: all rows are independent.

    Returns:
        The number of each row's group, shape (rows,), int32. There are fewer groups than asked for where there are
        fewer rows or clusters.
    """
    units = np.arange(rows) if cluster is None else _clusters(cluster)
    count = int(units.max()) + 1 if rows else 0
    shuffled = np.random.default_rng(SEED).permutation(count)
    return (shuffled % groups).astype(np.int32)[units]


def groups_of(queries: Queries, group: np.ndarray) -> np.ndarray:
    """Put whole queries into groups.

    Args:
        queries: The queries of the rows.
        group: Each row's group, shape (rows,).

    Returns:
        The number of each query's group, shape (queries,): that of its rows, as where the rows are grouped by a cluster
        that holds whole queries. If a group cuts through a query, queries are put into as many groups at random.
    """
    of_first = queries.firsts(group)
    if np.array_equal(of_first[queries.number], group):
        return of_first
    return assign_groups(len(queries), int(group.max()) + 1)


def _clusters(column: pa.ChunkedArray) -> np.ndarray:
    """Number the clusters of rows from 0."""
    codes = column.combine_chunks().dictionary_encode()
    if isinstance(codes, pa.ChunkedArray):
        codes = codes.combine_chunks()
    indices = codes.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    alone = indices < 0
    indices[alone] = len(codes.dictionary) + np.arange(np.count_nonzero(alone))
    return np.unique(indices, return_inverse=True)[1]
