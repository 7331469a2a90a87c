"""Vertex AI: versions in its Model Registry, served by an endpoint."""

from collections.abc import Mapping
from typing import Any

from ..interface import ServingService


def open_service(settings: Mapping[str, Any], name: str) -> ServingService:
    """Open Vertex AI.

    Args:
        settings: The section `serving.deploy.vertex`.
        name: Name of the pipeline.

    Returns:
        The service. Nothing was sent to it yet.
    """
    from .service import VertexService
    from .settings import VertexSettings

    return VertexService(VertexSettings.of(settings, name))
