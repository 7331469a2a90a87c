"""The fields of a compiled pipeline that every reader knows: Kubeflow Pipelines from 2.0 on, Vertex AI, kfp's tools.

Up to Kubeflow Pipelines 2.3 a task's driver refuses a field that it does not know (kubeflow/pipelines 2.3.0,
backend/src/v2/cmd/driver/main.go, jsonpb), and from 2.14 on the API server does, for Kubernetes' settings (2.14.0,
backend/src/v2/compiler/argocompiler/container.go, protojson). kfp writes each of the fields below twice, under its old
name and under its new one, or with the value that it has anyway. All versions read the old name (2.17.0,
backend/src/v2/driver/driver.go and k8s.go), so that one is kept and the other is left out.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_TWICE_IN_RESOURCES = {
    "resourceCpuLimit": "cpuLimit",
    "resourceCpuRequest": "cpuRequest",
    "resourceMemoryLimit": "memoryLimit",
    "resourceMemoryRequest": "memoryRequest",
}
_TWICE_IN_ACCELERATOR = {"resourceType": "type", "resourceCount": "count"}
# In lists of a task's Kubernetes settings; a parameter that is a constant repeats the old name.
_TWICE_IN_KUBERNETES = {
    "secretNameParameter": "secretName",
    "configMapNameParameter": "configMapName",
    "pvcNameParameter": "constant",
}


def drop_new_names(
    spec: Mapping[str, Any], platforms: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Leave out the fields that repeat others under a name that some backends do not know.

    Args:
        spec: The pipeline spec, as kfp's compiler writes it.
        platforms: The document with Kubernetes' settings; empty if there is none.

    Returns:
        Both, without those fields.
    """
    kept, kept_platforms = _copy(spec), _copy(platforms)
    for executor in _executors(kept):
        resources = executor.get("container", {}).get("resources", {})
        _drop(resources, _TWICE_IN_RESOURCES)
        _drop(resources.get("accelerator", {}), _TWICE_IN_ACCELERATOR)
    for platform in kept_platforms.get("platforms", {}).values():
        for executor in _executors(platform):
            for setting in executor.values():
                for one in setting if isinstance(setting, list) else ():
                    _drop(one, _TWICE_IN_KUBERNETES)
                    if one.get("optional") is False:
                        del one["optional"]
    return kept, kept_platforms


def drop_unused_inputs(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out a component's optional artifacts where no task has one for it.

    kfp's local runner wants every artifact that a component may take (kfp/local/executor_input_utils.py of kfp 2.13 and
    2.16, construct_executor_input). The component's function finds none either way.

    Args:
        spec: The pipeline spec.

    Returns:
        Another one, without those inputs.
    """
    kept: dict[str, Any] = _copy(spec)
    components = kept.get("components", {})
    used: dict[str, set[str]] = {name: set() for name in components}
    for dag in (kept.get("root", {}), *components.values()):
        for task in dag.get("dag", {}).get("tasks", {}).values():
            used[task["componentRef"]["name"]].update(task.get("inputs", {}).get("artifacts", {}))
    for name, component in components.items():
        artifacts = component.get("inputDefinitions", {}).get("artifacts", {})
        for key in [key for key, its in artifacts.items() if its.get("isOptional")]:
            if key not in used[name]:
                del artifacts[key]
    return kept


def _executors(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from document.get("deploymentSpec", {}).get("executors", {}).values()


def _drop(fields: dict[str, Any], twice: Mapping[str, str]) -> None:
    for new, old in twice.items():
        if old in fields:
            fields.pop(new, None)


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value
