"""Reference rows: what a model answered on its evaluation split, with labels, made once for a version.

The model was not trained on these rows, and the gate judged it on them. Estimates are calibrated on them, and drift of
predictions and of errors is measured from them. They are a table of predictions whose metadata name label and weight.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..digests import digest_value
from ..errors import RetrainerError
from ..examples import EVAL, SpanPart, concat_tables
from ..folders import publish_folder, remove_leftovers, scratch_folder
from ..parquet_writer import PartFiles
from ..predictions.prediction_sets import RECORD_FILE, PredictionSet, find_predictions
from ..predictions.prediction_table import (
    BATCH,
    input_column,
    make_rows,
    read_about,
    read_columns,
    read_predictions,
    table_schema,
)
from ..predictions.prediction_table import FORMAT as TABLE_FORMAT
from ..progress import progress
from ..registry.model_versions import ModelVersion
from ..spans.stored_spans import LEFTOVER_SECONDS, VERSION_DIGITS, SpanVersion, find_version, now
from ..store import Store
from ..uris import join, write_json

MOST_ROWS = 200_000
"""A reference has so many rows at most, taken evenly from every span: the standard error of an AUC is then 0.001."""
MOST_CELLS = 20_000_000
"""Of wide tables, and of models with many outputs, it has fewer rows, but `LEAST_ROWS` in any case."""
LEAST_ROWS = 20_000
_ALL = "all"
_BATCH_ROWS = 65_536
# Part of every reference's name: raised when other rows would be chosen.
_VERSION = 1


@dataclass(frozen=True)
class Reference:
    """The reference rows of a version.

    Attributes:
        table: Where they are.
        label: The table's column of labels.
        weight: The table's column of weights; empty: all weigh the same.
        spans: The spans that they are from, oldest first; the rows are in this order.
        of_rows: How many rows these spans' evaluation split has.
    """

    table: PredictionSet
    label: str
    weight: str
    spans: tuple[str, ...]
    of_rows: int

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.table.rows

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read columns of the table; all if None."""
        return pa.Table.from_batches(list(read_predictions(self.table, columns)))

    @cached_property
    def features(self) -> dict[str, str]:
        """The table's column for each column that the model takes."""
        columns = read_columns(self._schema)
        return {name: columns.inputs[name] for name in columns.features}

    @cached_property
    def predictions(self) -> np.ndarray:
        """What the model answered: shape (rows,), or (rows, outputs) of a model with several."""
        names = read_columns(self._schema).predictions
        table = self.read(names)
        values = [np.asarray(table[name], np.float64) for name in names]
        return values[0] if len(values) == 1 else np.stack(values, axis=1)

    @cached_property
    def labels(self) -> np.ndarray:
        """The labels, shape (rows,), float64."""
        return np.asarray(self.read([self.label])[self.label], np.float64)

    @cached_property
    def weights(self) -> np.ndarray:
        """The weights, shape (rows,), float64; 1 where the rows have none."""
        if not self.weight:
            return np.ones(self.rows)
        return np.asarray(self.read([self.weight])[self.weight], np.float64)

    @cached_property
    def _schema(self) -> pa.Schema:
        return next(read_predictions(self.table, batch_rows=1)).schema


def find_or_make_reference(
    store: str,
    version: ModelVersion,
    label: str,
    weight: str = "",
    most_rows: int = MOST_ROWS,
    output: str = "",
) -> Reference:
    """Return the reference rows of a version; the first call scores them.

    Two that make them at once make the same, and one of both stays. Killed half way, the next call makes them again.

    Args:
        store: URI of the store.
        version: The version, in the registry of this store.
        label: Column of the labels (`data.label`).
        weight: Column of weights (`evaluation.example_weight_key`); empty for none.
        most_rows: How many rows at most.
        output: The output whose predictions are kept, of a model with several; empty for models with one.

    Raises:
        RetrainerError: If the version names no evaluation spans, one of them is gone or lacks a column, or the model
            can't score them.
    """
    spans = _evaluated(version)
    made_of = [_VERSION, TABLE_FORMAT, version.digest, spans, label, weight, most_rows]
    name = digest_value([*made_of, *([output] if output else [])])[:VERSION_DIGITS]
    home = Store(store).reference_uri(version.version)
    uri = join(home, name)
    if known := _find(uri):
        return known
    parts = [_find_part(store, version, span, number) for span, number in spans]
    remove_leftovers(home, LEFTOVER_SECONDS)
    with scratch_folder(join(home, "new")) as folder:
        record = _write(str(folder), parts, version, label, weight, most_rows, output)
        about = {"spans": [span for span, _ in spans], "of_rows": sum(part.rows for part in parts)}
        whole = {"format": TABLE_FORMAT, "span": spans[-1][0], "version": name, **record, **about}
        write_json(str(folder / RECORD_FILE), {**whole, "scored": now()})
        publish_folder(folder, uri, RECORD_FILE)
    made = _find(uri)
    if made is None:
        raise RetrainerError(f"'{uri}' was removed right after it was written. Run again.")
    return made


