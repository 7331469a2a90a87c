"""The API's own clients, one of each kind for every thread.

The session of `requests` below a client is not made for several threads at once, and keeps ten connections at the most.
"""

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..target_config import VertexConfig
from .vertex_settings import api_address, is_emulator

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
        """Give this thread's client of runs.

        Raises:
            DefaultCredentialsError: If there are no credentials.
        """
        from google.cloud.aiplatform_v1 import PipelineServiceClient

        return self._get(PipelineServiceClient)

    def schedules(self) -> "aiplatform_v1.ScheduleServiceClient":
        """Give this thread's client of schedules.

        Raises:
            DefaultCredentialsError: If there are no credentials.
        """
        from google.cloud.aiplatform_v1 import ScheduleServiceClient

        return self._get(ScheduleServiceClient)

    def _get(self, kind: Any) -> Any:
        name = kind.__name__
        if not hasattr(self._own, name):
            with self._lock:
                credentials = self._credentials
            transport = kind.get_transport_class("rest")
            client = kind(
                transport=transport(host=api_address(self._config), credentials=credentials)
            )
            setattr(self._own, name, client)
        return getattr(self._own, name)

    @cached_property
    def _credentials(self) -> Any:
        import google.auth
        from google.auth.credentials import AnonymousCredentials

        if self._given is not None:
            return self._given
        if is_emulator(self._config):
            return AnonymousCredentials()
        return google.auth.default(scopes=[_SCOPE])[0]
