"""Vertex AI's API as runs and schedules use it: clients, retries, and what its errors mean here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ....components.lib.network import advice, is_untrusted, route
from ....components.lib.vertex_api import (
    LOG_IN,
    ApiClients,
    Options,
    enter_library,
    is_transient,
    load_module,
    own_words,
    repeat,
)
from ...project.sections.targets import VertexConfig
from ..errors import RefusedError, UnauthenticatedError, UnavailableError
from .settings import api_address

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud import aiplatform_v1

Answer = TypeVar("Answer")

# Modules beside this one import the library's types.
enter_library()


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
    return load_module(name, api_version(config))


@dataclass(frozen=True)
class Post:
    """A request that creates something.

    Attributes:
        url: Where it is sent, query included.
        body: JSON.
    """

    url: str
    body: str


class VertexClients(ApiClients):
    """Opens the clients of runs and schedules when they are first needed.

    Args:
        config: Where the service is.
        credentials: Credentials to call it with; see `ApiClients`.
    """

    def __init__(self, config: VertexConfig, credentials: "Credentials | None") -> None:
        super().__init__(api_address(config), credentials)
        self._config = config

    def pipelines(self) -> "aiplatform_v1.PipelineServiceClient":
        """Return this thread's client of runs.

        Raises:
            DefaultCredentialsError: If there are no credentials.
        """
        module = api_module(self._config, "services.pipeline_service")
        return self.client(module.PipelineServiceClient)

    def schedules(self) -> "aiplatform_v1.ScheduleServiceClient":
        """Return this thread's client of schedules.

        Raises:
            DefaultCredentialsError: If there are no credentials.
        """
        module = api_module(self._config, "services.schedule_service")
        return self.client(module.ScheduleServiceClient)

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

        response = self.session().post(
            post.url,
            data=post.body.encode(),
            headers={"Content-Type": "application/json"},
            timeout=timeout,
        )
        if response.status_code >= 400:
            raise from_http_response(response)
        kind = api_module(self._config, "types.pipeline_job").PipelineJob
        return kind.from_json(response.content, ignore_unknown_fields=True)


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
        from google.auth.exceptions import GoogleAuthError
        from requests.exceptions import RequestException as RequestsError

        try:
            return repeat(action, self.deadline_seconds, is_transient, on_retry)
        except exceptions.RetryError as error:
            address = api_address(self.config)
            raise UnavailableError(
                f"{what}: Vertex AI at {address} did not answer{route(address)} within {self.deadline_seconds:g} s "
                f"({own_words(error.cause or error).rstrip('.')}).{advice(error.cause or error) or ' Try again later.'}"
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
                f"{what}: there are no Google Cloud credentials. {LOG_IN}", renewable=False
            )
        if isinstance(error, GoogleAuthError):
            return UnauthenticatedError(f"{what}: {own_words(error)} {LOG_IN}")
        return RefusedError(f"{what}: {own_words(error)}")

    def _explain(self, error: Any) -> str:
        text, project = own_words(error), self.config.project
        if error.code == 401:
            return f"{text} {LOG_IN}"
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


def is_undone(error: Exception) -> bool:
    """Return whether a call that may be repeated had no effect: the service rejected it at once."""
    return getattr(error, "code", None) == 429
