"""A store whose champion serves: versions that nobody has to train, and spans of predictions, made in milliseconds."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from servers.training_spans import VERSION, trained_on, write_training_span

from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.predictions.prediction_sets import (
    RECORD_FILE,
    PredictionSet,
    find_predictions,
)
from retrainer.components.lib.predictions.prediction_table import make_rows, table_schema
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.spans.stored_spans import find_version
from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import join, write_atomic, write_json

TRAINED = "2026-05"
SCHEMA = """
feature { name: "hour" type: INT presence { min_fraction: 1.0 min_count: 1 } }
feature { name: "distance" type: FLOAT presence { min_fraction: 0.9 min_count: 1 } }
feature { name: "carrier" type: BYTES presence { min_fraction: 1.0 min_count: 1 } }
feature { name: "late" type: INT presence { min_fraction: 1.0 min_count: 1 } not_in_environment: "SERVING" }
default_environment: "TRAINING"
default_environment: "SERVING"
"""


def push_version(
    store: str,
    folder: Path,
    *,
    since: datetime,
    info: Mapping[str, Any] | None = None,
    schema: str = SCHEMA,
    champion: bool = True,
) -> int:
    """Add a version of its own content to the registry, as the champion: its number.

    Args:
        store: URI of the store.
        folder: For its model.
        since: When it became champion.
        info: What its record says; if not given, that it was trained on one span, which is written, too.
        schema: The schema that it was trained with.
        champion: Whether it becomes champion.
    """
    if info is None:
        if find_version(Store(store).version_uri(TRAINED, VERSION)) is None:
            write_training_span(store, TRAINED, make_columns(2000, 2026))
        info = trained_on([TRAINED])
    registry = Registry(Store(store).models_uri)
    number = max(registry.numbers(), default=0) + 1
    model = folder / f"model-{number}"
    model.mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"graph %d" % number)
    made = registry.add(str(model), digest_folder(str(model)), dict(info)).version
    write_atomic(join(registry.version_uri(made), "schema.pbtxt"), schema)
    if champion:
        moved = {"at": since.isoformat(), "action": "push", "run": f"run-{number}"}
        registry.move_alias(CHAMPION, made, registry.version_of(CHAMPION), moved)
    return made


def make_columns(rows: int, seed: int = 0, shift: float = 0.0) -> dict[str, Any]:
    """Columns that fit `SCHEMA`, for `write_predictions`."""
    random = np.random.default_rng(seed)
    return {
        "hour": random.integers(0, 24, rows),
        "distance": random.normal(1000 + shift, 300, rows),
        "carrier": random.choice(["AA", "B6", "UA"], rows),
    }


def write_predictions(
    store: str,
    span: str,
    columns: Mapping[str, Any],
    predictions: Sequence[float] | np.ndarray | None = None,
    *,
    version: int | None = 1,
    variant: str = "stable",
    failed: int = 0,
    sample_rate: float = 1.0,
    scored: datetime | None = None,
    name: str = "",
    more: pa.Table | None = None,
) -> PredictionSet:
    """Write a span of predictions to the store, as `ingest_predictions` does.

    Args:
        store: URI of the store.
        span: Name of the span: a day or an hour.
        columns: Values of the features by name.
        predictions: A score for each row, or several; drawn if not given.
        version: The model version that answered.
        variant: The part that it played.
        failed: How many of the rows, the first ones, failed.
        sample_rate: The share of rows that were kept.
        scored: When it was written; later ones of a span replace earlier ones.
        name: The set's version; made of the span if not given.
        more: Further rows with the same schema, such as another version's.
    """
    inputs = pa.table({key: pa.array(values) for key, values in columns.items()})
    rows = inputs.num_rows
    if predictions is None:
        predictions = np.random.default_rng(len(span)).uniform(size=rows)
    outputs = np.asarray(predictions).shape[1:] or (1,)
    schema = table_schema(inputs.schema, outputs[0], list(columns))
    start = datetime.fromisoformat(span if len(span) > 7 else f"{span}-01").replace(tzinfo=UTC)
    hour = timedelta(hours=1 if "T" in span else 24)
    times = [start + hour * n / max(rows, 1) for n in range(rows)]
    table = make_rows(
        schema,
        inputs,
        np.asarray(predictions, np.float32),
        request_id=f"{span}-{version}-{variant}",
        rows=np.arange(rows),
        model_version=version,
        variant=variant,
        errors=["it failed"] * failed + [None] * (rows - failed),
        occurred_at=pa.array(times, pa.timestamp("us", "UTC")),
        sample_rate=sample_rate,
        latency_ms=3.0,
    )
    if more is not None:
        table = pa.concat_tables([table, more])
    name = name or "v1"
    folder = Path(Store(store).predictions_of_span_uri(span)) / name
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "part-00000.parquet")
    record = {
        "format": 1,
        "span": span,
        "version": name,
        "files": ["part-00000.parquet"],
        "rows": table.num_rows,
        "errors": failed,
        "model_version": version,
        "model_digest": "",
        "scored": (scored or start + hour).isoformat(timespec="milliseconds"),
    }
    write_json(str(folder / RECORD_FILE), record)
    found = find_predictions(str(folder))
    assert found is not None
    return found


def table_of(found: PredictionSet) -> pa.Table:
    """Read the rows of a span, such as for `more` of another one."""
    return pa.concat_tables(pq.read_table(join(found.uri, file)) for file in found.files)
