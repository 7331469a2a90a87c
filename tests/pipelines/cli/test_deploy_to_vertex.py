"""`retrainer deploy` from a store on Cloud Storage to Vertex AI, both on loopback."""

import json

import fsspec.config
import pytest
from servers.storage import StorageServer
from servers.vertex_endpoints import VertexServing

from retrainer.components.lib.registry.promotions import roll_back
from retrainer.components.lib.registry.registry import CHAMPION, Registry
from retrainer.components.lib.serving.vertex import api
from retrainer.components.lib.store import Store
from retrainer.pipelines.project.starting import init_project

STORE = "gs://acme-ml/store"
SETTINGS = "{{project: acme-ml, region: europe-west1, endpoint: live, api_address: '{url}'}}"


@pytest.fixture
def vertex(monkeypatch):
    monkeypatch.setattr(api, "FIRST_POLL_SECONDS", 0.01)
    with StorageServer() as storage, VertexServing() as server:
        options = {"token": "anon", "endpoint_url": storage.url}
        monkeypatch.setitem(fsspec.config.conf, "gs", options)
        server.operations.seconds = 0.02
        yield server


@pytest.fixture
def file(tmp_path, vertex, monkeypatch):
    monkeypatch.setenv("RETRAINER_STORE", STORE)
    init_project(tmp_path / "project")
    path = tmp_path / "project" / "retrain.yaml"
    settings = SETTINGS.format(url=vertex.url)
    path.write_text(f"{path.read_text()}\nserving:\n  deploy:\n    vertex: {settings}\n")
    return path


def push(tmp_path, number):
    registry = Registry(Store(STORE).models_uri)
    model = tmp_path / f"model-{number}"
    model.mkdir()
    (model / "saved_model.pb").write_bytes(b"graph %d" % number)
    version = registry.add(str(model), f"digest-{number}", {"run": f"run-{number}"})
    registry.move_alias(CHAMPION, version.version, registry.version_of(CHAMPION), {})
    return registry


def served(retrainer, file):
    (row,) = json.loads(retrainer("deploy", "--status", "--json", "--file", file))
    assert not row["differences"]
    assert not row["error"]
    return row["served"]["traffic"]


def test_a_push_and_a_rollback_reach_the_endpoint(retrainer, file, vertex, tmp_path):
    push(tmp_path, 1)
    shown = retrainer("deploy", "--file", file)
    assert shown.startswith(f"vertex: now serves version 1 at {vertex.url}/v1/projects/acme-ml/")
    registry = push(tmp_path, 2)
    retrainer("deploy", "--status", "--file", file, code=1)
    retrainer("deploy", "--file", file)
    assert served(retrainer, file) == {"2": 100}
    (versions,) = vertex.registry.versions.values()
    assert versions["2"].artifact_uri == f"{STORE}/models/versions/000002/model"

    roll_back(registry, {"by": "ana", "why": "worse on UA"})
    retrainer("deploy", "--file", file)
    assert served(retrainer, file) == {"1": 100}


def test_a_rollout_splits_the_endpoint_and_its_abort_takes_the_canary_off(
    retrainer, file, vertex, tmp_path
):
    rollout = (
        "  rollout:\n"
        "    observations: gs://acme-ml/predictions/*.parquet\n"
        "    steps: [{percent: 10}, {percent: 50}]\n"
    )
    file.write_text(f"{file.read_text()}{rollout}")
    push(tmp_path, 1)
    retrainer("deploy", "--file", file)
    registry = push(tmp_path, 2)
    retrainer("deploy", "--file", file)
    assert served(retrainer, file) == {"1": 90, "2": 10}
    retrainer("rollout", "promote", "--why", "looks good", "--file", file)
    assert served(retrainer, file) == {"1": 50, "2": 50}
    retrainer("rollout", "abort", "--why", "worse on UA", "--file", file)
    assert served(retrainer, file) == {"1": 100}
    assert registry.version_of(CHAMPION) == 1
    shares = [sorted(one.values()) for one in vertex.splits]
    assert shares == [[100], [10, 90], [50, 50], [100]]
