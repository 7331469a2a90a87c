"""Values of predictions with and without a label, counted in bins: labels that come for some cases alone show there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..lib.features import is_text
from ..lib.predictions.joined_sets import Compared
from ..lib.predictions.prediction_table import PREDICTION

# The bins are those of a span's first rows; any bins do, so long as both sides have the same.
SAMPLE_ROWS = 100_000
_DECILES = np.arange(1, 10) / 10
_MOST_CLASSES = 20


@dataclass(frozen=True)
class Bins:
    """Bins of one column.

    Attributes:
        column: What is counted, in the words of the record.
        sources: The table's columns that it is made of.
        edges: Of numbers: the upper bound of each bin but the last.
        values: Of texts: the values that have bins of their own.
        classes: Of the predictions of several classes: how many have bins of their own.
    """

    column: str
    sources: tuple[str, ...]
    edges: tuple[float, ...] | None = None
    values: tuple[str, ...] | None = None
    classes: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """What each bin holds."""
        if self.edges is not None:
            below = [f"at most {edge:g}" for edge in self.edges]
            last = f"above {self.edges[-1]:g}" if self.edges else "any number"
            return (*below, last, "missing")
        if self.values is not None:
            return (*self.values, "other", "missing")
        return (*(f"class {number}" for number in range(self.classes)), "other", "missing")

    def places(self, batch: pa.RecordBatch) -> np.ndarray:
        """Return the bin of each row of a batch."""
        columns = [batch.column(batch.schema.get_field_index(name)) for name in self.sources]
        missing = len(self.names) - 1
        if self.classes:
            scores = np.stack([_numbers(one) for one in columns], 1)
            known = ~np.isnan(scores).any(1)
            found = np.full(len(scores), missing)
            found[known] = np.minimum(scores[known].argmax(1), self.classes)
            return found
        (column,) = columns
        if self.edges is not None:
            numbers = _numbers(column)
            places = np.searchsorted(np.array(self.edges), numbers, "left")
            return np.where(np.isnan(numbers), missing, places)
        texts = column.cast(pa.string())
        index = pc.index_in(texts, value_set=pa.array(self.values, pa.string()))
        known = index.fill_null(missing - 1).to_numpy(zero_copy_only=False)
        return np.where(texts.is_null().to_numpy(zero_copy_only=False), missing, known)


def make_bins(sample: pa.Table, predictions: Sequence[str], compare: dict[str, str]) -> list[Bins]:
    """Make the bins of a span.

    Args:
        sample: Some of its rows.
        predictions: The columns of predictions.
        compare: The table's column of each further column that is compared.
    """
    if len(predictions) > 1:
        classes = min(len(predictions), _MOST_CLASSES)
        found = [Bins(PREDICTION, tuple(predictions), classes=classes)]
    else:
        found = [Bins(PREDICTION, (predictions[0],), edges=_edges(sample[predictions[0]]))]
    for name, column in compare.items():
        cells = sample[column]
        if is_text(cells.type) or pa.types.is_null(cells.type):
            counts = pc.value_counts(cells.cast(pa.string()).drop_null()).to_pylist()
            counts.sort(key=lambda one: (-one["counts"], one["values"]))
            values = tuple(count["values"] for count in counts[:_MOST_CLASSES])
            found.append(Bins(name, (column,), values=values))
        else:
            found.append(Bins(name, (column,), edges=_edges(cells)))
    return found


class Counter:
    """Counts rows by period, label and bin."""

    def __init__(self, bins: Sequence[Bins], periods: int) -> None:
        """Begin without rows.

        Args:
            bins: The columns.
            periods: How many periods there are.
        """
        self._bins = bins
        self._counts = [np.zeros((2, periods, len(one.names)), np.int64) for one in bins]

    def add(
        self,
        batch: pa.RecordBatch,
        expected: np.ndarray,
        labelled: np.ndarray,
        periods: np.ndarray,
    ) -> None:
        """Count n rows.

        Args:
            batch: The rows.
            expected: Whether a label can come for each.
            labelled: Whether it has one.
            periods: The period of each.
        """
        for one, counts in zip(self._bins, self._counts, strict=True):
            places = one.places(batch)[expected]
            index = (labelled[expected].astype(np.int64), periods[expected], places)
            np.add.at(counts, index, 1)

    def result(self) -> tuple[Compared, ...]:
        """Return what was counted."""
        return tuple(
            Compared(one.column, one.names, _tuples(counts[1]), _tuples(counts[0]))
            for one, counts in zip(self._bins, self._counts, strict=True)
        )


def _edges(column: pa.ChunkedArray) -> tuple[float, ...]:
    numbers = _numbers(column)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return ()
    # Of equal values that cross a decile no two bins are made.
    return tuple(float(one) for one in np.unique(np.quantile(numbers, _DECILES, method="lower")))


def _numbers(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    numbers = column.cast(pa.float64())
    if isinstance(numbers, pa.ChunkedArray):
        return numbers.to_numpy().astype(np.float64)
    return numbers.to_numpy(zero_copy_only=False).astype(np.float64)


def _tuples(counts: np.ndarray) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(one) for one in row) for row in counts)
