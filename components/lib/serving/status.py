"""What a service serves beside what it should, without changing anything."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import RetrainerError
from .deployments import PlannedVersions
from .differences import find_differences
from .interface import Plan, Served
from .services import open_service

_log = logging.getLogger("retrainer.serving")


@dataclass(frozen=True)
class ServiceStatus:
    """A service beside the plan.

    Attributes:
        service: Its name in `serving.deploy`.
        plan: What should serve.
        served: What it says serves; None if it did not answer.
        differences: A sentence for each difference.
        error: Why it did not answer; empty if it did.
    """

    service: str
    plan: PlannedVersions
    served: Served | None = None
    differences: tuple[str, ...] = ()
    error: str = ""


def read_service_status(
    name: str, service: str, settings: Mapping[str, Any], plan: Plan
) -> ServiceStatus:
    """Ask a service what serves.

    Args:
        name: Name of the pipeline.
        service: The service's name in `serving.deploy`.
        settings: Its section there.
        plan: What should serve.

    Returns:
        Its status; a service that does not answer is one, too.
    """
    numbers = PlannedVersions.of(plan)
    try:
        served = open_service(service, settings, name).status()
    except (RetrainerError, OSError) as error:
        return ServiceStatus(service, numbers, error=str(error))
    except Exception as error:
        _log.debug("the status of %s can't be read.", service, exc_info=True)
        return ServiceStatus(service, numbers, error=f"{type(error).__name__}: {error}")
    return ServiceStatus(service, numbers, served, find_differences(numbers, served))
