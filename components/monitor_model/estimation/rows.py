"""The rows that quality is estimated on: predictions, features and weights as arrays."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...lib.monitoring.reference import Reference
from ...lib.predictions.joined_sets import JoinedSet
from ...lib.predictions.joined_table import LABEL, WEIGHT, read_joined
from ...lib.predictions.prediction_sets import PredictionSet
from ...lib.predictions.prediction_table import OK, prediction_columns
from ..look import Look
from .boosted_trees import Column
from .regression import PREDICTION

SAMPLE_RATE = "sample_rate"
Inputs = np.ndarray | dict[str, Column]
"""Of a classifier the scores, of a regressor the columns by name."""


@dataclass(frozen=True)
class Rows:
    """Rows with predictions.

    Attributes:
        inputs: What an estimator takes.
        weights: Shape (rows,); rows of sampled logs weigh 1 / sample_rate.
        labels: Shape (rows,); empty where they are not known.
        left_out: Rows without a finite prediction.
    """

    inputs: Inputs
    weights: np.ndarray
    labels: np.ndarray
    left_out: int = 0

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.weights)

    @property
    def effective(self) -> float:
        """How many equally weighted rows are worth as much (Kish, "Survey sampling", 1965)."""
        total = float(self.weights.sum())
        return total * total / float((self.weights**2).sum()) if total > 0 else 0.0


@dataclass(frozen=True)
class RowReader:
    """Reads rows as an estimator takes them.

    Attributes:
        outputs: The table's columns of predictions.
        features: The table's column of each feature that is read; none for a classifier.
        texts: Names of the features that are text.
    """

    outputs: tuple[str, ...]
    features: Mapping[str, str]
    texts: frozenset[str]

    @classmethod
    def of(cls, reference: Reference, with_features: bool) -> "RowReader":
        """Return what reads rows that are like those of a reference."""
        outputs = prediction_columns(
            1 if reference.predictions.ndim == 1 else reference.predictions.shape[1]
        )
        if not with_features:
            return cls(outputs, {}, frozenset())
        schema = reference.read(list(reference.features.values())).schema
        texts = {
            name
            for name, column in reference.features.items()
            if _is_text(schema.field(column).type)
        }
        return cls(outputs, reference.features, frozenset(texts))

    def of_reference(self, reference: Reference) -> Rows:
        """Read the reference, without rows that lack a finite label or prediction."""
        table = reference.read([*self.outputs, *self.features.values()])
        return self._rows([table], [reference.labels], [reference.weights])

    def of_window(self, look: Look, sets: Sequence[PredictionSet], most: int) -> Rows:
        """Read what the champion answered in some spans: all rows, or evenly so many that at most `most` are read."""
        total = sum(look.champion_rows(prediction_set) for prediction_set in sets)
        step = max(1, -(-total // most))
        columns = [*self.outputs, *self.features.values(), SAMPLE_RATE]
        tables, weights, place = [], [], 0
        for prediction_set in sets:
            for batch in look.batches(prediction_set, columns):
                first = -place % step
                place += batch.num_rows
                if step > 1:
                    batch = batch.take(pa.array(np.arange(first, batch.num_rows, step)))
                tables.append(pa.Table.from_batches([batch]))
                weights.append(1 / _numbers(batch.column(len(columns) - 1)))
        return self._rows(tables, [], weights)

    def of_joined(self, sets: Iterable[JoinedSet], version: int, most: int) -> Rows:
        """Read labelled rows that a version answered, at most `most`, in the order of the sets."""
        own = ("model_version", "status")
        columns = [*self.outputs, *self.features.values()]
        tables, labels, weights, left = [], [], [], most
        for joined_set in sets:
            for batch in read_joined(
                joined_set, list(dict.fromkeys([*own, *columns, LABEL, WEIGHT]))
            ):
                table = pa.Table.from_batches([batch])
                mask = pc.and_(
                    pc.fill_null(pc.equal(table["model_version"], version), True),
                    pc.equal(table["status"], OK),
                )
                table = table.filter(mask).slice(0, left)
                left -= table.num_rows
                tables.append(table)
                labels.append(_numbers(table[LABEL]))
                weights.append(_numbers(table[WEIGHT]))
            if not left:
                break
        return self._rows(tables, labels, weights)

    def _rows(
        self,
        tables: Sequence[pa.Table],
        labels: Sequence[np.ndarray],
        weights: Sequence[np.ndarray],
    ) -> Rows:
        scores = np.stack([_join([_numbers(t[name]) for t in tables]) for name in self.outputs], 1)
        weight, label = _join(weights), _join(labels)
        whole = np.isfinite(scores).all(axis=1) & np.isfinite(weight) & (weight > 0)
        if len(label):
            whole &= np.isfinite(label)
        inputs: Inputs = scores[whole] if len(self.outputs) > 1 else scores[whole, 0]
        if self.features:
            found = {
                name: _join([self._feature(table, name) for table in tables])[whole]
                for name in self.features
            }
            inputs = {**found, PREDICTION: scores[whole, 0]}
        label = label[whole] if len(label) else label
        return Rows(inputs, weight[whole], label, int(len(whole) - whole.sum()))

    def _feature(self, table: pa.Table, name: str) -> np.ndarray:
        column = table[self.features[name]]
        if name in self.texts:
            return np.asarray(pc.fill_null(column.cast(pa.string()), ""), object)
        return _numbers(column)


def _numbers(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return a column as float64; NaN where it is empty or no number."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        return np.full(len(column), np.nan)
    return np.asarray(
        column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        if isinstance(column, pa.Array)
        else column.cast(pa.float64()).to_numpy(),
        np.float64,
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind)
    )


def _join(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0)
