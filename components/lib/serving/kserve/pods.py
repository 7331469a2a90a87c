"""Why pods do not become ready, as they and their containers say."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..interface import ServiceError
from .cluster import Cluster
from .manifests import VERSION

_MOST = 3
"""How many reasons are named; the pods of one Deployment mostly have the same."""


def pod_reasons(cluster: Cluster, service: str, version: int) -> list[str]:
    """List why a version's pods are not ready; empty where this account can't list pods.

    Args:
        cluster: The cluster.
        service: Name of the InferenceService.
        version: The registry's version.

    Returns:
        A sentence each, without a full stop.
    """
    labels = {"serving.kserve.io/inferenceservice": service, VERSION: str(version)}
    try:
        pods = cluster.list("v1", "pods", labels)
    except ServiceError:
        return []
    found = [reason for pod in pods for reason in _reasons(pod)]
    return list(dict.fromkeys(found))[:_MOST]


def _reasons(pod: Mapping[str, Any]) -> Iterator[str]:
    status = pod.get("status") or {}
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield f"no node for a pod: {condition.get('message') or condition.get('reason')}"
    containers = (status.get("initContainerStatuses") or []) + (
        status.get("containerStatuses") or []
    )
    for container in containers:
        state = container.get("state") or {}
        last = (container.get("lastState") or {}).get("terminated") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or last
        if ended.get("exitCode"):
            said = _last_line(ended.get("message")) or ended.get("reason") or ""
            yield f"the container {container['name']} exits with {ended['exitCode']}: {said}"
        elif waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            yield (
                f"the container {container['name']} waits: {waiting['reason']} "
                f"{_last_line(waiting.get('message'))}".rstrip()
            )


def _last_line(text: str | None) -> str:
    lines = [line for line in (text or "").strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
