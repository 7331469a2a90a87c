"""TensorFlow Serving: folders of versions at any URI, and the configuration file that says which are loaded."""

from collections.abc import Mapping
from typing import Any

from ..interface import ServingService


def open_service(settings: Mapping[str, Any], name: str) -> ServingService:
    """Open TensorFlow Serving.

    Args:
        settings: The section `serving.deploy.tf_serving`.
        name: Name of the pipeline.

    Returns:
        The service. Nothing was written yet.
    """
    from .service import TFServing, TFServingSettings

    return TFServing(TFServingSettings.of(settings, name))
