"""From a served model to the table: a real SavedModel behind `retrainer serve-log` and `retrainer monitor sink`."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import requests
import tensorflow as tf
from aiohttp import web
from servers.local_http import LocalServer
from servers.log_project import Project
from servers.service_process import ServiceProcess

from retrainer.components.lib.digests import digest_folder
from retrainer.components.lib.registry.registry import CHAMPION
from retrainer.components.lib.saved_models.saved_model import Model, load_model

pytestmark = pytest.mark.slow
PREDICT = "/v1/models/flights/versions/1:predict"


class LoadedModel(LocalServer):
    """Serves a SavedModel with TensorFlow's own loader, as TensorFlow Serving's REST API does."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model

    def routes(self) -> list[web.RouteDef]:
        return [web.post(PREDICT, self._predict)]

    async def _predict(self, request: web.Request) -> web.Response:
        rows = (await request.json())["instances"]
        if any(not isinstance(one.get("distance"), float | int) for one in rows):
            return web.json_response({"error": "Failed to process element"}, status=400)
        return web.json_response({"predictions": answers(self._model, rows)})


def answers(model: Model, rows: list[dict[str, Any]]) -> list[list[float]]:
    table = pa.Table.from_pylist(rows, schema=pa.schema([
        ("distance", pa.float32()), ("hour", pa.int64()), ("carrier", pa.string()),
    ]))  # fmt: skip
    return [[float(one)] for one in model.predict(table.combine_chunks().to_batches()[0])]


@pytest.fixture
def model(tmp_path: Path) -> str:
    module = tf.Module()

    def score(distance: Any, hour: Any, carrier: Any) -> dict[str, Any]:
        known = tf.where(carrier == "ÅÄ", 1000.0, 0.0)
        return {"predictions": (distance + tf.cast(hour, tf.float32) + known)[:, None]}

    module.function = tf.function(score)
    kinds = {"distance": tf.float32, "hour": tf.int64, "carrier": tf.string}
    specs = {name: tf.TensorSpec([None], kind, name=name) for name, kind in kinds.items()}
    signature = module.function.get_concrete_function(**specs)
    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"serving_default": signature})
    return str(tmp_path / "model")


@pytest.fixture
def server(model: str) -> Iterator[LoadedModel]:
    with LoadedModel(load_model(model, "model")) as running:
        yield running


def test_what_was_asked_and_answered_is_in_the_table(
    tmp_path: Path, model: str, server: LoadedModel
) -> None:
    projects = {}
    for form in ("serve_log", "kserve_events"):
        (tmp_path / form).mkdir()
        projects[form] = project = Project(tmp_path / form)
        version = project.registry.add(model, digest_folder(model), {}).version
        project.registry.move_alias(CHAMPION, version, None, {})
    random = np.random.default_rng(0)
    asked = {
        f"r{number}": [
            {"distance": round(float(random.normal(500, 100)), 3), "hour": int(random.integers(24)),
             "carrier": str(random.choice(["UA", "ÅÄ", "DL"]))}
            for _ in range(int(random.integers(1, 5)))
        ]
        for number in range(40)
    }  # fmt: skip
    proxy_log, sink_log = (one.logs for one in projects.values())
    local = ["--listen", "127.0.0.1", "--port", "0"]
    proxy = ServiceProcess(["serve-log", "--target", server.url, "--log", str(proxy_log), *local])
    sink = ServiceProcess(["monitor", "sink", "--log", str(sink_log), *local])
    said: dict[str, list[list[float]]] = {}
    try:
        proxy.wait_until_listening()
        sink.wait_until_listening()
        for request_id, rows in asked.items():
            body = {"instances": rows}
            _tell(sink, request_id, "request", body)
            answer = requests.post(
                proxy.url + PREDICT, json=body, headers={"X-Request-Id": request_id}, timeout=60
            )
            said[request_id] = answer.json()["predictions"]
            _tell(sink, request_id, "response", answer.json())
        failed = {"instances": [{"distance": "far", "hour": 1, "carrier": "UA"}]}
        answer = requests.post(
            proxy.url + PREDICT, json=failed, headers={"X-Request-Id": "bad"}, timeout=60
        )
        assert answer.status_code == 400
        assert (proxy.terminate(), sink.terminate()) == (0, 0)
    finally:
        proxy.__exit__()
        sink.__exit__()
    day = datetime.now(UTC).date()
    for form, project in projects.items():
        later = datetime.now(UTC) + timedelta(days=2)
        made = project.ingest(later, format=form).made
        # They may run over midnight.
        assert made[0].span in (str(day), str(day - timedelta(days=1)))
        rows = [one for found in made for one in project.table(found.span).to_pylist()]
        found = {(one["request_id"], one["row"]): one for one in rows}
        errors = [one for one in rows if one["status"] == "error"]
        assert [one["error"] for one in errors] == (
            ["status 400: Failed to process element"] if form == "serve_log" else []
        )
        assert len(found) == sum(map(len, asked.values())) + len(errors)
        for request_id, instances in asked.items():
            for place, (cells, answer) in enumerate(zip(instances, said[request_id], strict=True)):
                one = found[request_id, place]
                assert one["distance"] == cells["distance"]
                assert (one["hour"], one["carrier"]) == (cells["hour"], cells["carrier"])
                assert one["prediction"] == np.float32(answer[0])
                assert one["model_version"] == version


def _tell(sink: ServiceProcess, request_id: str, kind: str, body: Any) -> None:
    """Send an event as KServe's logger does."""
    headers = {
        "ce-id": request_id, "ce-source": "http://localhost:9081/", "ce-specversion": "1.0",
        "ce-type": f"org.kubeflow.serving.inference.{kind}", "ce-time": datetime.now(UTC).isoformat(),
        "ce-endpoint": "default", "ce-inferenceservicename": "flights", "Content-Type": "application/json",
    }  # fmt: skip
    content = json.dumps(body).encode()
    assert requests.post(sink.url, data=content, headers=headers, timeout=60).status_code == 200
