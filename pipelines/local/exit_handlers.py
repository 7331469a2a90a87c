"""Flattening dsl.ExitHandler: its tasks stand in the root again, and its exit task waits until all have ended.

kfp compiles what stands within a `dsl.ExitHandler` into a DAG of its own, one task of the root, on which the exit task
depends with the trigger ALL_UPSTREAM_TASKS_COMPLETED (kubeflow/pipelines, sdk/python/kfp/compiler/
pipeline_spec_builder.py). The DAG has the pipeline's parameters as inputs. Names of tasks are unique in a pipeline.
"""

from collections.abc import Mapping
from typing import Any

PREFIX = "comp-exit-handler-"
_COMPLETED = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}

Entries = Mapping[str, Mapping[str, Any]]


def flatten(tasks: Entries, components: Entries) -> tuple[dict[str, Mapping[str, Any]], set[str]]:
    """Put the tasks of exit handlers into the root.

    Args:
        tasks: The root's tasks by name.
        components: The spec's components by name.

    Returns:
        The root's tasks without exit handlers, with those within them (what is within another group stays as it is);
        and which of them are exit tasks.
    """
    inside = {
        name: components[task["componentRef"]["name"]]["dag"]["tasks"]
        for name, task in tasks.items()
        if task["componentRef"]["name"].startswith(PREFIX)
    }
    flat: dict[str, Mapping[str, Any]] = {}
    exits: set[str] = set()
    for name, task in tasks.items():
        depends = task.get("dependentTasks", [])
        before = [one for other in depends for one in inside.get(other, (other,))]
        if name in inside:
            for inner_name, inner in inside[name].items():
                flat[inner_name] = _with_outer_inputs(inner, task.get("inputs", {}), before)
            continue
        changed = {**task, "dependentTasks": before} if before != depends else {**task}
        if before != depends and task.get("triggerPolicy") == _COMPLETED:
            exits.add(name)
            del changed["triggerPolicy"]
        flat[name] = changed
    return flat, exits


def _with_outer_inputs(
    task: Mapping[str, Any], outer: Mapping[str, Any], before: list[str]
) -> Mapping[str, Any]:
    """Let a task take from the root what it takes from its exit handler's inputs."""
    inputs = {
        "parameters": {
            name: outer.get("parameters", {}).get(value.get("componentInputParameter"), value)
            for name, value in task.get("inputs", {}).get("parameters", {}).items()
        },
        "artifacts": {
            name: outer.get("artifacts", {}).get(value.get("componentInputArtifact"), value)
            for name, value in task.get("inputs", {}).get("artifacts", {}).items()
        },
    }
    depends = [*task.get("dependentTasks", []), *before]
    return {**task, "inputs": inputs, **({"dependentTasks": depends} if depends else {})}
