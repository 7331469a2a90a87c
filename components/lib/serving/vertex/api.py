"""Calls of Vertex AI's API for models and endpoints: what is repeated, and what the errors mean."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ...network import advice, is_untrusted, route
from ...progress import progress
from ...vertex_api import LOG_IN, ApiClients, Options, is_transient, load_module, own_words, repeat
from ..interface import ServiceError
from .errors import ConflictError, MissingError, UnansweredError, failed, refused, unanswered
from .settings import VertexSettings

Answer = TypeVar("Answer")

CALL_SECONDS = 120.0
"""How long one call may take, its repetitions included."""
FIRST_POLL_SECONDS = 2.0
LONGEST_POLL_SECONDS = 30.0
# How long the service may take to list what it has made.
_SHOWN_SECONDS = 60.0
_RUNNING_PAGES = 5


@dataclass(frozen=True)
class Operation:
    """A long-running operation.

    Attributes:
        name: Its resource name.
        done: Whether it has ended.
        code: Its google.rpc.Code; 0 unless it failed.
        message: Why it failed.
        stage: How far a deployment is, as the service names it; empty for other operations.
    """

    name: str
    done: bool
    code: int
    message: str
    stage: str = ""


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
            self.wait(
                what,
                Operation(started.name, started.done, started.error.code, started.error.message),
            )
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
                    if time.monotonic() > end:
                        # It waited that long itself.
                        raise
            time.sleep(next(pauses))

    def wait(self, what: str, operation: Operation) -> None:
        """Wait until an operation ends.

        Args:
            what: What it does, for errors.
            operation: The operation.

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
            stage = operation.stage.replace("_", " ").lower() or "waiting for Vertex AI"
            progress(f"{what}: {stage}")
            time.sleep(next(pauses))
            operation = _to_operation(self._get(what, operation.name))
        if operation.code:
            raise failed(self._settings, what, operation.code, operation.message)

    def running(self, resource: str) -> list[Operation]:
        """List the operations on a resource that have not ended; none if the resource is missing.

        Args:
            resource: Its name.
        """
        found: list[Operation] = []
        token = ""
        for _ in range(_RUNNING_PAGES):
            try:
                page = self._get(
                    f"operations on {resource}", f"{resource}/operations", pageToken=token
                )
            except MissingError:
                break
            operations = [_to_operation(operation) for operation in page.get("operations", ())]
            found += [operation for operation in operations if not operation.done]
            token = page.get("nextPageToken", "")
            if not token:
                break
        return found

    def _get(self, what: str, name: str, **query: str) -> dict[str, Any]:
        """Read a resource as JSON.

        The library reads operations at /ui/, the first path that it knows for them (google-cloud-aiplatform 1.165,
        services/endpoint_service/transports/rest_base.py, _BaseGetOperation); the API reference has /v1/ alone.
        """

        def call(options: Options) -> dict[str, Any]:
            from google.api_core.exceptions import from_http_response

            response = self._clients.session().get(
                f"{self._settings.api_address}/v1/{name}",
                params={key: value for key, value in query.items() if value},
                timeout=options()["timeout"],
            )
            if response.status_code >= 400:
                raise from_http_response(response)
            answer: dict[str, Any] = response.json()
            return answer

        return self.read(what, call)

    def look_past_running(
        self, what: str, resource: Callable[[], str], look: Callable[[], Answer | None]
    ) -> Answer | None:
        """Look for a result, and again after what an earlier try, or somebody else, left running on a resource.

        The second look is there even if nothing runs: an operation may have ended after the first one.

        Args:
            what: What is waited for, for errors.
            resource: Returns the resource's name.
            look: Returns the result, or None if it is missing.

        Returns:
            What `look` found.

        Raises:
            UnansweredError: If an operation did not end in time.
        """
        found = look()
        if found is not None:
            return found
        for operation in self.running(resource()):
            try:
                self.wait(what, operation)
            except UnansweredError:
                raise
            except ServiceError:
                # Whoever started it is shown why it failed; here only counts that it has ended.
                continue
        return look()

    def _call(self, what: str, call: Callable[[], Answer]) -> Answer:
        from google.api_core import exceptions
        from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
        from google.protobuf.json_format import ParseError
        from requests.exceptions import RequestException

        try:
            return call()
        except exceptions.RetryError as error:
            raise unanswered(self._settings, what, error.cause or error) from error
        except exceptions.GoogleAPICallError as error:
            raise refused(self._settings, what, error) from error
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
                raise unanswered(self._settings, what, error) from error
            raise ServiceError(f"{what}: {own_words(error)} {LOG_IN}") from error


def _to_operation(message: Mapping[str, Any]) -> Operation:
    error = message.get("error", {})
    return Operation(
        name=message["name"],
        done=message.get("done", False),
        code=error.get("code", 0),
        message=error.get("message", ""),
        stage=str(message.get("metadata", {}).get("deploymentStage", "")),
    )


def _pauses() -> Iterator[float]:
    pause = FIRST_POLL_SECONDS
    while True:
        yield pause
        pause = min(pause * 1.5, LONGEST_POLL_SECONDS)
