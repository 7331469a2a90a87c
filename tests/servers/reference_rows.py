"""A store whose champion was evaluated on stored spans, for tests that need its reference rows."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from retrainer.components.lib.digests import digest_folder, digest_value
from retrainer.components.lib.model_versions import ModelVersion
from retrainer.components.lib.registry import CHAMPION, Registry
from retrainer.components.lib.store import Store
from retrainer.components.lib.stored_spans import SPAN_FILE
from retrainer.components.lib.uris import write_json


def export_model(path: Path, function: Callable[..., Any], **inputs: Any) -> str:
    """Export a SavedModel that answers `function` of named columns, as `train_model` exports one."""
    import tensorflow as tf

    module = tf.Module()
    module.function = tf.function(lambda **columns: {"predictions": function(**columns)})
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
