"""MLflow's model registry: a version of a registered model with aliases, and a run with its metrics."""

from collections.abc import Mapping
from typing import Any

from ..interface import ServingService


def open_service(settings: Mapping[str, Any], name: str) -> ServingService:
    """Open MLflow.

    Args:
        settings: The section `serving.deploy.mlflow`.
        name: Name of the pipeline.

    Returns:
        The service. Nothing was sent yet.
    """
    from .service import MLflow, MLflowSettings

    return MLflow(MLflowSettings.of(settings, name))
