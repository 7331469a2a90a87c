"""Spans in the store that a model was trained on, written in milliseconds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retrainer.components.lib.store import Store
from retrainer.components.lib.uris import write_json

VERSION = "a" * 16


def write_training_span(
    store: str, span: str, columns: Mapping[str, Any], parts: Sequence[str] = ("all",)
) -> Path:
    """Write a span's version, with the same rows in each part; its folder."""
    folder = Path(Store(store).version_uri(span, VERSION))
    folder.mkdir(parents=True)
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    known = {}
    for part in parts:
        pq.write_table(table, folder / f"{part}-0.parquet")
        known[part] = {"rows": table.num_rows, "files": [f"{part}-0.parquet"]}
    record = {"span": span, "version": VERSION, "parts": known, "counts": {}}
    write_json(str(folder / "span.json"), {**record, "source_columns": list(columns)})
    return folder


def trained_on(spans: Sequence[str]) -> dict[str, Any]:
    """What a version's record says of the spans that it was trained on."""
    return {"train_spans": list(spans), "span_versions": dict.fromkeys(spans, VERSION)}
