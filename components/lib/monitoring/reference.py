"""Reference rows: what a model answered on its evaluation split, with labels, made once for a version.

The model was not trained on these rows, and the gate judged it on them. Estimates are calibrated on them, and drift of
predictions and of errors is measured from them. They are a table of predictions whose metadata name label and weight.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from ..digests import digest_value
from ..errors import RetrainerError
from ..examples import EVAL, SpanPart
from ..folders import publish_folder, remove_leftovers, scratch_folder
from ..predictions.prediction_sets import RECORD_FILE, PredictionSet, find_predictions
from ..predictions.prediction_table import FORMAT as TABLE_FORMAT
from ..predictions.prediction_table import (
    read_about,
    read_columns,
    read_predictions,
)
from ..registry.model_versions import ModelVersion
from ..spans.stored_spans import LEFTOVER_SECONDS, VERSION_DIGITS, SpanVersion, find_version, now
from ..store import Store
from ..uris import join, write_json
from .reference_table import write_reference_table

MOST_ROWS = 200_000
"""A reference has so many rows at most, taken evenly from every span: the standard error of an AUC is then 0.001."""
_ALL = "all"
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
        record = write_reference_table(
            str(folder), parts, version, label, weight, most_rows, output
        )
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
