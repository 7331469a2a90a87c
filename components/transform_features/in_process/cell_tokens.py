"""Vocabularies whose tokens are computed cell by cell from one column of text: its distinct cells are enough for them.

A column has few distinct cells beside its rows. So the graph runs once over those, and each counts as often as it
occurs, in place of filtering and counting texts row by row.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import wrap_function

from ...lib.examples import BATCH_ROWS
from .accumulators import Token, add_counts

# The result for a cell depends on that cell alone, and none of them fails.
_BY_CELL = {
    "Equal", "ExpandDims", "Greater", "GreaterEqual", "Identity", "Less", "LessEqual", "LogicalAnd", "LogicalNot",
    "LogicalOr", "NotEqual", "Reshape", "SelectV2", "Squeeze", "StaticRegexFullMatch", "StaticRegexReplace",
    "StringLength", "StringLower", "StringStrip", "StringUpper",
}  # fmt: skip
# Their further inputs say where the cells are put, in their order.
_PLACING = {"ExpandDims", "Reshape"}
# So many cells wait for their tokens: beside those of a column of names, both would fill the memory.
_MOST_CELLS = 1 << 18


@dataclass(frozen=True)
class CellTokens:
    """Tokens that are computed cell by cell from one column of text.

    Attributes:
        column: The column's tensor.
        tokens: For each cell its token.
        kept: For each cell whether its token counts; None: all count.
    """

    column: tf.Tensor
    tokens: tf.Tensor
    kept: tf.Tensor | None


def find_cell_tokens(tensor: tf.Tensor) -> CellTokens | None:
    """Find out whether a vocabulary's tokens are computed cell by cell, as `tft.vocabulary` does it.

    Args:
        tensor: The tokens, of the graph of a preprocessing_fn.

    Returns:
        What they are computed from; None if they are computed otherwise, or from numbers.
    """
    kept = None
    if tensor.op.type == "GatherV2":
        masked = _masked(tensor.op)
        if masked is None:
            return None
        tensor, kept = masked
    column = _column_of(tensor)
    if column is None or column.dtype != tf.string:
        return None
    if kept is not None and _column_of(kept) is not column:
        return None
    return CellTokens(column, tensor, kept)


def _masked(gather: tf.Operation) -> tuple[tf.Tensor, tf.Tensor] | None:
    """Return what `tf.boolean_mask` was called with; None if it is another selection of values."""
    values, places, axis = gather.inputs
    squeeze = places.op
    where = squeeze.inputs[0].op if squeeze.type == "Squeeze" else squeeze
    if where.type != "Where" or squeeze is where or squeeze.get_attr("squeeze_dims") != [1]:
        return None
    if values.shape.rank != 1 or tf.get_static_value(axis) != 0 or gather.get_attr("batch_dims"):
        return None
    if _waits(gather, squeeze, where, values.op):
        return None
    return values.op.inputs[0] if values.op.type == "Reshape" else values, where.inputs[0]


def _column_of(tensor: tf.Tensor) -> tf.Tensor | None:
    """Return the column that a tensor is computed from cell by cell; None if it is computed otherwise."""
    # One value a row, in the order of the rows.
    sizes = tensor.shape.as_list() if tensor.shape.rank else []
    if sizes.count(None) != 1 or any(size not in (None, 1) for size in sizes):
        return None
    operation = tensor.op
    if operation.type == "Placeholder":
        return tensor
    if operation.type not in _BY_CELL or _waits(operation):
        return None
    inputs = operation.inputs[:1] if operation.type in _PLACING else operation.inputs
    cells = [one for one in inputs if not (one.op.type == "Const" and one.shape.rank == 0)]
    # Cells of two shapes would be paired with each other.
    if (
        any(cell.shape.rank is None for cell in cells)
        or len({str(cell.shape) for cell in cells}) != 1
    ):
        return None
    first, *others = [_column_of(cell) for cell in cells]
    return first if all(other is first for other in others) else None


def _waits(*operations: tf.Operation) -> bool:
    # For an assertion, say.
    return any(operation.control_inputs for operation in operations)


Compute: TypeAlias = Callable[[Sequence[Token]], tuple[Sequence[Token], np.ndarray]]


def compute_cell_tokens(graph: tf.Graph, of: CellTokens) -> Compute:
    """Return the function from cells to their tokens, and whether these count.

    Args:
        graph: The graph of the tokens.
        of: The tokens.
    """

    @functools.cache
    def function() -> Callable:
        # Taken out of the graph when it is first called: an analysis whose spans are all kept calls none.
        holder = wrap_function.VariableHolder(share_variables=True)
        wrapped = wrap_function.WrappedFunction(graph, variable_holder=holder)
        wanted = [one for one in (of.tokens, of.kept) if one is not None]
        pruned: Callable = wrapped.prune([of.column], wanted)
        return pruned

    shape = [-1 if size is None else size for size in of.column.shape.as_list()]

    def compute(cells: Sequence[Token]) -> tuple[Sequence[Token], np.ndarray]:
        tokens, *kept = function()(tf.constant(np.array(cells, object).reshape(shape), tf.string))
        whole = np.ones(len(cells), bool)
        return tokens.numpy().ravel().tolist(), kept[0].numpy().ravel() if kept else whole

    return compute


class CountedCells:
    """Gathers how often each token of a vocabulary occurs, from the distinct cells of a column."""

    def __init__(self, compute: Compute) -> None:
        """Start without cells.

        Args:
            compute: Computes the tokens of cells, and whether these count.
        """
        self._compute = compute
        self._cells: dict[Token, float] = {}
        self._tokens: dict[Token, float] = {}

    def reduce(self, values: Sequence[np.ndarray]) -> tuple[list[bytes], list[int]]:
        """Count the cells of a batch, given as distinct cells and the place of each row's."""
        words, codes = values
        return words.tolist(), np.bincount(codes, minlength=len(words)).tolist()

    def add(self, reduced: tuple[list[bytes], list[int]]) -> None:
        """Add a batch."""
        add_counts(self._cells, zip(*reduced, strict=True))
        if len(self._cells) > _MOST_CELLS:
            self._count_tokens()

    def result(self) -> dict[Token, float]:
        """Return the count of each token."""
        self._count_tokens()
        return self._tokens

    def _count_tokens(self) -> None:
        cells, counts = list(self._cells), list(self._cells.values())
        self._cells.clear()
        for first in range(0, len(cells), BATCH_ROWS):
            tokens, kept = self._compute(cells[first : first + BATCH_ROWS])
            of_cells = zip(tokens, counts[first : first + BATCH_ROWS], kept, strict=True)
            add_counts(
                self._tokens, ((token, count) for token, count, is_kept in of_cells if is_kept)
            )
