"""Scoring the evaluation split: the same rows through every model."""

import itertools
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa

from ..lib.errors import RetrainerError
from ..lib.evaluation.list_values import slice_column
from ..lib.evaluation.scores import Scores
from ..lib.examples import EVAL, Examples, SpanPart
from ..lib.parquet_reader import open_parquet
from ..lib.progress import progress
from ..lib.saved_models.saved_model import Model, PredictionShapeError
from ..lib.uris import join

CHALLENGER = "challenger"
BATCH_ROWS = 65_536


class OutputsDifferError(PredictionShapeError):
    """A model has no output for a label, or one for another number of labels."""


def score(
    examples: Examples,
    models: Mapping[str, Model],
    slice_columns: Sequence[str],
    weight: str = "",
    batch_rows: int = BATCH_ROWS,
) -> Scores:
    """Run every model over the same rows of the eval split.

    Args:
        examples: The examples; only the columns that are needed are read.
        models: By TFMA's name of the model.
        slice_columns: Columns to slice by.
        weight: Column of weights; empty for none.
        batch_rows: Rows that go through a model at once.

    Returns:
        Labels, predictions, weights and slice columns, row by row.

    Raises:
        RetrainerError: If the split is empty, a column is missing or of the wrong kind, or a model
            fails.
    """
    columns = needed_columns(examples, models, slice_columns, weight)
    total, done = examples.rows(EVAL), 0
    parts: list[Scores] = []
    for batch in examples.iter_batches(EVAL, columns, batch_rows):
        progress("scoring the eval rows", done, total)
        parts.append(
            score_batch(batch, examples.outputs, models, slice_columns, weight, examples.lists)
        )
        done += batch.num_rows
    return Scores.concatenate(parts)


def score_batch(
    batch: pa.RecordBatch,
    outputs: Mapping[str, Sequence[str]],
    models: Mapping[str, Model],
    slice_columns: Sequence[str],
    weight: str = "",
    lists: Collection[str] = (),
) -> Scores:
    """Run every model over the same rows.

    Args:
        batch: Flat columns; one that is missing from it is empty in every row.
        outputs: By output the columns of its labels, as `Examples.outputs` has them.
        models: By TFMA's name of the model.
        slice_columns: Columns to slice by.
        weight: Column of weights; empty for none.
        lists: Columns of lists, each cell a JSON list.

    Returns:
        Labels, predictions, weights and slice columns, row by row.

    Raises:
        RetrainerError: If a column is of the wrong kind, or a model fails.
    """
    predictions = {name: predict_outputs(model, batch, outputs) for name, model in models.items()}
    weights = _numbers(batch, weight, "weight") if weight else None
    slices = pa.Table.from_batches([slice_batch(batch, slice_columns, lists)])
    return Scores.of_outputs(
        {
            output: Scores(
                _labels(batch, columns),
                {name: of_model[output] for name, of_model in predictions.items()},
                weights,
                slices,
            )
            for output, columns in outputs.items()
        }
    )


def needed_columns(
    examples: Examples, models: Mapping[str, Model], slice_columns: Sequence[str], weight: str
) -> list[str]:
    """List the columns to read.

    Raises:
        RetrainerError: If the eval split is empty, lacks one of them in every span, or a model takes the label.
    """
    if not examples.rows(EVAL):
        raise RetrainerError(
            "the eval split has no rows, so there is nothing to judge the model on. Add spans, or "
            "set data.split.eval_spans so that one of them holds rows."
        )
    have = sorted({name for part in examples.splits[EVAL] for name in column_names(part)})
    spans = ", ".join(examples.span_names(EVAL))
    here = f"the eval split (spans {spans}) has no such column; it has {', '.join(have)}"
    for column in slice_columns:
        if column not in have:
            raise RetrainerError(f"the evaluation names the column '{column}', but {here}.")
    labels = [(label, "label") for label in examples.labels]
    for column, role in (*labels, (weight, "weight")):
        if column and column not in have:
            raise RetrainerError(f"the {role} is '{column}', but {here}.")
    for model, label in itertools.product(models.values(), examples.labels):
        if label in model.columns:
            raise RetrainerError(
                f"the {model.who} takes '{label}', the label, as a feature, so its scores are meaningless. "
                + (
                    "Train it without that column."
                    if model.who == CHALLENGER
                    else "Take it out of service with 'retrainer models retire'."
                )
            )
    wanted = [*examples.labels, *([weight] if weight else []), *slice_columns]
    return list(dict.fromkeys([*wanted, *(name for m in models.values() for name in m.columns)]))


def column_names(part: SpanPart) -> list[str]:
    """Read a part's column names from its first file."""
    for file in part.files[:1]:
        with open_parquet(join(part.uri, file)) as parquet:
            return list(parquet.schema_arrow.names)
    return []


def slice_batch(
    batch: pa.RecordBatch, columns: Sequence[str], lists: Collection[str] = ()
) -> pa.RecordBatch:
    """Keep the columns to slice by, as `slice_column` makes them; one that the batch lacks is left out."""
    names = [name for name in columns if name in batch.schema.names]
    if not names:
        return pa.RecordBatch.from_arrays([pa.nulls(batch.num_rows)], names=[""])
    arrays = [slice_column(batch.column(name), name in lists) for name in names]
    return pa.RecordBatch.from_arrays(arrays, names=names)


def predict_outputs(
    model: Model, batch: pa.RecordBatch, outputs: Mapping[str, Sequence[str]]
) -> dict[str, np.ndarray]:
    """Return a model's predictions by output, as many for each row as it has labels, where it has several.

    Args:
        model: The model.
        batch: Flat columns.
        outputs: By output the columns of its labels.

    Raises:
        OutputsDifferError: If the model has no output for a label.
        RetrainerError: As `Model.predict` does.
    """
    missing = [name for name in outputs if name and name not in model.widths]
    if missing:
        raise OutputsDifferError(
            f"the {model.who} has no output '{missing[0]}', which data.label_keys names, only "
            f"{', '.join(sorted(model.widths))}. Name its output so in build_model "
            f"(outputs={{'{missing[0]}': ...}})."
        )
    predictions = {"": model.predict(batch)} if "" in outputs else model.predict_outputs(batch)
    for output, columns in outputs.items():
        shape = predictions[output].shape[1:]
        if len(columns) > 1 and shape != (len(columns),):
            place = f"output '{output}' of the {model.who}" if output else f"the {model.who}"
            raise OutputsDifferError(
                f"{place} gives {shape[0] if shape else 1} numbers for a row, and its labels are {len(columns)}: "
                f"{', '.join(columns)}. Give its last layer {len(columns)} units."
            )
    return predictions


def _labels(batch: pa.RecordBatch, columns: Sequence[str]) -> np.ndarray:
    labels = [_numbers(batch, column, "label") for column in columns]
    return labels[0] if len(labels) == 1 else np.stack(labels, axis=1).astype(np.float64)


def _numbers(batch: pa.RecordBatch, name: str, role: str) -> np.ndarray:
    column = batch.column(name) if name in batch.schema.names else pa.nulls(batch.num_rows)
    if pa.types.is_null(column.type):
        return np.full(batch.num_rows, np.nan)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise RetrainerError(
            f"the {role} '{name}' is {column.type}, but metrics need a number. Make it one at the "
            "source."
        )
    return column.to_numpy(zero_copy_only=False)
