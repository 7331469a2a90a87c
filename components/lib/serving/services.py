"""The list of services that models can be deployed to."""

import importlib
from collections.abc import Mapping
from typing import Any

from ..errors import RetrainerError
from ..whole_numbers import whole_numbers
from .interface import ServingService

SERVICES = {
    "vertex": "retrainer.components.lib.serving.vertex",
    "kserve": "retrainer.components.lib.serving.kserve",
    "tf_serving": "retrainer.components.lib.serving.tf_serving",
    "sagemaker": "retrainer.components.lib.serving.sagemaker",
    "mlflow": "retrainer.components.lib.serving.mlflow",
}
"""Every service that `serving.deploy` names, and its module with `open_service(settings, name)`.

They are names, as entry points of packages are: a task loads the services that it deploys to, and no other.
"""


def open_service(service: str, settings: Mapping[str, Any], name: str) -> ServingService:
    """Open a service.

    Args:
        service: One of `SERVICES`.
        settings: Its section of `serving.deploy`, as JSON values, also as a pipeline's parameter carries them.
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
    module = importlib.import_module(SERVICES[service])
    opened: ServingService = module.open_service(whole_numbers(settings), name)
    return opened
