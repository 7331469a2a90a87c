"""What the deployment modes have in common: a target, and the next step towards it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..interface import Served
from .cluster import MANAGER, Cluster
from .manifests import Variant


@dataclass(frozen=True)
class Target:
    """A plan as predictors.

    Attributes:
        stable: What answers the requests that the canary does not.
        canary: What is rolled out; None for nothing.
        percent: Share of the requests that the canary answers.
    """

    stable: Variant
    canary: Variant | None = None
    percent: int = 0


@dataclass(frozen=True)
class Apply:
    """A step that changes the InferenceService.

    Attributes:
        predictor: `spec.predictor`.
        canary: `spec.canary`.
    """

    predictor: Mapping[str, Any]
    canary: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Wait:
    """A step that waits for the cluster.

    Attributes:
        until: What it waits for.
        broken: Why it will not be so, as the cluster says; empty while nothing speaks against it.
    """

    until: str
    broken: str = ""


class Mode(Protocol):
    """A deployment mode: KServe's two canaries have nothing in common but the resource."""

    spelling: str
    """The mode's name in an annotation, as every release of KServe reads it."""
    named: bool
    """Whether predictors have names."""

    def step(
        self, cluster: Cluster, found: Mapping[str, Any] | None, target: Target
    ) -> Apply | Wait | None:
        """Return the next step towards a target; None if it is reached."""
        ...

    def before(self, cluster: Cluster, found: Mapping[str, Any], target: Target) -> Variant | None:
        """Return what serves the requests now, to go back to; None if its predictor can't be known."""
        ...

    def served(self, cluster: Cluster, found: Mapping[str, Any]) -> Served:
        """Return what serves."""
        ...


def condition(found: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return a condition of an object; empty if it has none of that kind."""
    for one in (found.get("status") or {}).get("conditions") or []:
        if one.get("type") == kind:
            return dict(one)
    return {}


def is_ready(found: Mapping[str, Any]) -> bool:
    """Return whether an InferenceService is ready."""
    return condition(found, "Ready").get("status") == "True"


def failed_load(found: Mapping[str, Any]) -> str:
    """Return why the model can't be loaded, as KServe says; empty if it does not say so."""
    status = (found.get("status") or {}).get("modelStatus") or {}
    if status.get("transitionStatus") not in ("BlockedByFailedLoad", "InvalidSpec"):
        return ""
    info = status.get("lastFailureInfo") or {}
    return str(info.get("message") or info.get("reason") or status["transitionStatus"])


def address_of(found: Mapping[str, Any]) -> str:
    """Return where clients send requests."""
    status = found.get("status") or {}
    return str(status.get("url") or (status.get("address") or {}).get("url") or "")


def managers_of(found: Mapping[str, Any], *path: str) -> list[str]:
    """List who else than retrainer manages a field of an object's spec."""
    managers = []
    for entry in found["metadata"].get("managedFields") or []:
        fields: Any = (entry.get("fieldsV1") or {}).get("f:spec")
        for name in path:
            fields = fields.get(f"f:{name}") if fields else None
        ours = entry.get("manager") == MANAGER and entry.get("operation") == "Apply"
        if fields is not None and not ours:
            managers.append(str(entry.get("manager")))
    return managers
