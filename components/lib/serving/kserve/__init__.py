"""Models on KServe: an InferenceService, its canary, and what it says about itself."""

from collections.abc import Mapping
from typing import Any

from ..interface import ServingService


def open_service(settings: Mapping[str, Any], name: str) -> ServingService:
    """Open the InferenceService that `serving.deploy.kserve` names.

    Args:
        settings: The section, as JSON values.
        name: Name of the pipeline.

    Returns:
        The service. Nothing was sent to the cluster yet.
    """
    from .service import KServeService
    from .settings import KServeSettings

    return KServeService(KServeSettings.parse(settings), name)
