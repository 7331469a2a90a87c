"""The ExecutorInput message: what a component's container would get from Kubeflow or Vertex."""

import os
from collections.abc import Mapping
from typing import Any

from ..runs.records import TaskRecord
from .spec import Task


def make_executor_input(task: Task, record: TaskRecord, root: str) -> dict[str, Any]:
    """Build the message for a task.

    Args:
        task: The task.
        record: Its record, with its inputs.
        root: Local folder for its outputs.

    Returns:
        The message, as kfp's executor takes it.
    """
    return {
        "inputs": {
            "parameterValues": record.inputs,
            "artifacts": {
                name: _artifact_list(
                    name,
                    artifact.uri,
                    artifact.type,
                    task.takes_artifacts[name].version,
                    artifact.metadata,
                )
                for name, artifact in record.input_artifacts.items()
            },
        },
        "outputs": {
            "parameters": {
                name: {"outputFile": os.path.join(root, "parameters", name)} for name in task.gives
            },
            "artifacts": {
                name: _artifact_list(name, os.path.join(root, name), kind.title, kind.version, {})
                for name, kind in task.gives_artifacts.items()
            },
            "outputFile": os.path.join(root, "executor_output.json"),
        },
    }


def _artifact_list(
    name: str, uri: str, kind: str, version: str, metadata: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "artifacts": [
            {
                "name": name,
                "type": {"schemaTitle": kind, "schemaVersion": version},
                "uri": uri,
                "metadata": dict(metadata),
            }
        ]
    }
