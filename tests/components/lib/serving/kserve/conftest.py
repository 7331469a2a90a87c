import json
from pathlib import Path
from typing import Any

import pytest
from servers.kserve_cluster import KServeCluster
from servers.kserve_controller import KServeController
from servers.kserve_real_cluster import RealKServeCluster
from servers.kube_apiserver import ON_A_KUBE_APISERVER, KubeApiserver

from retrainer.components.lib.serving.interface import Plan, ServedModel
from retrainer.components.lib.serving.kserve import cluster as cluster_module
from retrainer.components.lib.serving.kserve import open_service, service


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch):
    monkeypatch.setattr(service, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(service, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(cluster_module, "_PAUSES", (0.01, 0.02))


class Bench:
    """A cluster with KServe, and a store with versions of a model."""

    def __init__(self, mode: str, folder: Path, server: KubeApiserver | None = None) -> None:
        self.mode, self.folder = mode, folder
        # Seconds in which a change is made, and not more.
        self.soon = 2.0 if server else 0.1
        default = {"knative": "Serverless", "standard": "Standard"}[mode]
        self.cluster = RealKServeCluster(default, server) if server else KServeCluster(default)
        self.controller = KServeController(self.cluster)

    def __enter__(self) -> "Bench":
        self.cluster.start()
        self.controller.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.controller.__exit__()
        self.cluster.stop()

    @property
    def kubeconfig(self) -> str:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.cluster.url}}],
            "users": [{"name": "u", "user": {"token": "secret"}}],
            "contexts": [
                {"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "ml"}}
            ],
            "current-context": "x",
        }
        path = self.folder / "kubeconfig"
        if not path.exists():
            path.write_text(json.dumps(config))
        return str(path)

    def model(self, version: int, **info: Any) -> ServedModel:
        uri = self.folder / f"store/models/versions/{version:06d}/model"
        (uri / "variables").mkdir(parents=True, exist_ok=True)
        (uri / "saved_model.pb").write_text(f"model {version}")
        (uri / "variables/variables.index").write_text("index")
        return ServedModel(version, str(uri), f"{version:064x}"[::-1], info)

    def open(self, pipeline: str = "taxi", **settings: Any):
        known = {
            "service": "taxi",
            "kubeconfig": self.kubeconfig,
            "timeout_seconds": 20,
            "store_uri": "pvc://models/store",
        }
        return open_service({**known, **settings}, pipeline)

    def plan(self, stable: int | None, canary: int | None = None, percent: int = 0) -> Plan:
        return Plan(
            None if stable is None else self.model(stable),
            None if canary is None else self.model(canary),
            percent,
        )

    def splits(self) -> list[dict[str, int]]:
        """What clients could have seen since the last look."""
        with self.cluster.lock:
            seen, self.controller.splits[:] = list(self.controller.splits), []
        return seen


HERE = "on a local server"
PLACES = [HERE, pytest.param("on a kube-apiserver", marks=ON_A_KUBE_APISERVER)]
"""Every test runs on both, but for those of other versions of KServe."""


@pytest.fixture(params=PLACES)
def server(request):
    """Return the API server that keeps the InferenceServices; None for a local one."""
    return None if request.param == HERE else request.getfixturevalue("kserve_apiserver")


@pytest.fixture(params=["knative", "standard"])
def bench(request, tmp_path, server):
    with Bench(request.param, tmp_path, server) as opened:
        yield opened


@pytest.fixture
def knative(tmp_path, server):
    with Bench("knative", tmp_path, server) as opened:
        yield opened


@pytest.fixture
def standard(tmp_path, server):
    with Bench("standard", tmp_path, server) as opened:
        yield opened


@pytest.fixture
def older(tmp_path):
    """Return the standard mode on a local server, whose schema may be an older one."""
    with Bench("standard", tmp_path) as opened:
        yield opened
