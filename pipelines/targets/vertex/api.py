"""Calls to Vertex AI: what is tried again, for how long, and what is said when it does not work out."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ....components.lib.network import advice, is_untrusted, route
from ...project.sections.targets import VertexConfig
from ..errors import RefusedError, UnauthenticatedError, UnavailableError
from .settings import api_address

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
            on_retry: Is given each error that is not the last word.

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
