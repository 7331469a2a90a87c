"""Talking to the API of Kubeflow Pipelines: timeouts, a token that may change, and this project's errors.

This is kfp's generated REST client, `kfp_server_api`, without `kfp.Client` over it. That one waits for ever, takes
namespace and cookies of whoever used it last from ~/.config/kfp, prints links to standard output, and gives a run no
description.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import kfp_server_api
import urllib3
from google.api_core import exceptions, retry

from ....components.lib import network
from ....components.lib.errors import RetrainerError
from ...project.sections.targets import KubeflowConfig
from ..errors import RefusedError, UnauthenticatedError, UnavailableError
from ..interface import SUBMIT_SECONDS
from .credentials import COOKIE_VARIABLE, TOKEN_VARIABLE, is_renewable, read_cookie, read_token
from .settings import check_host

DEADLINE_SECONDS = SUBMIT_SECONDS
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 4.0
# More threads than this make connections that are closed after use.
_CONNECTIONS = 32
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 8.0
_LEAST_SECONDS = 0.1
_PAGE_SIZE = 100
_LONGEST_MESSAGE = 600
_BUSY = frozenset({408, 425, 429})
_NOT_IMPLEMENTED = 501

Result = TypeVar("Result")


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


class KubeflowClient:
    """Kubeflow Pipelines' API, version v2beta1. Several threads may use one: urllib3's pool is made for that.

    Attributes:
        host: Its address.
        experiments: Methods on experiments.
        runs: Methods on runs.
        recurring_runs: Methods on recurring runs.
    """

    def __init__(self, config: KubeflowConfig, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        """Prepare, without a request.

        Args:
            config: Where, and with what token and certificates.
            deadline_seconds: How long one thing may take in all, repeated attempts included.

        Raises:
            RetrainerError: If the host is missing or no address, or the certificate file is missing.
        """
        self.host = check_host(config.host or "")
        self.deadline_seconds = deadline_seconds
        settings = kfp_server_api.Configuration()
        settings.host = self.host
        # One attempt, and no redirect to a login page: `persist` repeats, and knows what may be repeated.
        settings.retries = urllib3.Retry(total=0, raise_on_redirect=False)
        settings.connection_pool_maxsize = _CONNECTIONS
        network.use_proxy(settings, self.host)
        if config.ca_certificate and not Path(config.ca_certificate).is_file():
            raise RetrainerError(
                f"there is no file '{config.ca_certificate}' (targets.kubeflow.ca_certificate)."
            )
        # The generated client trusts a list of its own, whatever the environment names.
        settings.ssl_ca_cert = config.ca_certificate or network.certificates() or None
        if os.environ.get(TOKEN_VARIABLE) or config.token_file:
            settings.api_key["authorization"] = ""
            settings.api_key_prefix["authorization"] = "Bearer"
            settings.refresh_api_key_hook = lambda its: its.api_key.update(
                authorization=read_token(config)
            )
        self._api = _JsonApiClient(settings, cookie=read_cookie())
        self.experiments = kfp_server_api.ExperimentServiceApi(self._api)
        self.runs = kfp_server_api.RunServiceApi(self._api)
        self.recurring_runs = kfp_server_api.RecurringRunServiceApi(self._api)

    def health(self, **keywords: Any) -> dict[str, Any]:
        """Ask how the service is; kfp's own method drops its version, `tag_name`.

        Args:
            keywords: What the generated client's methods take, such as `_request_timeout`.
        """
        answer: dict[str, Any] = self._api.call_api(
            "/apis/v2beta1/healthz",
            "GET",
            header_params={"Accept": "application/json"},
            response_type="object",
            auth_settings=["Bearer"],
            _return_http_data_only=True,
            **keywords,
        )
        return answer

    def persist(self, action: Callable[[Calls], Result]) -> Result:
        """Do something until it works, is refused, or the deadline has passed, with growing pauses.

        Args:
            action: Is called with what to send its requests through, again from the start if the service was not
                available: so it looks up what an earlier attempt may have done before it does it again.

        Returns:
            What the action returns.

        Raises:
            UnavailableError: If the service was not available until the deadline.
            RefusedError: If it refuses.
        """
        calls = Calls(self.host, self.deadline_seconds)
        patient = retry.Retry(
            predicate=retry.if_exception_type(UnavailableError),
            initial=_FIRST_PAUSE_SECONDS,
            maximum=_LONGEST_PAUSE_SECONDS,
            multiplier=2,
            timeout=self.deadline_seconds,
        )
        try:
            return patient(action)(calls)
        except exceptions.RetryError as error:
            raise UnavailableError(
                f"{error.cause} Tried for {self.deadline_seconds:g} s."
            ) from error.cause

    def to_json(self, body: Any) -> Any:
        """Return what a model of the API is on the wire."""
        return self._api.sanitize_for_serialization(body)


class _JsonApiClient(kfp_server_api.ApiClient):
    """Refuses answers that are not JSON, of which the generated client would make empty lists."""

    def request(self, *arguments: Any, **keywords: Any) -> Any:
        response = super().request(*arguments, **keywords)
        kind = response.getheader("content-type") or "nothing"
        if "json" not in kind:
            raise UnauthenticatedError(
                f"{self.configuration.host} answers with {kind} and not as Kubeflow Pipelines' API does. Is "
                f"targets.kubeflow.host right, and is a token needed ({TOKEN_VARIABLE}, targets.kubeflow.token_file), "
                f"or a session's cookie ({COOKIE_VARIABLE})?",
                renewable=is_renewable(),
            )
        return response
