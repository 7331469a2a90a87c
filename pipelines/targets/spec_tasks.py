"""The tasks that people see of a compiled pipeline."""

from collections.abc import Mapping
from typing import Any


def task_names(spec: Mapping[str, Any]) -> set[str]:
    """Name a pipeline's tasks, those within groups such as a dsl.ExitHandler included, and no groups.

    Args:
        spec: The compiled pipeline.
    """
    components = spec.get("components", {})
    return {
        name
        for parent in (spec.get("root", {}), *components.values())
        for name, task in parent.get("dag", {}).get("tasks", {}).items()
        if "dag" not in components.get(task.get("componentRef", {}).get("name"), {})
    }
