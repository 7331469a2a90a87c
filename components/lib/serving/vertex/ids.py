"""The IDs that are proposed to Vertex AI, so that a retry asks for the same thing again and makes no second one."""

import re
from collections.abc import Callable

from ..interface import ServiceError
from .errors import ConflictError
from .settings import VertexSettings, digest_of

# IDs that are tried, and how often the service must refuse one as used while nothing has it.
_IDS, _REFUSALS = 3, 3


class ProposedIds:
    """IDs to create something with: always the same one, unless the service refuses it and nothing has it.

    Args:
        what: What is created, for errors.
        make: Returns the ID of an attempt, counted from 0.
    """

    def __init__(self, what: str, make: Callable[[int], str]) -> None:
        self._what = what
        self._make = make
        self._refusals = 0

    def use(self, create: Callable[[str], None]) -> None:
        """Create something with the ID of this attempt.

        Args:
            create: Creates it.

        Raises:
            ConflictError: If the service has that ID already: look before the next attempt.
            ServiceError: If it refused all of them.
        """
        attempt = self._refusals // _REFUSALS
        if attempt == _IDS:
            raise ServiceError(f"{self._what}: Vertex AI refuses its {_IDS} IDs as used by others.")
        try:
            create(self._make(attempt))
        except ConflictError:
            self._refusals += 1
            raise


def endpoint_id(settings: VertexSettings, attempt: int) -> str:
    """Return the ID of the endpoint that is created: the same settings get the same, so that no retry makes two.

    Args:
        settings: Of the service.
        attempt: Counts IDs that the service refused.
    """
    head = re.sub(r"[^a-z0-9]+", "-", settings.pipeline.lower()).strip("-")[:40].rstrip("-")
    return f"{head}-{digest_of((settings.pipeline, settings.endpoint, attempt))}"


def deployed_id(endpoint: str, deployment: str, attempt: int) -> str:
    """Return an ID of a deployed model: the same deployment gets the same, so that no retry deploys twice.

    Args:
        endpoint: Resource name of the endpoint.
        deployment: Display name of the deployment.
        attempt: Counts IDs that the service refused.

    Returns:
        Ten digits, the most that the service takes.
    """
    number = int(digest_of((endpoint.rpartition("/")[2], deployment, attempt), 15), 16)
    return str(10**9 + number % (9 * 10**9))
