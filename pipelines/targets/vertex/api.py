"""Vertex AI's API: its client library, loaded lean; clients for each thread; retries; and what its errors mean here.

The session of `requests` below a client is not made for several threads at once, and keeps at most ten connections. So
there is one client of each kind for every thread, and a session for the one request that is large.
"""

import importlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from ....components.lib.lean_imports import enter_lean
from ....components.lib.network import advice, is_untrusted, keep_token, route
from ...project.sections.targets import VertexConfig
from ..errors import RefusedError, UnauthenticatedError, UnavailableError
from .settings import api_address, is_emulator

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud import aiplatform_v1

Answer = TypeVar("Answer")
Options = Callable[[], dict[str, Any]]
"""Gives a GAPIC method its `timeout` (what is left of the time, at most half of it all) and forbids its own retries."""

_FIRST_WAIT_SECONDS = 0.25
_LONGEST_WAIT_SECONDS = 5.0
_LEAST_TIMEOUT_SECONDS = 0.1
_LOG_IN = (
    "Log in with 'gcloud auth application-default login', or name a key file in the variable "
    "GOOGLE_APPLICATION_CREDENTIALS."
)
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_PACKAGES = {"v1": "google.cloud.aiplatform_v1", "v1beta1": "google.cloud.aiplatform_v1beta1"}
for _package in _PACKAGES.values():
    enter_lean(_package, f"{_package}.services", f"{_package}.types")


def api_version(config: VertexConfig) -> str:
    """Return the version: v1, or v1beta1 where a setting is in that one alone.

    That is RuntimeConfig.default_runtime, for persistent resources (google-cloud-aiplatform 1.165,
    types/pipeline_job.py of both packages).

    Args:
        config: The target's settings.
    """
    return "v1beta1" if config.persistent_resource else "v1"


def api_module(config: VertexConfig, name: str) -> Any:
    """Load a module of the client library.

    Args:
        config: The target's settings.
        name: Its name within the package of the version, such as `types.schedule`.
    """
    return importlib.import_module(f"{_PACKAGES[api_version(config)]}.{name}")


@dataclass(frozen=True)
class Post:
    """A request that creates something.

    Attributes:
        url: Where it is sent, query included.
        body: JSON.
    """

    url: str
    body: str


class VertexClients:
    """Opens clients when they are first needed: their library takes seconds to load.

    Args:
        config: Where the service is.
        credentials: Credentials to call it with. If not given: none for an emulator on this machine, else Google's
            application default ones.
    """

    def __init__(self, config: VertexConfig, credentials: "Credentials | None") -> None:
        self._config = config
        self._given = credentials
        self._lock = threading.Lock()
        self._own = threading.local()

    def pipelines(self) -> "aiplatform_v1.PipelineServiceClient":
        """Return this thread's client of runs.

        Raises:
            DefaultCredentialsError: If there are no credentials.
        """
        module = api_module(self._config, "services.pipeline_service")
        return self._client(module.PipelineServiceClient)

    def schedules(self) -> "aiplatform_v1.ScheduleServiceClient":
        """Return this thread's client of schedules.

        Raises:
            DefaultCredentialsError: If there are no credentials.
        """
        module = api_module(self._config, "services.schedule_service")
        return self._client(module.ScheduleServiceClient)

    def create_job(self, post: Post, timeout: float) -> "aiplatform_v1.PipelineJob":
        """Create a job by a request that is written already.

        Args:
            post: The request.
            timeout: How long to wait for the answer, in seconds.

        Returns:
            The job, its name and time of creation alone.

        Raises:
            DefaultCredentialsError: If there are no credentials.
            GoogleAPICallError: If the service says no.
        """
        from google.api_core.exceptions import from_http_response
        from google.auth.transport.requests import AuthorizedSession

        def make() -> AuthorizedSession:
            session = AuthorizedSession(self._credentials)
            keep_token(session)
            return session

        session = self._get("session", make)
        response = session.post(
            post.url,
            data=post.body.encode(),
            headers={"Content-Type": "application/json"},
            timeout=timeout,
        )
        if response.status_code >= 400:
            raise from_http_response(response)
        kind = api_module(self._config, "types.pipeline_job").PipelineJob
        return kind.from_json(response.content, ignore_unknown_fields=True)

    def _client(self, kind: Any) -> Any:
        def make() -> Any:
            transport = kind.get_transport_class("rest")(
                host=api_address(self._config), credentials=self._credentials
            )
            if hasattr(transport, "_session"):
                keep_token(transport._session)
            return kind(transport=transport)

        return self._get(kind.__name__, make)

    def _get(self, name: str, make: Callable[[], Any]) -> Any:
        if not hasattr(self._own, name):
            setattr(self._own, name, make())
        return getattr(self._own, name)

    @property
    def _credentials(self) -> Any:
        with self._lock:
            return self._found_credentials

    @cached_property
    def _found_credentials(self) -> Any:
        import google.auth
        from google.auth.credentials import AnonymousCredentials

        if self._given is not None:
            return self._given
        if is_emulator(self._config):
            return AnonymousCredentials()
        return google.auth.default(scopes=[_SCOPE])[0]


