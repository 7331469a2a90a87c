"""Requests to Kubeflow Pipelines' API that share a deadline, and what its errors mean here."""

import json
import os
import time
from collections.abc import Callable
from typing import Any

import kfp_server_api
import urllib3

from ....components.lib import network
from ....components.lib.errors import RetrainerError
from ..errors import RefusedError, UnauthenticatedError, UnavailableError

TOKEN_VARIABLE = "RETRAINER_KUBEFLOW_TOKEN"
COOKIE_VARIABLE = "RETRAINER_KUBEFLOW_COOKIE"
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 8.0
_LEAST_SECONDS = 0.1
_PAGE_SIZE = 100
_LONGEST_MESSAGE = 600
_BUSY = frozenset({408, 425, 429})
_NOT_IMPLEMENTED = 501


class NotFoundError(RefusedError):
    """What was asked for is not there."""


class ConflictError(RefusedError):
    """What shall be made is there already."""


class Calls:
    """Requests that share one deadline."""

    def __init__(self, host: str, seconds: float) -> None:
        self._host = host
        self._ends = time.monotonic() + seconds

    def read(self, method: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Call a method of the API that changes nothing, and give up early, as it can be asked again.

        Raises:
            UnavailableError: If the service gives no answer, or says that it can't.
            RefusedError: If it refuses.
        """
        return self._send(_READ_SECONDS, method, *arguments, **keywords)

    def read_all(self, method: Callable[..., Any], field: str, **query: Any) -> list[Any]:
        """Call a method that lists, for every page.

        Args:
            method: The API's method that gives a page.
            field: Where a page holds its things.
            query: Which things.
        """
        things: list[Any] = []
        token = ""
        while True:
            page = self.read(method, page_size=_PAGE_SIZE, page_token=token, **query)
            things += getattr(page, field) or []
            token = page.next_page_token
            if not token:
                return things

    def write(self, method: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Call a method of the API that changes something, and wait for its outcome as long as time is left.

        Raises:
            UnavailableError: If the service gives no answer, or says that it can't; it may have done it.
            RefusedError: If it refuses.
        """
        return self._send(float("inf"), method, *arguments, **keywords)

    def _send(
        self, seconds: float, method: Callable[..., Any], *arguments: Any, **keywords: Any
    ) -> Any:
        left = max(self._ends - time.monotonic(), _LEAST_SECONDS)
        timeout = (min(_CONNECT_SECONDS, left), min(seconds, left))
        try:
            return method(*arguments, _request_timeout=timeout, **keywords)
        except kfp_server_api.ApiException as error:
            raise _translate(self._host, error) from error
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", None) or error
            if isinstance(reason, urllib3.exceptions.SSLError):
                raise RefusedError(
                    f"{self._host} could not be trusted{network.route(self._host)}: {reason}. Name a file with the "
                    "certificates that sign its own in targets.kubeflow.ca_certificate, or for every service in the "
                    "variable REQUESTS_CA_BUNDLE."
                ) from error
            raise UnavailableError(
                f"{self._host} can't be reached{network.route(self._host)}: {reason}.{network.advice(error)}"
            ) from error
        except UnicodeDecodeError as error:
            raise UnavailableError(f"{self._host} answered with something unreadable.") from error


def is_renewable() -> bool:
    """Return whether the credentials may change while this process runs: those of variables can't."""
    return not any(os.environ.get(name, "").strip() for name in (TOKEN_VARIABLE, COOKIE_VARIABLE))


def _translate(host: str, error: kfp_server_api.ApiException) -> RetrainerError:
    status = error.status or 0
    message, from_kubeflow = _message(error)
    said = f"{host} answered {status}: {message}"
    if status == 407 or (not from_kubeflow and status >= 500):
        # Neither may be the service's own word.
        return UnavailableError(f"{said}{_of_a_proxy(host, status)}")
    if status in _BUSY or (status >= 500 and status != _NOT_IMPLEMENTED):
        return UnavailableError(said)
    if status == 401 or 300 <= status < 400:
        return UnauthenticatedError(
            f"{said} A token is missing or no longer valid: set {TOKEN_VARIABLE} or targets.kubeflow.token_file, or "
            f"{COOKIE_VARIABLE} where people log in on a page.",
            renewable=is_renewable(),
        )
    if status == 403:
        return RefusedError(
            f"{said} Grant the token's account access in the namespace (targets.kubeflow.namespace), or use "
            "another token."
        )
    if status == 404 and not from_kubeflow:
        return RefusedError(
            f"{said} Is targets.kubeflow.host the address of Kubeflow Pipelines' API, its path included?"
        )
    kinds = {404: NotFoundError, 409: ConflictError}
    return kinds.get(status, RefusedError)(said)


def _of_a_proxy(host: str, status: int) -> str:
    way = network.route(host)
    fix = network.advice(OSError(f"the proxy answered {status}"))
    return f" It was asked{way}.{fix}" if way else ""


def _message(error: kfp_server_api.ApiException) -> tuple[str, bool]:
    """Return what the service says, as a sentence, and whether it says it as Kubeflow Pipelines does."""
    try:
        body = json.loads(error.body or "")
        text, from_kubeflow = str(body.get("message") or body["error"]), True
    except (ValueError, KeyError, AttributeError, TypeError):
        text, from_kubeflow = str(error.reason or "no reason given"), False
    text = " ".join(text.split())
    if len(text) > _LONGEST_MESSAGE:
        text = text[:_LONGEST_MESSAGE] + " ..."
    return (text if text.endswith(".") else text + "."), from_kubeflow
