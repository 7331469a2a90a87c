"""The list of services that models can be deployed to."""

import importlib
from collections.abc import Mapping
from typing import Any

from ..errors import RetrainerError
from .interface import ServingService

SERVICES = {
    "vertex": "vertex",
    "kserve": "kserve",
    "tf_serving": "tf_serving",
    "sagemaker": "sagemaker",
    "mlflow": "mlflow",
}
"""Every service that `serving.deploy` names, and the module here with its `open_service(settings, name)`.

They are names, as entry points of packages are: a task loads the services that it deploys to, and no other.
"""


def open_service(service: str, settings: Mapping[str, Any], name: str) -> ServingService:
    """Open a service.

    Args:
        service: One of `SERVICES`.
        settings: Its section of `serving.deploy`, as JSON values.
        name: Name of the pipeline, which what is made there is labelled with.

    Returns:
        The service. Nothing was sent to it yet.

    Raises:
        RetrainerError: If there is no such service, or a library it needs is missing.
    """
    if service not in SERVICES:
        raise RetrainerError(
            f"unknown service '{service}' in serving.deploy; there are: {', '.join(SERVICES)}."
        )
    module = importlib.import_module(f".{SERVICES[service]}", __package__)
    opened: ServingService = module.open_service(settings, name)
    return opened
