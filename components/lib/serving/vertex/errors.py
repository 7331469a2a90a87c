"""The errors of Vertex AI, by what a caller does about them."""

from typing import Any

from ...network import advice, route
from ...vertex_api import is_transient, own_words
from ..interface import ServiceError
from .refusals import explain, is_busy, is_shortage
from .settings import VertexSettings

# google.rpc.Code, and the HTTP status that stands for it (googleapis/googleapis google/rpc/code.proto).
_HTTP = {3: 400, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 13: 500, 14: 503, 16: 401}


class UnansweredError(ServiceError):
    """A call whose reply was lost, or that the service could not do now: it may have been done all the same."""

    def __init__(self, message: str) -> None:
        super().__init__(message, transient=True)


class MissingError(ServiceError):
    """There is no such resource."""


class ConflictError(ServiceError):
    """The resource exists already, or is not what it was when it was read."""


def unanswered(settings: VertexSettings, what: str, error: BaseException) -> UnansweredError:
    """Return the error of a call that was not answered."""
    address = settings.api_address
    words = own_words(error) if isinstance(error, Exception) else str(error)
    return UnansweredError(
        f"{what}: Vertex AI at {address} did not answer{route(address)} ({words.rstrip('.')})."
        f"{advice(error) or ' Try again later.'}"
    )


def refused(settings: VertexSettings, what: str, error: Any) -> ServiceError:
    """Return the error of a call that the service refused, by google-api-core's."""
    words = own_words(error)
    if error.code == 404:
        return MissingError(f"{what}: {explain(settings, 404, words)}")
    if error.code == 400 and is_busy(words):
        return UnansweredError(f"{what}: {words}")
    if error.code == 409 or (error.code == 400 and "etag" in words.lower()):
        return ConflictError(f"{what}: {words}", transient=True)
    if error.code == 429 or is_shortage(words):
        return ServiceError(f"{what}: {explain(settings, error.code, words)}", transient=True)
    if is_transient(error):
        return unanswered(settings, what, error)
    return ServiceError(f"{what}: {explain(settings, error.code, words)}")


def failed(settings: VertexSettings, what: str, rpc_code: int, message: str) -> ServiceError:
    """Return the error of an operation that failed, by its google.rpc.Code."""
    code = _HTTP.get(rpc_code, 500)
    words = " ".join(message.split())
    if code == 409:
        return ConflictError(f"{what}: {words}", transient=True)
    passing = code in (429, 503) or is_shortage(words)
    return ServiceError(
        f"{what}: {explain(settings, code, words)}", transient=passing or code == 500
    )