@dataclass(frozen=True)
class VertexCaller:
    """Calls the service for at most so many seconds, and turns its errors into ours.

    Attributes:
        config: Where the service is.
        deadline_seconds: How long a call may take in all, its repetitions included.
    """

    config: VertexConfig
    deadline_seconds: float

    def call(
        self,
        what: str,
        action: Callable[[Options], Answer],
        on_retry: Callable[[Exception], None] | None = None,
    ) -> Answer:
        """Call the service, again and again with growing pauses while it is out of reach or overloaded.

        Args:
            what: What is asked for, for errors: `run orders-1`.
            action: Makes the call. It may be made more than once, and must then do no harm.
            on_retry: Called with each error that is retried.

        Returns:
            What the action returns.

        Raises:
            UnavailableError: If the service is still out of reach when the time is over.
            RefusedError: If it refuses, or there are no credentials to call it with.
        """
        from google.api_core import exceptions
        from google.api_core.retry import Retry
        from google.auth.exceptions import GoogleAuthError
        from requests.exceptions import RequestException as RequestsError

        end = time.monotonic() + self.deadline_seconds

        def options() -> dict[str, Any]:
            left = min(end - time.monotonic(), self.deadline_seconds / 2)
            return {"timeout": max(left, _LEAST_TIMEOUT_SECONDS), "retry": None}

        retry = Retry(
            predicate=is_transient,
            initial=_FIRST_WAIT_SECONDS,
            maximum=_LONGEST_WAIT_SECONDS,
            multiplier=2,
            timeout=self.deadline_seconds,
            on_error=on_retry,
        )
        try:
            return retry(lambda: action(options))()
        except exceptions.RetryError as error:
            address = api_address(self.config)
            raise UnavailableError(
                f"{what}: Vertex AI at {address} did not answer{route(address)} within {self.deadline_seconds:g} s "
                f"({_text(error.cause or error).rstrip('.')}).{advice(error.cause or error) or ' Try again later.'}"
            ) from error
        except (RequestsError, GoogleAuthError) as error:
            if not is_untrusted(error):
                raise self._without_credentials(what, error) from error
            address = api_address(self.config)
            raise RefusedError(
                f"{what}: Vertex AI at {address} could not be trusted{route(address)}.{advice(error)}"
            ) from error
        except exceptions.GoogleAPICallError as error:
            refusal = UnauthenticatedError if error.code == 401 else RefusedError
            raise refusal(f"{what}: Vertex AI refuses: {self._explain(error)}") from error

    def _without_credentials(self, what: str, error: Exception) -> Exception:
        from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

        if isinstance(error, DefaultCredentialsError):
            return UnauthenticatedError(
                f"{what}: there are no Google Cloud credentials. {_LOG_IN}", renewable=False
            )
        if isinstance(error, GoogleAuthError):
            return UnauthenticatedError(f"{what}: {_text(error)} {_LOG_IN}")
        return RefusedError(f"{what}: {_text(error)}")

    def _explain(self, error: Any) -> str:
        text, project = _text(error), self.config.project
        if error.code == 401:
            return f"{text} {_LOG_IN}"
        if error.code == 403:
            account = self.config.service_account or "the project's default compute account"
            return (
                f"{text} The caller needs roles/aiplatform.user on project '{project}', and "
                f"roles/iam.serviceAccountUser on {account}."
            )
        if error.code == 404:
            return (
                f"{text} Is project '{project}' right, and region '{self.config.region}' (--project, --region), and is "
                "the Vertex AI API enabled there?"
            )
        return text


def is_transient(error: Exception) -> bool:
    """Return whether the same call may work later: lost connections, timeouts, 408, 409, 429 and 5xx."""
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.protobuf.json_format import ParseError
    from requests.exceptions import ChunkedEncodingError, ConnectionError, Timeout

    if isinstance(error, exceptions.GoogleAPICallError):
        return error.code in (408, 409, 429) or isinstance(error, exceptions.ServerError)
    if is_untrusted(error):
        return False
    if isinstance(error, GoogleAuthError):
        return isinstance(error, TransportError) or bool(error.retryable)
    # An answer that is cut off can't be parsed.
    return isinstance(error, ConnectionError | Timeout | ChunkedEncodingError | ParseError)


def is_undone(error: Exception) -> bool:
    """Return whether a call that may be repeated had no effect: the service rejected it at once."""
    return getattr(error, "code", None) == 429


def _text(error: Exception) -> str:
    """Return an error's own words, without the method and address that the client library puts before them."""
    message = getattr(error, "message", None)
    text = (message.partition(": ")[2] or message) if isinstance(message, str) else str(error)
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."
