"""What tests of the Vertex target share: settings, a compiled pipeline, a target on a local server."""

import functools
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.auth.credentials import Credentials
from servers.local_http import Seen
from servers.vertex import VertexServer

from retrainer.pipelines.definitions.compiled import Pipeline
from retrainer.pipelines.definitions.compiling import compile_pipeline
from retrainer.pipelines.project.config import load_config
from retrainer.pipelines.project.sections.targets import VertexConfig
from retrainer.pipelines.project.starting import init_project
from retrainer.pipelines.targets.vertex.target import VertexTarget

FULL: Mapping[str, Any] = {
    "service_account": "trainer@acme-ml.iam.gserviceaccount.com",
    "network": "projects/123/global/networks/ml",
    "encryption_key": "projects/acme-ml/locations/europe-west1/keyRings/r/cryptoKeys/k",
    "reserved_ip_ranges": ["ml-range"],
    "failure_policy": "fast",
    "labels": {"team": "search", "tier": "1"},
}
"""Every setting that a job carries, but for those that need the others to be absent."""
ATTACHMENT = "projects/123/regions/europe-west1/networkAttachments/ml"


def settings(endpoint: str = "", **changes: Any) -> VertexConfig:
    base = {
        "project": "acme-ml",
        "region": "europe-west1",
        "pipeline_root": "gs://acme-ml/root",
        "endpoint": endpoint,
    }
    return VertexConfig(**{**base, **changes})


@functools.cache
def compiled() -> Pipeline:
    with tempfile.TemporaryDirectory() as folder:
        init_project(Path(folder, "orders"), "starter")
        return compile_pipeline(load_config(Path(folder, "orders")))


def open_target(
    server: VertexServer,
    pipeline: Pipeline | None = None,
    deadline_seconds: float = 20.0,
    **changes: Any,
) -> VertexTarget:
    config = settings(server.url, **changes)
    return VertexTarget(config, pipeline or compiled(), deadline_seconds=deadline_seconds)


class Token(Credentials):
    """Credentials that say `secret`."""

    def refresh(self, request: Any) -> None:
        self.token = "secret"


def bodies(requests: list[Seen], method: str = "POST") -> list[Any]:
    return [json.loads(seen.body) for seen in requests if seen.method == method and seen.body]
