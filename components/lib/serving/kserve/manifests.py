"""The InferenceService as it is written, and what is read back from it."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..interface import ServedModel
from .cluster import GROUP, MANAGER
from .settings import KServeSettings

VERSION = "retrainer/version"
VARIANT = "retrainer/variant"
PIPELINE = "retrainer/pipeline"
MODE = "serving.kserve.io/deploymentMode"
_MANAGED_BY = "app.kubernetes.io/managed-by"
_CANARY_FORBIDS = ("maxReplicas",)


@dataclass(frozen=True)
class Variant:
    """A version as a predictor: what one revision or Deployment runs.

    Attributes:
        version: The registry's version.
        key: Identifies the version with its settings; the label `retrainer/variant`.
        predictor: The predictor, with the replicas of a stable one.
    """

    version: int
    key: str
    predictor: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Return the predictor's name in the standard mode: it changes with the model, and with nothing else."""
        return str(self.predictor["name"])

    def as_canary(self, percent: int, share: int) -> dict[str, Any]:
        """Return the entry of `spec.canary`.

        Args:
            percent: Share of the requests.
            share: Share of the requests that its replicas are for, in percent.
        """
        predictor = {
            key: value for key, value in self.predictor.items() if key not in _CANARY_FORBIDS
        }
        # The full resource definition requires it here (config/crd/full, .spec.canary), and the stable one forbids it.
        predictor["model"] = {**predictor["model"], "name": "kserve-container"}
        # KServe would start none for 0 percent (canaryReplicaCount in components/predictor.go).
        wanted = math.ceil(self.predictor["minReplicas"] * share / 100)
        predictor["minReplicas"] = max(1, wanted)
        return {"predictor": predictor, "trafficPercent": percent}


def variant(model: ServedModel, uri: str, settings: KServeSettings, named: bool) -> Variant:
    """Make the predictor of a version.

    Args:
        model: The version.
        uri: Where KServe's storage initializer reads it.
        settings: The settings.
        named: Whether it has a name, as in the standard mode.

    Returns:
        The variant.
    """
    spec: dict[str, Any] = {"modelFormat": {"name": "tensorflow"}, "storageUri": uri}
    for key, value in (
        ("runtime", settings.runtime),
        ("runtimeVersion", settings.runtime_version),
        ("protocolVersion", settings.protocol_version),
    ):
        if value:
            spec[key] = value
    resources = {
        key: dict(value)
        for key, value in (("requests", settings.requests), ("limits", settings.limits))
        if value
    }
    if resources:
        spec["resources"] = resources
    predictor: dict[str, Any] = {"model": spec, "annotations": _annotations(model, settings)}
    if settings.service_account:
        predictor["serviceAccountName"] = settings.service_account
    if settings.node_selector:
        predictor["nodeSelector"] = dict(settings.node_selector)
    if settings.request_timeout_seconds:
        predictor["timeout"] = settings.request_timeout_seconds
    if settings.request_log:
        predictor["logger"] = dict(settings.request_log)
    replicas = {"minReplicas": max(settings.min_replicas, 1) if named else settings.min_replicas}
    if settings.max_replicas is not None:
        replicas["maxReplicas"] = settings.max_replicas
    if named:
        predictor["name"] = f"v{model.version}-{model.digest[:6]}"
    else:
        # In the Knative mode they are part of a revision; a Deployment is scaled as it is.
        predictor.update(replicas)
    text = json.dumps([predictor, dict(settings.labels)], sort_keys=True)
    key = f"v{model.version}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"
    predictor["labels"] = {**settings.labels, VERSION: str(model.version), VARIANT: key}
    predictor.update(replicas)
    return Variant(model.version, key, predictor)


def _annotations(model: ServedModel, settings: KServeSettings) -> dict[str, str]:
    known = {key: str(model.info[key]) for key in ("run", "span") if model.info.get(key)}
    return {
        **settings.annotations,
        "retrainer/digest": model.digest,
        **{f"retrainer/{key}": value for key, value in known.items()},
    }


def manifest(
    settings: KServeSettings,
    namespace: str,
    pipeline: str,
    predictor: Mapping[str, Any],
    canary: list[Mapping[str, Any]],
    found: Mapping[str, Any] | None,
    mode: str,
) -> dict[str, Any]:
    """Make the InferenceService, as a whole: what is not in it is no longer ours.

    Args:
        settings: The settings.
        namespace: Its namespace.
        pipeline: Name of the pipeline.
        predictor: `spec.predictor`.
        canary: `spec.canary`; left out if empty.
        found: The object as it was read; None if there is none.
        mode: The deployment mode to write if there is none.

    Returns:
        The object, to be applied.
    """
    metadata: dict[str, Any] = {
        "name": settings.service,
        "namespace": namespace,
        "labels": {_MANAGED_BY: MANAGER, PIPELINE: pipeline},
    }
    if found:
        metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
        mode = str(found["metadata"].get("annotations", {}).get(MODE, ""))
    if mode:
        metadata["annotations"] = {MODE: mode}
    spec: dict[str, Any] = {"predictor": predictor}
    if canary:
        spec["canary"] = canary
    return {
        "apiVersion": GROUP,
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": spec,
    }


def is_ours(found: Mapping[str, Any]) -> bool:
    """Return whether an InferenceService was made, or taken over, by retrainer."""
    return bool(found["metadata"].get("labels", {}).get(_MANAGED_BY) == MANAGER)


def labels_of(predictor: Mapping[str, Any]) -> Mapping[str, str]:
    """Return a predictor's labels."""
    return predictor.get("labels") or {}


def version_of(labels: Mapping[str, str]) -> int | None:
    """Return the registry's version that labels name; None if they name none."""
    text = labels.get(VERSION, "")
    return int(text) if text.isdecimal() else None


def holds(found: Any, wanted: Any) -> bool:
    """Return whether an object has every wanted field; the cluster adds others by default."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            key in found and holds(found[key], value) for key, value in wanted.items()
        )
    return bool(found == wanted)


def owned(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has to be applied for an object's spec to stay: the fields that were applied by retrainer.

    Where a spec is one value (KServe's minimal resource definition), whoever applies writes all of it.
    """
    taken: dict[str, Any] = {}
    for entry in found["metadata"].get("managedFields") or []:
        fields = (entry.get("fieldsV1") or {}).get("f:spec")
        if fields == {}:
            return dict(found.get("spec") or {})
        if fields and entry.get("manager") == MANAGER and entry.get("operation") == "Apply":
            taken = dict(_take(found.get("spec") or {}, fields))
    return taken


def _take(value: Any, fields: Mapping[str, Any]) -> Any:
    """Return the part of a value that field paths name (sigs.k8s.io/structured-merge-diff, fieldpath/serialize.go)."""
    names = [key[2:] for key in fields if key.startswith("f:")]
    if not names or not isinstance(value, Mapping):
        return value
    return {name: _take(value[name], fields[f"f:{name}"]) for name in names if name in value}
