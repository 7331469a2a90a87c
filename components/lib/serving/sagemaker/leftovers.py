"""What an endpoint no longer uses, of what retrainer made for it: configurations, models and their archives."""

from ..interface import ServiceError
from . import archive
from .api_errors import ApiError
from .clients import Clients
from .endpoint import Endpoint
from .names import base_of, is_config_of, is_model_of
from .settings import Settings
from .variants import ENDPOINT_TAG


def remove_leftovers(
    clients: Clients, settings: Settings, endpoint: Endpoint | None
) -> tuple[str, ...]:
    """Remove what is no longer used. A failure here undoes no deployment: the next one tries again.

    Args:
        clients: The clients.
        settings: The endpoint's.
        endpoint: What serves; None if nothing does.

    Returns:
        A sentence for each thing that could not be removed.
    """
    if endpoint and endpoint.request is None:
        # Nobody knows which models it uses.
        return ()
    used = {endpoint.config, *endpoint.models} if endpoint else set()
    try:
        configs = _unused(clients, settings, "EndpointConfig", used)
        for name, _ in configs:
            _ignoring_missing(clients, "delete_endpoint_config", EndpointConfigName=name)
        for name, _ in _unused(clients, settings, "Model", used):
            _remove_model(clients, settings, name)
    except ServiceError as error:
        return (f"what is no longer used was not removed: {error}",)
    return ()


def _unused(
    clients: Clients, settings: Settings, kind: str, used: set[str]
) -> list[tuple[str, str]]:
    """List name and ARN of what has a name as retrainer gives for this endpoint, and its tag."""
    operation, is_ours = {
        "EndpointConfig": ("list_endpoint_configs", is_config_of),
        "Model": ("list_models", is_model_of),
    }[kind]
    found = clients.pages(operation, f"{kind}s", NameContains=base_of(settings.endpoint))
    named = [(str(one[f"{kind}Name"]), str(one[f"{kind}Arn"])) for one in found]
    tag = {"Key": ENDPOINT_TAG, "Value": settings.endpoint}
    return [
        (name, arn)
        for name, arn in named
        if name not in used
        and is_ours(settings.endpoint, name)
        and tag in clients.pages("list_tags", "Tags", ResourceArn=arn)
    ]


def _remove_model(clients: Clients, settings: Settings, name: str) -> None:
    """Remove a model's archive, then the model: if killed between, the next call finds it by the model."""
    try:
        described = clients.sagemaker("describe_model", ModelName=name)
    except ApiError as error:
        if error.is_missing:
            return
        raise
    uri = str(described.get("PrimaryContainer", {}).get("ModelDataUrl", ""))
    if uri.startswith(f"{settings.model_data.rstrip('/')}/{settings.endpoint}/"):
        archive.remove(clients, uri)
    _ignoring_missing(clients, "delete_model", ModelName=name)


def _ignoring_missing(clients: Clients, operation: str, **parameters: str) -> None:
    try:
        clients.sagemaker(operation, **parameters)
    except ApiError as error:
        if not error.is_missing:
            raise