def _find(uri: str) -> Reference | None:
    found = find_predictions(uri)
    if found is None:
        return None
    about = read_about(next(read_predictions(found, batch_rows=1)).schema)
    return Reference(
        found, about["label"], about["weight"], tuple(about["spans"]), int(about["of_rows"])
    )


def _evaluated(version: ModelVersion) -> list[tuple[str, str]]:
    """List the evaluation spans of a version with their versions, oldest first."""
    spans = [str(one) for one in version.info.get("eval_spans") or ()]
    versions = version.info.get("span_versions") or {}
    lacking = [span for span in spans if span not in versions]
    if not spans or lacking:
        what = f"does not name the version of span {lacking[0]}" if lacking else "names no spans"
        raise RetrainerError(
            f"version {version.version} has no reference rows: its record {what} that it was evaluated on "
            "(eval_spans, span_versions). Monitoring compares with these rows. Push a version with this release's "
            "pipeline, which records them."
        )
    return [(span, str(versions[span])) for span in spans]


def _find_part(store: str, version: ModelVersion, span: str, number: str) -> SpanPart:
    uri = Store(store).version_uri(span, number)
    found = find_version(uri)
    if found is None:
        raise RetrainerError(
            f"version {version.version} was evaluated on span {span}, and its rows are gone: '{uri}' is missing. "
            "Ingest the span again (a run with it in the window; an equal source makes the same version), or retrain."
        )
    return _part_of(found)


def _part_of(found: SpanVersion) -> SpanPart:
    # A hash split has its own files for evaluation; else whole spans evaluate.
    name = EVAL if EVAL in found.parts else _ALL
    part = found.parts.get(name)
    if part is None:
        raise RetrainerError(
            f"'{found.uri}' has no rows to evaluate on, only {sorted(found.parts)}. Delete its folder, and ingest the "
            "span again."
        )
    return SpanPart(found.span, found.uri, name, part["rows"], tuple(part["files"]))


def _write(
    folder: str,
    parts: Sequence[SpanPart],
    version: ModelVersion,
    label: str,
    weight: str,
    most_rows: int,
    output: str,
) -> dict[str, Any]:
    """Score the rows and write the table into a folder; return what its record says of it."""
    # It loads TensorFlow, which those who only read a reference do without.
    from ..saved_models.saved_model import load_model

    model = load_model(version.uri, f"model (version {version.version})")
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
    names = list(dict.fromkeys([*model.columns, label, *([weight] if weight else [])]))
    cells = len(names) + (model.widths[output] if output else model.outputs)
    most = max(min(most_rows, MOST_CELLS // cells), min(most_rows, LEAST_ROWS))
    shares = _share(most, [part.rows for part in parts])
    total = sum(shares)
    if not total:
        raise RetrainerError(
            f"version {version.version} has no reference rows: the spans that it was evaluated on, "
            f"{', '.join(part.span for part in parts)}, have no rows. Retrain with an evaluation split that has some."
        )
    tables, scores = [], []
    done = 0
    for part, share in zip(parts, shares, strict=True):
        for batch in _choose(part, names, share):
            progress("scoring the reference rows", done, total)
            _check_columns(batch, part, label, weight)
            scores.append(model.predict_outputs(batch)[output] if output else model.predict(batch))
            tables.append(pa.Table.from_batches([batch]))
            done += batch.num_rows
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
        "rows": total,
        "errors": 0,
        "model_version": version.version,
        "model_digest": version.digest,
    }


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
