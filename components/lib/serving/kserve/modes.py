"""Which of KServe's deployment modes an InferenceService has; its two canaries differ by it."""

import json
from collections.abc import Mapping
from typing import Any

from ..interface import ServiceError
from .cluster import Cluster
from .knative import Knative
from .manifests import MODE
from .settings import KServeSettings
from .standard import Standard
from .steps import Mode

_CONFIG = "inferenceservice-config"
# kserve/kserve pkg/constants/constants.go: names since 0.16, and before.
_NAMES = {
    "Standard": "standard",
    "RawDeployment": "standard",
    "Knative": "knative",
    "Serverless": "knative",
}


def read_mode(cluster: Cluster, settings: KServeSettings, found: Mapping[str, Any] | None) -> Mode:
    """Read the deployment mode in KServe's own order: status, annotation, the installation's default.

    Args:
        cluster: The cluster.
        settings: The settings, whose `mode` is written into an InferenceService that is new.
        found: The InferenceService; None if there is none.

    Returns:
        The mode.

    Raises:
        ServiceError: If the mode is unsupported, can't be known, or is another than `mode`.
    """
    there = _mode_of(found)
    if not there and not settings.mode:
        there = _default(cluster, settings)
    name = _NAMES.get(there, "") if there else settings.mode
    if not name:
        raise ServiceError(
            f"the InferenceService '{settings.service}' has the deployment mode '{there}', which is unsupported: use "
            "standard or knative."
        )
    if settings.mode and settings.mode != name:
        raise ServiceError(
            f"the InferenceService '{settings.service}' has the deployment mode '{there}', and serving.deploy.kserve."
            f"mode is '{settings.mode}'. KServe can't change the mode of one that there is: remove the setting, or "
            "name another service."
        )
    return Knative() if name == "knative" else Standard()


def _mode_of(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    said = (found.get("status") or {}).get("deploymentMode")
    return str(said or (found["metadata"].get("annotations") or {}).get(MODE) or "")


def _default(cluster: Cluster, settings: KServeSettings) -> str:
    place = f"the ConfigMap '{_CONFIG}' in the namespace '{settings.config_namespace}'"
    fix = "Set serving.deploy.kserve.mode to standard or knative."
    try:
        config = cluster.get("v1", "configmaps", _CONFIG, settings.config_namespace)
    except ServiceError as error:
        if error.transient:
            raise
        raise ServiceError(
            f"the deployment mode of KServe can't be read from {place}: {error} {fix}"
        ) from error
    if config is None:
        raise ServiceError(
            f"there is no {place.removeprefix('the ')}, which says the deployment mode. {fix}"
        )
    try:
        said = json.loads(config["data"]["deploy"])["defaultDeploymentMode"]
    except (KeyError, TypeError, ValueError):
        raise ServiceError(f"{place} names no defaultDeploymentMode. {fix}") from None
    return str(said)
