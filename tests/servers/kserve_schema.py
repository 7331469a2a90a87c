"""The schema of KServe's InferenceService, from its own Go module, and the rules of its webhook.

The resource definition has 39,000 lines, most of them pod specs that retrainer does not write; those parts are left out
when it is read, and a test that writes one fails.
"""

import copy
import functools
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

DENIED = 'admission webhook "inferenceservice.kserve-webhook-server.validator" denied the request'
"""Said by the API server, with the status of the webhook: 403 (sigs.k8s.io/controller-runtime, pkg/webhook/admission,
validator_custom.go and response.go)."""
MODULE = "github.com/kserve/kserve@v0.20.0"
_LEFT_OUT = frozenset(
    [
        "affinity",
        "containers",
        "initContainers",
        "volumes",
        "workerSpec",
        "explainer",
        "transformer",
        "sklearn",
        "xgboost",
        "tensorflow",
        "pytorch",
        "triton",
        "onnx",
        "huggingface",
        "pmml",
        "lightgbm",
        "paddle",
        "topologySpreadConstraints",
        "securityContext",
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "lifecycle",
        "envFrom",
        "autoScaling",
        "ephemeralContainers",
        "resourceClaims",
    ]
)
_UNREAD = "x-left-out"


class InvalidError(Exception):
    """An object that the API server, or KServe's webhook, refuses."""


@functools.cache
def definition() -> Path:
    """Return the file with the resource definition; the test is skipped where the module can't be had."""
    if shutil.which("go") is None:
        pytest.skip("KServe's schema is in its Go module, and there is no go here")
    done = subprocess.run(
        ["go", "mod", "download", "-json", MODULE], capture_output=True, text=True, check=False
    )
    found = json.loads(done.stdout or "{}")
    if done.returncode or "Dir" not in found:
        pytest.skip(f"KServe's module can't be had here: {found.get('Error') or done.stderr}")
    return Path(found["Dir"], "config/crd/full/serving.kserve.io_inferenceservices.yaml")


def minimal_definition() -> Path:
    """Return the file of the definition of KServe's chart kserve-crd-minimal: it takes any spec, as one value."""
    full = definition()
    return full.parent.parent / "minimal" / full.name


