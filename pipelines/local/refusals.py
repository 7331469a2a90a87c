"""What a spec may hold that the local runner does not run, each told by its name in kfp."""

from collections.abc import Mapping
from typing import Any

from ...components.lib.errors import RetrainerError

TASK_FIELDS = frozenset(
    {
        "cachingOptions",
        "componentRef",
        "dependentTasks",
        "inputs",
        "retryPolicy",
        "taskInfo",
    }
)
# kfp.kubernetes settings that a task's code can see; the others only say where a pod goes.
VISIBLE_KUBERNETES_SETTINGS = frozenset(
    {
        "configMapAsEnv",
        "configMapAsVolume",
        "emptyDirMounts",
        "fieldPathAsEnv",
        "genericEphemeralVolume",
        "pvcMount",
        "secretAsEnv",
        "secretAsVolume",
    }
)
INSTEAD = "Run this pipeline on Kubeflow Pipelines or Vertex AI, or leave that out."


def refuse_task_features(
    name: str,
    task: Mapping[str, Any],
    component: Mapping[str, Any],
    executors: Mapping[str, Any],
) -> None:
    """Refuse a task that has more than inputs, dependencies, caching and retries.

    Args:
        name: The task's name.
        task: Its entry in the DAG.
        component: The component that it refers to.
        executors: The spec's executors by label.

    Raises:
        RetrainerError: If so; the message names the task and the feature.
    """
    feature = (
        _control_flow(task)
        or _implementation(task, component, executors)
        or _inputs(task)
        or _interface(component)
        or _unknown(task)
    )
    if feature:
        raise RetrainerError(
            f"task '{name}' uses {feature}, which the local runner does not run. {INSTEAD}"
        )


def refuse_platform_features(document: Mapping[str, Any]) -> None:
    """Refuse settings of `kfp.kubernetes` that change what a task sees.

    Args:
        document: The second document of a compiled YAML file.

    Raises:
        RetrainerError: If there is one; the message names the executor and the setting.
    """
    for platform, content in document.get("platforms", {}).items():
        executors = content.get("deploymentSpec", {}).get("executors", {})
        for executor, settings in executors.items():
            if found := sorted(VISIBLE_KUBERNETES_SETTINGS.intersection(settings)):
                task = executor.removeprefix("exec-")
                raise RetrainerError(
                    f"task '{task}' uses {', '.join(found)} of kfp.{platform}, "
                    f"which the local runner does not run. {INSTEAD}"
                )


def _control_flow(task: Mapping[str, Any]) -> str | None:
    trigger = task.get("triggerPolicy", {})
    statuses = [
        value
        for value in task.get("inputs", {}).get("parameters", {}).values()
        if "taskFinalStatus" in value
    ]
    if "condition" in trigger:
        return f"dsl.If ({trigger['condition']})"
    if "parameterIterator" in task or "artifactIterator" in task:
        return "dsl.ParallelFor"
    if statuses:
        return f"dsl.ExitHandler (the status of '{statuses[0]['taskFinalStatus']['producerTask']}')"
    if trigger:
        return f"ignore_upstream_failure or dsl.ExitHandler (trigger {trigger.get('strategy')})"
    return None


def _implementation(
    task: Mapping[str, Any], component: Mapping[str, Any], executors: Mapping[str, Any]
) -> str | None:
    if "dag" in component:
        label = task["componentRef"]["name"].removeprefix("comp-")
        # The compiler names the DAGs that it makes itself after what they came from.
        made = {
            "condition-branches": "dsl.If with dsl.Elif or dsl.Else",
            "exit-handler": "dsl.ExitHandler",
        }
        return next(
            (feature for prefix, feature in made.items() if label.startswith(prefix)),
            "a pipeline as a component",
        )
    executor = executors[component["executorLabel"]]
    if "importer" in executor:
        return "dsl.importer"
    if "container" not in executor:
        return f"an executor of the kind {', '.join(executor)}"
    return None


def _inputs(task: Mapping[str, Any]) -> str | None:
    inputs = task.get("inputs", {})
    for name, value in inputs.get("parameters", {}).items():
        if "parameterExpressionSelector" in value:
            part = value["parameterExpressionSelector"]
            return f"a part of a parameter for its input '{name}' ({part})"
        if "runtimeValue" in value and "constant" not in value["runtimeValue"]:
            return f"{', '.join(value['runtimeValue'])} for its input '{name}'"
    for name, value in inputs.get("artifacts", {}).items():
        if "componentInputArtifact" in value:
            return f"an artifact that the pipeline takes as a parameter ('{name}')"
        if "artifactSelectors" in value or "taskOutputArtifact" not in value:
            return f"dsl.Collected or dsl.OneOf for its input '{name}'"
    return None


def _interface(component: Mapping[str, Any]) -> str | None:
    for side in ("inputDefinitions", "outputDefinitions"):
        for name, value in component.get(side, {}).get("artifacts", {}).items():
            if value.get("isArtifactList"):
                return f"a list of artifacts ('{name}')"
    return None


def _unknown(task: Mapping[str, Any]) -> str | None:
    unknown = sorted(set(task) - TASK_FIELDS)
    return f"the task setting {unknown[0]}" if unknown else None
