"""A store whose champion takes three columns, and a folder for the logs of its server."""

import gzip
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from retrainer.components.ingest_predictions.ingest import Ingested, ingest
from retrainer.components.ingest_predictions.task import parse_settings
from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.predictions.prediction_sets import PredictionSet, list_predictions
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.uris import join, read_json

INPUTS = {
    "distance": types_pb2.DT_FLOAT,
    "hour": types_pb2.DT_INT64,
    "carrier": types_pb2.DT_STRING,
}
DAY = "2026-11-02"
NOON = f"{DAY}T12:00:00Z"
NOW = datetime(2026, 11, 10, tzinfo=UTC)


def save_model(folder: Path, inputs: Mapping[str, int], outputs: int = 1) -> str:
    """Write a SavedModel that has a signature and nothing behind it."""
    saved = saved_model_pb2.SavedModel()
    signature = saved.meta_graphs.add().signature_def["serving_default"]
    for name, dtype in inputs.items():
        signature.inputs[name].CopyFrom(_tensor(name, dtype, [-1]))
    signature.outputs["predictions"].CopyFrom(_tensor("out", types_pb2.DT_FLOAT, [-1, outputs]))
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    return str(folder)


def _tensor(name: str, dtype: int, sizes: list[int]) -> meta_graph_pb2.TensorInfo:
    info = meta_graph_pb2.TensorInfo(name=name, dtype=dtype)
    for size in sizes:
        info.tensor_shape.dim.add(size=size)
    return info


class Project:
    """A store with a champion, and a folder of logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = str(folder / "store")
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.registry = Registry(f"{self.store}/models")

    def push(self, inputs: Mapping[str, int] = INPUTS, outputs: int = 1) -> int:
        number = len(self.registry.numbers()) + 1
        path = save_model(self.folder / f"model-{number}", inputs, outputs)
        version = self.registry.add(path, digest_folder(path) + str(number), {}).version
        self.registry.move_alias(CHAMPION, version, self.registry.version_of(CHAMPION), {})
        return version

    def log(self, name: str, records: Iterable[Any], at: str = "2026-11-03T00:00:00Z") -> Path:
        """Write a file of lines, last written at a moment; records that are bytes are lines as they are."""
        lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in records]
        return self.file(name, b"".join(line + b"\n" for line in lines), at)

    def file(self, name: str, content: bytes, at: str = "2026-11-03T00:00:00Z") -> Path:
        path = self.logs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        moment = datetime.fromisoformat(at).timestamp()
        os.utime(path, (moment, moment))
        return path

    def ingest(self, now: datetime = NOW, **settings: Any) -> Ingested:
        given = {"uri": str(self.logs), **settings}
        return ingest(self.store, parse_settings(given), now=now)

    def sets(self, span: str = DAY) -> list[PredictionSet]:
        return list_predictions(self.store, span)

    def table(self, span: str = DAY) -> pa.Table:
        newest = self.sets(span)[-1]
        return pa.concat_tables([pq.read_table(join(newest.uri, one)) for one in newest.files])

    def record(self, span: str = DAY) -> dict[str, Any]:
        found: dict[str, Any] = read_json(join(self.sets(span)[-1].uri, "predictions.json"))
        return found

    def counts(self, span: str = DAY) -> dict[str, Any]:
        found: dict[str, Any] = self.record(span)["counts"]
        return found


def row(distance: Any = 100.5, hour: Any = 7, carrier: Any = "UA") -> dict[str, Any]:
    return {"distance": distance, "hour": hour, "carrier": carrier}


def line(
    request_id: str,
    rows: list[Any] | str,
    predictions: list[Any] | str | None,
    time: str = NOON,
    **more: Any,
) -> dict[str, Any]:
    """Make a line as `retrainer serve-log` writes it."""
    request = rows if isinstance(rows, str) else json.dumps({"instances": rows})
    answer = (
        predictions
        if isinstance(predictions, str) or predictions is None
        else json.dumps({"predictions": predictions})
    )
    return {
        "request_id": request_id, "time": time, "method": "POST", "path": "/v1/models/flights:predict",
        "status": 200, "latency_ms": 3.25, "model": "flights", "model_version": "1", "variant": "stable",
        "sample_rate": 1.0, "request": request, "response": answer, "error": None, **more,
    }  # fmt: skip
