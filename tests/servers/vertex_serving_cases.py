"""Models and settings that tests of Vertex AI as a service share."""

from typing import Any

from servers.vertex import PROJECT, REGION
from servers.vertex_endpoints import VertexServing

from retrainer.components.lib.registry.evaluation_summary import SliceMetrics
from retrainer.components.lib.serving.interface import ServedModel, ServingService
from retrainer.components.lib.serving.vertex import open_service

PIPELINE, ENDPOINT = "orders", "orders-live"
WHOLE = SliceMetrics({}, {"auc": 0.81, "binary_accuracy": 0.7, "example_count": 900.0}, 900)
VPC = "projects/123/global/networks/ml"


def model(version: int, *evaluation: SliceMetrics) -> ServedModel:
    """Make a version of the registry."""
    return ServedModel(
        version=version,
        uri=f"gs://acme-ml/store/models/versions/{version}",
        digest=f"sha256:{version:064x}",
        info={"run": f"orders-Run.{version}", "span": f"2026-01-{version:02}"},
        evaluation=evaluation,
    )


def section(server: VertexServing | None = None, **changes: Any) -> dict[str, Any]:
    """Return the section of retrain.yaml, as a task gets it."""
    address = {"api_address": server.url} if server else {}
    return {
        "project": PROJECT,
        "region": REGION,
        "endpoint": ENDPOINT,
        "timeout_seconds": 20.0,
        **address,
        **changes,
    }


def serving(server: VertexServing, **changes: Any) -> ServingService:
    """Open the service at a local server."""
    return open_service(section(server, **changes), PIPELINE)
