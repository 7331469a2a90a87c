"""Calls of Vertex AI's API for models and endpoints: what is repeated, and what the errors mean."""

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ...network import advice, is_untrusted, route
from ...vertex_api import LOG_IN, ApiClients, Options, is_transient, load_module, own_words, repeat
from ..interface import ServiceError
from .refusals import explain, is_shortage
from .settings import VertexSettings

Answer = TypeVar("Answer")

CALL_SECONDS = 120.0
"""How long one call may take, its repetitions included."""
FIRST_POLL_SECONDS = 2.0
LONGEST_POLL_SECONDS = 30.0
# How long the service may take to list what it has made.
_SHOWN_SECONDS = 60.0
_RUNNING_PAGES = 5


class UnansweredError(ServiceError):
    """A call whose reply was lost, or that the service could not do now: it may have been done all the same."""

    def __init__(self, message: str) -> None:
        super().__init__(message, transient=True)


class MissingError(ServiceError):
    """There is no such resource."""


class ConflictError(ServiceError):
    """The resource exists already, or is not what it was when it was read."""


class VertexApi:
    """Calls the service.

    Args:
        settings: Where it is, and how long to wait.
    """

    def __init__(self, settings: VertexSettings) -> None:
        self._settings = settings
        self._clients = ApiClients(settings.api_address)

    @property
    def models(self) -> Any:
        """The client of the Model Registry."""
        module = load_module("services.model_service")
        return self._clients.client(module.ModelServiceClient)

    @property
    def endpoints(self) -> Any:
        """The client of endpoints."""
        module = load_module("services.endpoint_service")
        return self._clients.client(module.EndpointServiceClient)

    def read(self, what: str, call: Callable[[Options], Answer]) -> Answer:
        """Make a call that changes nothing, again and again while the service is out of reach.

        Args:
            what: What is asked for, for errors.
            call: Makes the call.

        Returns:
            Its answer.

        Raises:
            MissingError: If there is no such resource.
            UnansweredError: If the service does not answer in time.
            ServiceError: If it refuses.
        """
        return self._call(what, lambda: repeat(call, CALL_SECONDS, is_transient))

    def find(self, what: str, call: Callable[[Options], Answer]) -> Answer | None:
        """Read a resource; None if there is none."""
        try:
            return self.read(what, call)
        except MissingError:
            return None

    def change(self, what: str, call: Callable[[Options], Any]) -> Any:
        """Make a call that changes something, once, and wait for the operation that it starts.

        Args:
            what: What is done, for errors.
            call: Makes the call.

        Returns:
            Its answer; for an operation what the operation ends with, as the library returns it.

        Raises:
            ConflictError: If the resource exists already, or has changed since it was read.
            MissingError: If there is no such resource.
            UnansweredError: If the reply is lost, or the operation did not end in time: look before it is tried again.
            ServiceError: If the service refuses, or the operation fails.
        """

        def options() -> dict[str, Any]:
            return {"timeout": CALL_SECONDS, "retry": None}

        answer = self._call(what, lambda: call(options))
        started = getattr(answer, "operation", None)
        if started is not None:
            self.wait(what, started)
        return answer

    def settle(
        self, what: str, look: Callable[[], Answer | None], act: Callable[[], object]
    ) -> Answer:
        """Bring something about exactly once: look, act if it is missing, and look again whatever came of it.

        Args:
            what: What is brought about, for errors.
            look: Returns it, or None if it is missing; waits for what is under way.
            act: Brings it about.

        Returns:
            What `look` found.

        Raises:
            ServiceError: If the service refuses, or if it is still missing when the time is over.
        """
        end = time.monotonic() + self._settings.timeout_seconds
        pauses = _pauses()
        lost: ServiceError | None = None
        done = False
        while True:
            found = look()
            if found is not None:
                return found
            if lost is not None and time.monotonic() > end:
                raise lost
            if not done:
                try:
                    act()
                    done, end = True, min(end, time.monotonic() + _SHOWN_SECONDS)
                    lost = UnansweredError(f"{what}: Vertex AI says it is done, and lists nothing.")
                    continue
                except (UnansweredError, ConflictError) as error:
                    lost = error
            time.sleep(next(pauses))

    def wait(self, what: str, operation: Any) -> None:
        """Wait until an operation ends.

        Args:
            what: What it does, for errors.
            operation: The operation, as the service returns it.

        Raises:
            UnansweredError: If it did not end in time; it goes on.
            ServiceError: If it failed.
        """
        end = time.monotonic() + self._settings.timeout_seconds
        pauses = _pauses()
        while not operation.done:
            if time.monotonic() > end:
                raise UnansweredError(
                    f"{what}: not done after {self._settings.timeout_seconds:g} s. Vertex AI goes on with "
                    f"{operation.name}; the next deploy waits for it. A longer wait: "
                    "serving.deploy.vertex.timeout_seconds."
                )
            time.sleep(next(pauses))
            operation = self._read_again(what, operation.name)
        if operation.error.code:
            raise self._failed(what, operation.error)

    def _read_again(self, what: str, name: str) -> Any:
        return self.read(
            what, lambda options: self.endpoints.get_operation({"name": name}, **options())
        )

    def running(self, resource: str) -> list[Any]:
        """List the operations on a resource that have not ended; none if the resource is missing.

        Args:
            resource: Its name.
        """
        found: list[Any] = []
        token = ""
        for _ in range(_RUNNING_PAGES):
            request = {"name": resource, "page_size": 100, "page_token": token}
            page = self.find(
                f"operations on {resource}",
                lambda options: self.endpoints.list_operations(request, **options()),  # noqa: B023
            )
            if page is None:
                break
            found += [one for one in page.operations if not one.done]
            token = page.next_page_token
            if not token:
                break
        return found

    def wait_for_running(self, what: str, resource: str) -> bool:
        """Wait for the operations that an earlier try, or somebody else, left running on a resource.

        Args:
            what: What is waited for, for errors.
            resource: The resource's name.

        Returns:
            Whether there were any.
        """
        running = self.running(resource)
        for operation in running:
            try:
                self.wait(what, operation)
            except UnansweredError:
                raise
            except ServiceError:
                # Whoever started it is shown why it failed; here only counts that it has ended.
                continue
        return bool(running)

    def _call(self, what: str, call: Callable[[], Answer]) -> Answer:
        from google.api_core import exceptions
        from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
        from google.protobuf.json_format import ParseError
        from requests.exceptions import RequestException

        try:
            return call()
        except exceptions.RetryError as error:
            raise self._unanswered(what, error.cause or error) from error
        except exceptions.GoogleAPICallError as error:
            raise self._refused(what, error) from error
        except DefaultCredentialsError as error:
            raise ServiceError(
                f"{what}: there are no Google Cloud credentials. {LOG_IN}"
            ) from error
        except (RequestException, GoogleAuthError, ParseError) as error:
            if is_untrusted(error):
                address = self._settings.api_address
                raise ServiceError(
                    f"{what}: Vertex AI at {address} could not be trusted{route(address)}.{advice(error)}"
                ) from error
            if is_transient(error):
                raise self._unanswered(what, error) from error
            raise ServiceError(f"{what}: {own_words(error)} {LOG_IN}") from error

    def _unanswered(self, what: str, error: BaseException) -> UnansweredError:
        address = self._settings.api_address
        words = own_words(error) if isinstance(error, Exception) else str(error)
        return UnansweredError(
            f"{what}: Vertex AI at {address} did not answer{route(address)} ({words.rstrip('.')})."
            f"{advice(error) or ' Try again later.'}"
        )

    def _refused(self, what: str, error: Any) -> ServiceError:
        words = own_words(error)
        if error.code == 404:
            return MissingError(f"{what}: {explain(self._settings, 404, words)}")
        if error.code == 409 or (error.code == 400 and "etag" in words.lower()):
            return ConflictError(f"{what}: {words}", transient=True)
        if error.code == 429 or is_shortage(words):
            return ServiceError(
                f"{what}: {explain(self._settings, error.code, words)}", transient=True
            )
        if is_transient(error):
            return self._unanswered(what, error)
        return ServiceError(f"{what}: {explain(self._settings, error.code, words)}")

    def _failed(self, what: str, status: Any) -> ServiceError:
        """Return the error of an operation that failed, by its google.rpc.Status."""
        code = _HTTP.get(status.code, 500)
        words = " ".join(status.message.split())
        passing = code in (429, 503) or is_shortage(words)
        return ServiceError(
            f"{what}: {explain(self._settings, code, words)}", transient=passing or code == 500
        )


# google.rpc.Code, and the HTTP status that stands for it (googleapis/googleapis google/rpc/code.proto).
_HTTP = {3: 400, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 13: 500, 14: 503, 16: 401}


def _pauses() -> Iterator[float]:
    pause = FIRST_POLL_SECONDS
    while True:
        yield pause
        pause = min(pause * 1.5, LONGEST_POLL_SECONDS)
