"""The table of a version's reference rows: which rows are chosen, and what the model answers for them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ..errors import RetrainerError
from ..examples import SpanPart, concat_tables
from ..parquet_writer import PartFiles
from ..predictions.prediction_table import BATCH, input_column, make_rows, table_schema
from ..progress import progress
from ..registry.model_versions import ModelVersion

if TYPE_CHECKING:
    from ..saved_models.saved_model import Model

MOST_CELLS = 20_000_000
"""Of wide tables, and of models with many outputs, a reference has fewer rows, but `LEAST_ROWS` in any case."""
LEAST_ROWS = 20_000
_BATCH_ROWS = 65_536


def write_reference_table(
    folder: str,
    parts: Sequence[SpanPart],
    version: ModelVersion,
    label: str,
    weight: str,
    most_rows: int,
    output: str,
) -> dict[str, Any]:
    """Score evaluation rows and write their table into a folder.

    Args:
        folder: The local folder.
        parts: The evaluation rows of each span, oldest first.
        version: The version whose model scores them.
        label: Column of the labels.
        weight: Column of weights; empty for none.
        most_rows: How many rows at most.
        output: Of a model with several outputs the one to keep; empty for models with one.

    Returns:
        What the table's record says of it.

    Raises:
        RetrainerError: If there are no rows, a span lacks a column, or the model does not suit.
    """
    # It loads TensorFlow, which those who only read a reference do without.
    from ..saved_models.saved_model import load_model

    model = load_model(version.uri, f"model (version {version.version})")
    _check_model(model, version, label, output)
    names = list(dict.fromkeys([*model.columns, label, *([weight] if weight else [])]))
    cells = len(names) + (model.widths[output] if output else model.outputs)
    most = max(min(most_rows, MOST_CELLS // cells), min(most_rows, LEAST_ROWS))
    shares = _share(most, [part.rows for part in parts])
    if not sum(shares):
        raise RetrainerError(
            f"version {version.version} has no reference rows: the spans that it was evaluated on, "
            f"{', '.join(part.span for part in parts)}, have no rows. Retrain with an evaluation split that has some."
        )
    tables, scores = [], []
    for batch in _read_batches(parts, shares, names, label, weight):
        scores.append(model.predict_outputs(batch)[output] if output else model.predict(batch))
        tables.append(pa.Table.from_batches([batch]))
    inputs = concat_tables(tables)
    predictions = np.concatenate(scores)
    outputs = 1 if predictions.ndim == 1 else predictions.shape[1]
    about = {
        "model_version": version.version,
        "model_digest": version.digest,
        "label": input_column(label),
        "weight": input_column(weight) if weight else "",
        "spans": [part.span for part in parts],
        "of_rows": sum(part.rows for part in parts),
    }
    schema = table_schema(inputs.schema, outputs, model.columns, (), about)
    files = PartFiles(Path(folder), "part", schema)
    start = 0
    for part, share in zip(parts, shares, strict=True):
        end = start + share
        rows = make_rows(
            schema,
            inputs.slice(start, share),
            predictions[start:end],
            request_id=part.span,
            rows=_places(part.rows, share),
            model_version=version.version,
            variant=BATCH,
        )
        files.write(rows)
        start = end
    files.close()
    return {
        "files": list(files.files),
        "rows": sum(shares),
        "errors": 0,
        "model_version": version.version,
        "model_digest": version.digest,
    }


def _check_model(model: "Model", version: ModelVersion, label: str, output: str) -> None:
    if label in model.columns:
        raise RetrainerError(
            f"the model (version {version.version}) takes '{label}', the label, as a feature, so that its scores mean "
            "nothing. Take it out of service with 'retrainer models retire'."
        )
    if output and output not in model.widths:
        raise RetrainerError(
            f"version {version.version} has no output '{output}', only {', '.join(sorted(model.widths))}. Name one of "
            "them as monitoring.predictions.output."
        )


def _read_batches(
    parts: Sequence[SpanPart], shares: Sequence[int], names: list[str], label: str, weight: str
) -> Iterator[pa.RecordBatch]:
    """Read each part's share of rows, and report how far that is."""
    done = 0
    for part, share in zip(parts, shares, strict=True):
        for batch in _choose(part, names, share):
            progress("scoring the reference rows", done, sum(shares))
            _check_columns(batch, part, label, weight)
            yield batch
            done += batch.num_rows


def _share(most: int, rows: Sequence[int]) -> list[int]:
    """Share a number of rows between spans: each gives as many as the others, or all that it has."""
    shares = [0] * len(rows)
    left = most
    for done, index in enumerate(sorted(range(len(rows)), key=lambda one: (rows[one], one))):
        shares[index] = min(rows[index], left // (len(rows) - done))
        left -= shares[index]
    return shares


def _places(rows: int, share: int) -> np.ndarray:
    """Choose `share` of `rows` places, evenly."""
    return np.arange(share, dtype=np.int64) * rows // max(1, share)


def _choose(part: SpanPart, columns: Sequence[str], share: int) -> Iterator[pa.RecordBatch]:
    places = _places(part.rows, share)
    start = 0
    for batch in part.iter_batches(columns, _BATCH_ROWS):
        end = start + batch.num_rows
        chosen = places[np.searchsorted(places, start) : np.searchsorted(places, end)] - start
        if len(chosen):
            yield batch if len(chosen) == batch.num_rows else _take(batch, chosen)
        start = end


def _take(batch: pa.RecordBatch, rows: np.ndarray) -> pa.RecordBatch:
    taken = [column.take(pa.array(rows)) for column in batch.columns]
    return pa.RecordBatch.from_arrays(taken, schema=batch.schema)


def _check_columns(batch: pa.RecordBatch, part: SpanPart, label: str, weight: str) -> None:
    for name, role, setting in (
        (label, "label", "data.label"),
        (weight, "weight", "evaluation.example_weight_key"),
    ):
        if not name:
            continue
        if name not in batch.schema.names:
            raise RetrainerError(
                f"span {part.span} has no column '{name}', which is the {role} ({setting}), so that there are no "
                f"reference rows. Name the column that the champion was evaluated with."
            )
        kind = batch.schema.field(name).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise RetrainerError(
                f"the {role} '{name}' of span {part.span} is {kind}, and must be a number ({setting})."
            )