@functools.cache
def schema() -> dict[str, Any]:
    """Read the schema of an InferenceService."""
    text = "\n".join(_without_pod_specs(definition().read_text().splitlines()))
    loaded = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    (version,) = loaded["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return found


def without(*fields: str) -> dict[str, Any]:
    """Return the schema of an older KServe, whose `spec` and `spec.predictor` lack some fields."""
    older = copy.deepcopy(schema())
    spec = older["properties"]["spec"]["properties"]
    for field in fields:
        spec.pop(field, None)
        spec["predictor"]["properties"].pop(field, None)
    return older


def _without_pod_specs(lines: list[str]) -> list[str]:
    kept, skipped = [], -1
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if skipped >= 0 and (
            indent > skipped
            or not line.strip()
            or (line.lstrip().startswith("- ") and indent == skipped)
        ):
            continue
        skipped = -1
        name = line.strip().removesuffix(":")
        if name in _LEFT_OUT and line.rstrip().endswith(":"):
            kept.append(f"{line.rstrip()} {{{_UNREAD}: true}}")
            skipped = indent
        else:
            kept.append(line)
    return kept


def check_schema(value: Any, rule: dict[str, Any], path: str) -> None:
    """Check a value as the API server does: types, required and unknown fields, enums, patterns, limits."""
    assert _UNREAD not in rule, f"the schema of {path} is left out, see this module"
    if rule.get("x-kubernetes-preserve-unknown-fields") and "properties" not in rule:
        return
    if rule.get("x-kubernetes-int-or-string"):
        if not isinstance(value, int | str) or not re.search(rule.get("pattern", ""), str(value)):
            raise InvalidError(f"{path}: Invalid value: {value!r}")
        return
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    kind = kinds.get(rule.get("type", ""))
    if kind and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise InvalidError(f"{path}: Invalid value: {value!r}: must be of type {rule['type']}")
    if "enum" in rule and value not in rule["enum"]:
        raise InvalidError(f"{path}: Unsupported value: {value!r}")
    if "pattern" in rule and not re.search(rule["pattern"], value):
        raise InvalidError(f"{path}: Invalid value: {value!r}: should match '{rule['pattern']}'")
    if isinstance(value, int) and not rule.get("minimum", value) <= value <= rule.get(
        "maximum", value
    ):
        raise InvalidError(f"{path}: Invalid value: {value}: out of bounds")
    if isinstance(value, dict):
        for missing in set(rule.get("required", ())) - value.keys():
            raise InvalidError(f"{path}.{missing}: Required value")
        for key, inner in value.items():
            further = rule.get("properties", {}).get(key, rule.get("additionalProperties"))
            if further is None:
                raise UnknownFieldError(f"{path}.{key}: field not declared in schema")
            check_schema(inner, further, f"{path}.{key}")
    if isinstance(value, list):
        for i, inner in enumerate(value):
            check_schema(inner, rule["items"], f"{path}[{i}]")


class UnknownFieldError(InvalidError):
    """A field that the schema does not have; server-side apply refuses it with a status of its own."""


def check_webhook(new: dict[str, Any], old: dict[str, Any] | None) -> None:
    """Check what KServe's validating webhook checks: pkg/apis/serving/v1beta1/inference_service_validation.go.

    The functions there are named beside each rule.
    """
    spec, metadata = new["spec"], new["metadata"]
    predictor, mode = spec.get("predictor", {}), metadata.get("annotations", {}).get(MODE)
    if not re.fullmatch(
        r"[a-z]([-a-z0-9]*[a-z0-9])?", metadata["name"]
    ):  # validateInferenceServiceName
        raise InvalidError(f'the InferenceService "{metadata["name"]}" is invalid')
    if old:
        was = SPELLINGS.get(old.get("status", {}).get("deploymentMode", ""), "")
        if was and mode and mode != was:  # validateDeploymentMode
            raise InvalidError(
                f"update rejected: deploymentMode cannot be changed from '{was}' to '{mode}'"
            )
        before = old["spec"].get("predictor", {})
        same = before.get("model", {}).get("storageUri") == predictor.get("model", {}).get(
            "storageUri"
        )
        if before.get("name") != predictor.get("name") and same:  # validatePredictorNameChange
            raise InvalidError("predictor.name change requires a model change (e.g. storageUri)")
    if "model" not in predictor:  # validateExactlyOneImplementation
        raise InvalidError(
            "Exactly one of [Custom, ONNX, SKLearn, ...] must be specified in PredictorSpec"
        )
    _check_replicas(predictor)
    _check_canaries(spec.get("canary") or [], predictor, mode)


def _check_replicas(predictor: dict[str, Any]) -> None:  # component.go, validateReplicas
    low, high = predictor.get("minReplicas"), predictor.get("maxReplicas", 0)
    if low is not None and low < 0:
        raise InvalidError("'MinReplicas' cannot be less than 0")
    if low is not None and high and low > high:
        raise InvalidError("'MinReplicas' cannot be greater than MaxReplicas")


def _check_canaries(  # validateCanarySpecs
    canaries: list[dict[str, Any]], stable: dict[str, Any], mode: str | None
) -> None:
    if not canaries:
        return
    if mode != "Standard":
        raise InvalidError("canary is only supported in Standard deployment mode")
    names: set[str] = set()
    for i, entry in enumerate(canaries):
        predictor = entry["predictor"]
        name = predictor.get("name")
        if not name:
            raise InvalidError(f"canary[{i}] predictor.name is required")
        if name in names:
            raise InvalidError(f'canary predictor.name "{name}" is duplicated')
        if name == stable.get("name"):
            raise InvalidError(
                f'canary predictor.name "{name}" conflicts with stable predictor name'
            )
        names.add(name)
        if "model" not in predictor:
            raise InvalidError(f'canary "{name}" predictor: Exactly one of [...] must be specified')
        if predictor.get("maxReplicas", 0) > 0:
            raise InvalidError(
                f'canary "{name}" must not set maxReplicas (canary uses fixed replicas)'
            )
        for key in ("scaleTarget", "scaleMetric", "autoScaling", "workerSpec"):
            if key in predictor:
                raise InvalidError(f'canary "{name}" must not set {key}')
        if predictor.get("minReplicas", 0) > stable.get("minReplicas", 1):
            raise InvalidError(
                f'canary "{name}" minReplicas must not exceed stable predictor minReplicas'
            )
    if sum(entry["trafficPercent"] for entry in canaries) > 100:
        raise InvalidError("sum of canary trafficPercent values must be <= 100")


MODE = "serving.kserve.io/deploymentMode"
SPELLINGS = {
    "RawDeployment": "Standard",
    "Serverless": "Knative",
    "Standard": "Standard",
    "Knative": "Knative",
}


def set_defaults(isvc: dict[str, Any], default_mode: str) -> None:
    """Set what KServe's defaulting webhook sets: inference_service_defaults.go, DefaultInferenceService."""
    annotations = isvc["metadata"].setdefault("annotations", {})
    if MODE in annotations:
        annotations[MODE] = SPELLINGS.get(annotations[MODE], annotations[MODE])
    elif default_mode == "Standard":
        annotations[MODE] = "Standard"
    model = isvc["spec"].get("predictor", {}).get("model")
    if model:
        model.setdefault("runtime", "kserve-tensorflow-serving")
