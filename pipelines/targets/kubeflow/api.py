"""Talking to the API of Kubeflow Pipelines: timeouts, a token that may change, and this project's errors.

This is kfp's generated REST client, `kfp_server_api`, without `kfp.Client` over it. That one waits for ever, takes
namespace and cookies of whoever used it last from ~/.config/kfp, prints links to standard output, and gives a run no
description.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import kfp_server_api
import urllib3
from google.api_core import exceptions, retry

from ....components.lib import network
from ....components.lib.errors import RetrainerError
from ...project.sections.targets import KubeflowConfig
from ..errors import UnauthenticatedError, UnavailableError
from ..interface import SUBMIT_SECONDS
from .calls import COOKIE_VARIABLE, TOKEN_VARIABLE, Calls, is_renewable
from .settings import check_host

DEADLINE_SECONDS = SUBMIT_SECONDS
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 4.0
# More threads than this make connections that are closed after use.
_CONNECTIONS = 32

Result = TypeVar("Result")


def read_token(config: KubeflowConfig) -> str:
    """Read the bearer token again each time: Kubernetes replaces the file before the token in it expires.

    Returns:
        That of the environment variable, else that of the file.

    Raises:
        UnauthenticatedError: If the file is missing, or what it or the variable holds is no token.
    """
    token, origin = os.environ.get(TOKEN_VARIABLE, "").strip(), f"the variable {TOKEN_VARIABLE}"
    if not token and config.token_file:
        origin = f"the file '{config.token_file}' (targets.kubeflow.token_file)"
        try:
            # Latin-1 decodes anything: an error of decoding would quote what it read.
            token = Path(config.token_file).read_text(encoding="latin-1").strip()
        except OSError as error:
            raise UnauthenticatedError(f"{origin} can't be read: {error.strerror}.") from error
    # What is no header's value would be quoted in http.client's error, too.
    if not token or not all("!" <= character <= "~" for character in token):
        raise UnauthenticatedError(
            f"{origin} does not hold a bearer token: one word of ASCII characters is expected.",
            renewable=is_renewable(),
        )
    return token


def read_cookie() -> str | None:
    """Read a session's cookie, for installations that let people in by a login page (Dex, an OIDC proxy).

    Returns:
        The value of the environment variable, such as `authservice_session=...`; None without one.

    Raises:
        UnauthenticatedError: If it can't be a header's value.
    """
    cookie = os.environ.get(COOKIE_VARIABLE, "").strip()
    if not all(" " <= character <= "~" for character in cookie) or (cookie and "=" not in cookie):
        raise UnauthenticatedError(
            f"the variable {COOKIE_VARIABLE} does not hold a cookie: name=value in ASCII characters is expected.",
            renewable=False,
        )
    return cookie or None


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
