"""What a running model server says of its versions, over TensorFlow Serving's REST API."""

from dataclasses import dataclass

from ...network import advice, prepare, route
from ..http_reason import http_reason
from ..interface import ServiceError

_SECONDS = 10.0
AVAILABLE = "AVAILABLE"


@dataclass(frozen=True)
class VersionState:
    """The state of a version in a server.

    Attributes:
        state: `START`, `LOADING`, `AVAILABLE`, `UNLOADING` or `END`.
        error: Why it could not be loaded; empty if it could.
    """

    state: str
    error: str = ""


def read_states(address: str, model: str) -> dict[int, VersionState]:
    """Ask a server for the states of a model's versions.

    Args:
        address: Address of its REST API, such as `http://tips:8501`.
        model: The model's name.

    Returns:
        The state by version; empty if the server does not know the model.

    Raises:
        ServiceError: If it does not answer.
    """
    prepare()
    import requests

    url = f"{address.rstrip('/')}/v1/models/{model}"
    try:
        answer = requests.get(url, timeout=_SECONDS)
        if answer.status_code == requests.codes.not_found:
            return {}
        answer.raise_for_status()
        listed = answer.json().get("model_version_status", [])
        return {
            int(one["version"]): VersionState(one["state"], _error(one.get("status", {})))
            for one in listed
        }
    except (requests.exceptions.RequestException, ValueError, KeyError, AttributeError) as error:
        raise ServiceError(
            f"TensorFlow Serving at {address} did not answer{route(url)}: {http_reason(error)}.{advice(error)} Check "
            "serving.deploy.tf_serving.address, and that the server runs.",
            transient=True,
        ) from error


def _error(status: dict[str, str]) -> str:
    code = str(status.get("error_code", "OK"))
    return "" if code in ("OK", "0") else status.get("error_message") or code
