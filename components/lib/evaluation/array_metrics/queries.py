"""Rows grouped by query, as metrics of rankings take them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ...errors import RetrainerError
from ..ranking_columns import empty_problem
from .array_path import NotCoveredError, Rows


@dataclass(frozen=True)
class Queries:
    """The rows of each query.

    Attributes:
        number: Each row's query, from 0, shape (rows,).
        order: Row numbers, those of a query side by side and in the order of the rows, shape (rows,).
        starts: Where each query begins in `order`, shape (queries,).
        sizes: How many rows each query has, shape (queries,).
    """

    number: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray

    @classmethod
    def group(cls, table: pa.Table, name: str) -> "Queries":
        """Group rows by a column.

        Raises:
            NotCoveredError: If there is no such column.
            RetrainerError: If a row has no value in it, which TFMA fails on too.
        """
        if name not in table.column_names:
            raise NotCoveredError(f"metrics by '{name}', a column that is not here")
        column = table[name]
        if column.null_count:
            raise RetrainerError(
                empty_problem(f"query_key '{name}'", column.null_count, len(column))
            )
        codes = column.combine_chunks().dictionary_encode()
        if isinstance(codes, pa.ChunkedArray):
            codes = codes.combine_chunks()
        number = codes.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        sizes = np.bincount(number, minlength=len(codes.dictionary))
        starts = np.concatenate([[0], np.cumsum(sizes)])[:-1]
        return cls(number, np.argsort(number, kind="stable"), starts, sizes)

    def __len__(self) -> int:
        """Return how many queries there are."""
        return len(self.sizes)

    def of_rows(self, rows: Rows) -> Rows:
        """List the queries that have some of these rows: as in TFMA, a query lies in the slices of all of its rows."""
        if isinstance(rows, slice):
            return rows
        present = np.zeros(len(self), bool)
        present[self.number[rows]] = True
        return np.flatnonzero(present)

    def rank(self, prediction: np.ndarray) -> np.ndarray:
        """Return row numbers by query, the highest prediction first.

        NumPy sorts each query as TFMA does, so that rows with equal predictions come in the same order.
        """
        ranked = np.empty_like(self.order)
        values = prediction[self.order]
        for start, size in zip(self.starts.tolist(), self.sizes.tolist(), strict=True):
            end = start + size
            ranked[start:end] = start + np.argsort(values[start:end])[::-1]
        return self.order[ranked]

    def places(self) -> np.ndarray:
        """Return the place within its query, from 0, of each row in the order of the queries."""
        return np.arange(len(self.order)) - np.repeat(self.starts, self.sizes)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Add up values of the rows, which come in the order of the queries."""
        return np.add.reduceat(values, self.starts) if len(self) else np.zeros(0)

    def firsts(self, values: np.ndarray) -> np.ndarray:
        """Return the value of each query's first row."""
        return values[self.order[self.starts]]
