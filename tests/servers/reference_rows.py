"""A store whose champion was evaluated on stored spans, for tests that need its reference rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from retrainer.components.lib.digests import digest_folder, digest_value
from retrainer.components.lib.predictions.joined_sets import Coverage, JoinedSet
from retrainer.components.lib.predictions.joined_table import add_labels
from retrainer.components.lib.predictions.prediction_sets import PredictionSet
from retrainer.components.lib.predictions.prediction_table import (
    prediction_columns,
    read_predictions,
)
from retrainer.components.lib.registry.model_versions import ModelVersion
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.spans.stored_spans import SPAN_FILE
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import write_json
from retrainer.components.monitor_model.look import Look
from retrainer.components.monitor_model.windows import Feed

from .served_predictions import write_predictions

NOW, SINCE = datetime(2027, 6, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
_FIRST = datetime(2026, 2, 1, tzinfo=UTC)


def export_model(path: Path, function: Callable[..., Any], **inputs: Any) -> str:
    """Export a SavedModel that answers `function` of named columns, as `train_model` exports one.

    Several outputs are a mapping by their names.
    """
    import tensorflow as tf

    def answer(**columns: Any) -> Any:
        found = function(**columns)
        return found if isinstance(found, dict) else {"predictions": found}

    module = tf.Module()
    module.function = tf.function(answer)
    specs = {name: tf.TensorSpec([None], kind, name=name) for name, kind in inputs.items()}
    signatures = {"serving_default": module.function.get_concrete_function(**specs)}
    tf.saved_model.save(module, str(path), signatures=signatures)
    return str(path)


def write_span(store: str, span: str, parts: Mapping[str, pa.Table]) -> str:
    """Write a version of a span as `ingest_spans` leaves it; return the version's name."""
    about = {name: [len(table), str(table.schema)] for name, table in parts.items()}
    version = str(digest_value([span, about]))[:16]
    folder = Path(Store(store).version_uri(span, version))
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: f"{name}-00000.parquet" for name in parts}
    for name, table in parts.items():
        pq.write_table(table, folder / files[name], row_group_size=1_000)
    table = next(iter(parts.values()))
    record = {
        "span": span,
        "version": version,
        "parts": {name: {"rows": len(one), "files": [files[name]]} for name, one in parts.items()},
        "counts": {"kept": sum(map(len, parts.values()))},
        "source_columns": table.column_names,
        "columns": {one.name: str(one.type) for one in table.schema},
    }
    write_json(str(folder / SPAN_FILE), record)
    return version


def push_champion(
    store: str, model: str, spans: Mapping[str, Mapping[str, pa.Table]]
) -> ModelVersion:
    """Push a model that was evaluated on these spans, oldest first, and put it into service."""
    versions = {span: write_span(store, span, parts) for span, parts in spans.items()}
    info = {"eval_spans": list(spans), "span_versions": versions, "train_spans": ["before"]}
    registry = Registry(Store(store).models_uri)
    version = registry.add(model, digest_folder(model), info)
    registry.move_alias(CHAMPION, version.version, registry.version_of(CHAMPION), {})
    return version


def calibrated_rows(rows: int, seed: int = 1, shift: float = 0.0, moved: float = 0.0) -> pa.Table:
    """Rows of which a model that returns sigmoid(x) is the truth.

    Args:
        rows: How many.
        seed: Chooses them.
        shift: Moves x: other inputs, the same concept.
        moved: Moves the truth: another concept.
    """
    random = np.random.default_rng(seed)
    x = random.normal(shift, 1.5, rows)
    late = random.random(rows) < 1 / (1 + np.exp(-(x + moved)))
    return pa.table(
        {
            "x": pa.array(x, pa.float32()),
            "late": pa.array(late.astype(np.int64)),
            "weight": pa.array(random.integers(1, 4, rows).astype(np.float64)),
        }
    )


def sigmoid(x: np.ndarray) -> np.ndarray:
    """What the model of `calibrated_rows` answers."""
    return np.asarray(1 / (1 + np.exp(-x)))


@dataclass
class MadeUpReference:
    """Reference rows of a model that nobody exported: what it would answer, and the labels."""

    columns: Mapping[str, np.ndarray]
    predictions: np.ndarray
    labels: np.ndarray
    spans: tuple[str, ...] = ("2025-01",)

    @property
    def rows(self) -> int:
        return len(self.labels)

    @property
    def weights(self) -> np.ndarray:
        return np.ones(self.rows)

    @property
    def features(self) -> dict[str, str]:
        return {name: name for name in self.columns}

    @property
    def table(self) -> "MadeUpReference":
        return self

    @property
    def version(self) -> str:
        return str(digest_value([self.predictions.tolist(), self.labels.tolist()]))

    def read(self, names: Sequence[str]) -> pa.Table:
        outputs = self.predictions.reshape(self.rows, -1)
        of_outputs = prediction_columns(outputs.shape[1])
        table = dict(self.columns) | {
            name: outputs[:, number] for number, name in enumerate(of_outputs)
        }
        return pa.table({name: table[name] for name in names})


class Served:
    """A champion with its reference, and the days that it answered."""

    def __init__(self, folder: Path, model: str, reference: Sequence[pa.Table]) -> None:
        self.store = str(folder / "store")
        self.folder = folder
        self.made_up: MadeUpReference | None = None
        parts = {f"2025-{number:02}": {"all": rows} for number, rows in enumerate(reference, 1)}
        self.version = push_champion(self.store, model, parts)
        self.spans: list[PredictionSet] = []

    def span(
        self, rows: pa.Table, scores: np.ndarray | None = None, **options: Any
    ) -> PredictionSet:
        """Write the next day, of rows with x."""
        x = rows["x"].to_numpy()
        day = _FIRST + timedelta(days=len(self.spans))
        options = {"version": self.version.version, **options}
        scores = sigmoid(x) if scores is None else scores
        span = write_predictions(self.store, f"{day:%Y-%m-%d}", {"x": x}, scores, **options)
        self.spans.append(span)
        return span

    def labelled(
        self, span: PredictionSet, labels: np.ndarray, share: float = 1.0, version: str = "1"
    ) -> JoinedSet:
        """Join a day with the labels of its first rows, which are this share of those that it should have."""
        table = pa.Table.from_batches(list(read_predictions(span))).slice(0, len(labels))
        count = len(labels)
        joined = add_labels(
            table, pa.array(labels, pa.float64()), pa.nulls(count), pa.array(np.ones(count))
        )
        folder = self.folder / "joined" / span.span / version
        folder.mkdir(parents=True)
        pq.write_table(joined, folder / "part-00000.parquet")
        day = datetime.fromisoformat(span.span).replace(tzinfo=UTC)
        end = day + timedelta(days=1)
        rows = round(count / share)
        coverage = Coverage(day.isoformat(), end.isoformat(), rows, count, rows, count)
        return JoinedSet(
            span.span,
            version,
            str(folder),
            ("part-00000.parquet",),
            count,
            span.version,
            "late",
            coverage=(coverage,),
        )

    def look(self, section: str, *current: PredictionSet, **options: Any) -> Look:
        """Look at days, with these settings of a section; `joined` are days with labels, newest first."""
        shared = {("reference",): self.made_up} if self.made_up else {}
        return Look(
            store=self.store,
            settings={section: options.pop("settings", {})},
            now=NOW,
            current=current,
            earlier=options.pop("earlier", ()),
            model=self.version,
            since=SINCE,
            label="late",
            feed=Feed(tuple(self.spans)),
            _shared=shared,
            **options,
        )
