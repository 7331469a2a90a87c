"""Scoring blocks of rows: every row that comes in goes out, with a prediction or the reason why not."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ..lib.features import find_fitting
from ..lib.saved_models.saved_model import Model
from ..lib.source_rows.pseudonymize import hash_column
from ..lib.source_rows.span_reader import Rows


class ScoredRows(NamedTuple):
    """Rows with their predictions, in the order of the source.

    Attributes:
        source: Which of the span's sources they are of, from 0.
        numbers: Place of each row in its source, from 0.
        inputs: The columns that are kept.
        predictions: Shape (rows,) or (rows, outputs); of rows with an error they mean nothing.
        errors: Why a row has no prediction, None for each that has one; None if all have.
        outputs: Of a model with several outputs, side by side in `predictions`: the numbers of each, by its name.
    """

    source: int
    numbers: np.ndarray
    inputs: pa.Table
    predictions: np.ndarray
    errors: list[str | None] | None
    outputs: Mapping[str, int] | None = None

    @property
    def failed(self) -> int:
        """How many rows have no prediction."""
        return sum(error is not None for error in self.errors or ())


class Scorer:
    """Scores blocks of rows with a model; several threads may call it at once."""

    def __init__(
        self, model: Model, names: Sequence[str], hashed: Sequence[str], key: bytes
    ) -> None:
        """Take a model.

        Args:
            model: The model.
            names: Columns to keep, in order.
            hashed: Private columns among them.
            key: Key of the private columns.
        """
        self._model = model
        self._names = names
        self._hashed = [name for name in names if name in hashed]
        self._key = key

    def score(self, rows: Rows) -> ScoredRows:
        """Score a block.

        Args:
            rows: Rows of a reader that keeps faulty ones.
        """
        count = len(rows.table)
        inputs = self._inputs(rows.table)
        errors: dict[int, str] = {
            index: "; ".join(reasons) for index, reasons in rows.faults.items()
        }
        self._find_misfits(inputs, errors)
        fits = np.ones(count, bool)
        fits[list(errors)] = False
        predictions = self._predict(inputs, fits)
        finite = np.isfinite(predictions).reshape(count, -1).all(axis=1)
        for index in np.flatnonzero(fits & ~finite):
            errors[int(index)] = "the model returned no finite number"
        numbers = (
            np.arange(count) if rows.numbers is None else np.asarray(rows.numbers, np.int64) - 1
        )
        if rows.bad:
            return self._with_bad(rows, numbers, inputs, predictions, errors)
        why = [errors.get(index) for index in range(count)] if errors else None
        return ScoredRows(
            rows.source, numbers, inputs, predictions, why, self._model.widths_side_by_side
        )

    def _inputs(self, table: pa.Table) -> pa.Table:
        columns = []
        for name in self._names:
            there = name in table.column_names
            column = table.column(name) if there else pa.nulls(len(table))
            columns.append(hash_column(column, self._key) if name in self._hashed else column)
        return pa.Table.from_arrays(columns, names=list(self._names)).combine_chunks()

    def _find_misfits(self, inputs: pa.Table, errors: dict[int, str]) -> None:
        for name, kind in self._model.kinds.items():
            column = _one_chunk(inputs.column(name))
            if column.null_count == 0 and str(column.type) == kind:
                continue
            for index in np.flatnonzero(~find_fitting(column, kind)):
                errors.setdefault(
                    int(index),
                    f"'{name}' is missing"
                    if not column[int(index)].is_valid
                    else f"'{name}' is no {kind}, which the model takes",
                )

    def _predict(self, inputs: pa.Table, fits: np.ndarray) -> np.ndarray:
        rows = inputs if fits.all() else inputs.filter(pa.array(fits))
        if not len(rows):
            beside = self._model.widths_side_by_side
            width = sum(beside.values()) if beside else self._model.outputs
            return np.full((len(fits), width), np.nan, np.float32)
        batch = pa.RecordBatch.from_arrays(
            [_one_chunk(column) for column in rows.columns], names=rows.column_names
        )
        values = self._model.predict_side_by_side(batch)
        if len(rows) == len(fits):
            return values
        every = np.full((len(fits), *values.shape[1:]), np.nan, np.float32)
        every[fits] = values
        return every

    def _with_bad(
        self,
        rows: Rows,
        numbers: np.ndarray,
        inputs: pa.Table,
        predictions: np.ndarray,
        errors: dict[int, str],
    ) -> ScoredRows:
        """Put the rows that could not be taken apart where they stood, without cells."""
        count, bad = len(numbers), len(rows.bad)
        places = np.concatenate(
            [numbers, np.array([bad_row.row - 1 for bad_row in rows.bad], np.int64)]
        )
        order = np.argsort(places, kind="stable")
        take = pa.array(order, mask=order >= count)
        why = [errors.get(index) for index in range(count)] + [
            bad_row.reason for bad_row in rows.bad
        ]
        nothing = np.full((bad, *predictions.shape[1:]), np.nan, np.float32)
        return ScoredRows(
            rows.source,
            places[order],
            inputs.take(take),
            np.concatenate([predictions, nothing])[order],
            [why[index] for index in order],
            self._model.widths_side_by_side,
        )


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    chunks = column.chunks
    if len(chunks) == 1:
        return chunks[0]
    return pa.concat_arrays(chunks) if chunks else pa.array([], column.type)
