"""Amazon SageMaker: an endpoint with a production variant for each version, and a shadow variant if asked."""

from collections.abc import Mapping
from typing import Any

from .clients import Clients
from .service import SageMakerService
from .settings import Settings


def open_service(settings: Mapping[str, Any], name: str) -> SageMakerService:
    """Open SageMaker.

    Args:
        settings: The section `serving.deploy.sagemaker`, as JSON values.
        name: Name of the pipeline, for tags.

    Returns:
        The service. Nothing was sent yet.
    """
    read = Settings.read(settings)
    return SageMakerService(read, name, Clients(read))
