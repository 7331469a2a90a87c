"""The API's own clients, one of each kind for every thread, and a session for the one request that is large.

The session of `requests` below a client is not made for several threads at once, and keeps ten connections at most.
"""

import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ....components.lib.network import keep_token
from ...project.sections.targets import VertexConfig
from .lean_api import api_module
from .requests import Post
from .settings import api_address, is_emulator

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.cloud import aiplatform_v1

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


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
