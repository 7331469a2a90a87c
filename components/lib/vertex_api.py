"""Vertex AI's client library, loaded lean: its modules, clients with their credentials, and which errors may pass.

Pipelines call it for runs and schedules, services that serve models for the Model Registry and endpoints.
"""

import importlib
import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from .lean_imports import enter_lean
from .network import is_untrusted, keep_token

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.auth.transport.requests import AuthorizedSession

Answer = TypeVar("Answer")
Options = Callable[[], dict[str, Any]]
"""Gives a GAPIC method its `timeout` (what is left of the time, at most half of it all) and forbids its own retries."""

LOG_IN = (
    "Log in with 'gcloud auth application-default login', or name a key file in the variable "
    "GOOGLE_APPLICATION_CREDENTIALS."
)
_FIRST_WAIT_SECONDS = 0.25
_LONGEST_WAIT_SECONDS = 5.0
_LEAST_TIMEOUT_SECONDS = 0.1
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_PACKAGES = {"v1": "google.cloud.aiplatform_v1", "v1beta1": "google.cloud.aiplatform_v1beta1"}


def enter_library() -> None:
    """Let modules of the client library be imported without the clients of all its services."""
    for package in _PACKAGES.values():
        enter_lean(package, f"{package}.services", f"{package}.types")


def load_module(name: str, version: str = "v1") -> Any:
    """Load a module of the client library, and not the clients of all services.

    Args:
        name: Its name within the package of the version, such as `types.schedule`.
        version: Version of the API.
    """
    enter_library()
    return importlib.import_module(f"{_PACKAGES[version]}.{name}")


def address_of(region: str, override: str | None = None) -> str:
    """Return the API's address in a region, without a slash at its end.

    Args:
        region: The region.
        override: Another address, such as that of an emulator.
    """
    return (override or f"https://{region}-aiplatform.googleapis.com").rstrip("/")


def is_emulator(address: str) -> bool:
    """Return whether an address is that of a program on this machine that speaks plain HTTP and wants no login."""
    url = urlsplit(address)
    return url.scheme == "http" and url.hostname in _LOOPBACK


class ApiClients:
    """Opens clients when they are first needed: their library takes seconds to load.

    The session of `requests` below a client is not made for several threads at once, and keeps at most ten
    connections. So there is one client of each kind for every thread.

    Args:
        address: The API's address.
        credentials: Credentials to call it with. If not given: none for an emulator on this machine, else Google's
            application default ones.
    """

    def __init__(self, address: str, credentials: "Credentials | None" = None) -> None:
        self.address = address
        self._given = credentials
        self._lock = threading.Lock()
        self._own = threading.local()

    def client(self, kind: Any) -> Any:
        """Return this thread's client.

        Args:
            kind: Its class in the client library.

        Raises:
            DefaultCredentialsError: If there are no credentials.
        """

        def make() -> Any:
            transport = kind.get_transport_class("rest")(
                host=self.address, credentials=self.credentials
            )
            if hasattr(transport, "_session"):
                keep_token(transport._session)
            return kind(transport=transport)

        return self.keep(kind.__name__, make)

    def session(self) -> "AuthorizedSession":
        """Return this thread's session, for requests that the client library can't make.

        Raises:
            DefaultCredentialsError: If there are no credentials.
        """

        def make() -> "AuthorizedSession":
            from google.auth.transport.requests import AuthorizedSession

            session = AuthorizedSession(self.credentials)
            keep_token(session)
            return session

        kept: AuthorizedSession = self.keep("session", make)
        return kept

    def keep(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what this thread keeps under a name, made at the first use."""
        if not hasattr(self._own, name):
            setattr(self._own, name, make())
        return getattr(self._own, name)

    @property
    def credentials(self) -> Any:
        """The credentials to call with, looked up once."""
        with self._lock:
            return self._found_credentials

    @cached_property
    def _found_credentials(self) -> Any:
        import google.auth
        from google.auth.credentials import AnonymousCredentials

        if self._given is not None:
            return self._given
        if is_emulator(self.address):
            return AnonymousCredentials()
        return google.auth.default(scopes=[_SCOPE])[0]


def repeat(
    action: Callable[[Options], Answer],
    deadline_seconds: float,
    is_temporary: Callable[[Exception], bool],
    on_retry: Callable[[Exception], None] | None = None,
) -> Answer:
    """Call the service, again and again with growing pauses while its errors may pass.

    Args:
        action: Makes the call. It may be made more than once, and must then do no harm.
        deadline_seconds: How long the call may take in all, its repetitions included.
        is_temporary: Whether a call that failed so may work later.
        on_retry: Called with each error that is retried.

    Returns:
        What the action returns.

    Raises:
        RetryError: If the time is over; its cause is the last error.
    """
    from google.api_core.retry import Retry

    end = time.monotonic() + deadline_seconds

    def options() -> dict[str, Any]:
        left = min(end - time.monotonic(), deadline_seconds / 2)
        return {"timeout": max(left, _LEAST_TIMEOUT_SECONDS), "retry": None}

    retry = Retry(
        predicate=is_temporary,
        initial=_FIRST_WAIT_SECONDS,
        maximum=_LONGEST_WAIT_SECONDS,
        multiplier=2,
        timeout=deadline_seconds,
        on_error=on_retry,
    )
    return retry(lambda: action(options))()


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


def own_words(error: Exception) -> str:
    """Return an error's own words, without the method and address that the client library puts before them."""
    message = getattr(error, "message", None)
    text = (message.partition(": ")[2] or message) if isinstance(message, str) else str(error)
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."
