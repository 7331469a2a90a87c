"""Using an earlier result for equal code on equal inputs."""

import os
from collections.abc import Mapping
from typing import Any

from ...components.lib.digests import digest_value
from ...components.lib.errors import RetrainerError
from ...components.lib.uris import exists, read_json, write_json
from ...components.lib.user_code.installed_packages import digest_code
from ..runs.records import DONE, ArtifactRecord, RunRecord, TaskRecord, TaskState
from .executor_io import digest_artifact
from .spec import Task

__all__ = ["digest_code", "recall", "remember", "take_over", "task_key", "unchanged"]
FOLDER = ".cache"


def task_key(
    task: Task,
    parameters: Mapping[str, Any],
    artifacts: Mapping[str, ArtifactRecord],
    code: str,
    user_code: str = "",
) -> str:
    """Hash all that a task's result depends on.

    Args:
        task: The task.
        parameters: Its input parameters.
        artifacts: Its input artifacts; what counts is what they hold, not where they lie.
        code: See `digest_code`.
        user_code: Digest of the user's code that the parameters name, see `user_code.code_behind`.

    Returns:
        SHA-256 in hexadecimal digits.
    """
    return digest_value(
        {
            "executor": task.executor.digest,
            "interface": task.interface_digest,
            "parameters": parameters,
            "artifacts": {
                name: [artifact.type, artifact.digest, artifact.metadata]
                for name, artifact in artifacts.items()
            },
            "code": code,
            "user_code": user_code,
        }
    )


def remember(pipeline_root: str, run_id: str, task: TaskRecord) -> None:
    """Store a task's result under its key.

    Args:
        pipeline_root: Local folder of artifacts.
        run_id: The run.
        task: A task that succeeded.

    Raises:
        OSError: If the disk is full or refuses.
    """
    artifacts = {name: vars(artifact) for name, artifact in task.output_artifacts.items()}
    entry = {"run_id": run_id, "task": task.name, "outputs": task.outputs, "artifacts": artifacts}
    write_json(_place(pipeline_root, task.key or ""), entry)


def recall(pipeline_root: str, task: TaskRecord) -> bool:
    """Reuse the outputs of an earlier task with the same key, if all are unchanged.

    Args:
        pipeline_root: Local folder of artifacts.
        task: The task, its key set; it gets the outputs and `reused_from`.

    Returns:
        Whether there was one.
    """
    place = _place(pipeline_root, task.key or "")
    if not exists(place):
        return False
    try:
        entry = read_json(place)
        artifacts = {name: ArtifactRecord(**value) for name, value in entry["artifacts"].items()}
        outputs, run_id = dict(entry["outputs"]), str(entry["run_id"])
    except (RetrainerError, KeyError, TypeError, AttributeError, ValueError):
        # Damaged by hand or a failing disk: as good as missing, and written again when the task
        # has run.
        return False
    if not unchanged(artifacts):
        return False
    task.outputs, task.output_artifacts, task.reused_from = outputs, artifacts, run_id
    return True


def take_over(earlier: RunRecord, task: TaskRecord) -> bool:
    """Reuse a task's result of an earlier attempt at the run, if nothing it depends on has changed.

    Args:
        earlier: The record of that attempt.
        task: The task, its key set; it gets all that the earlier record says.

    Returns:
        Whether it had succeeded there with the same key, and its outputs are still what they were.
    """
    found = earlier.tasks.get(task.name)
    if found is None or found.state not in DONE or found.key != task.key:
        return False
    if not unchanged(found.output_artifacts):
        return False
    # Of one that came from the cache it still holds which run that was.
    source = found.reused_from if found.state == TaskState.CACHED else earlier.run_id
    vars(task).update(vars(found) | {"title": task.title, "reused_from": source})
    return True


def unchanged(artifacts: Mapping[str, ArtifactRecord]) -> bool:
    """Return whether artifacts are unchanged since they were recorded."""
    return all(digest_artifact(artifact.uri) == artifact.digest for artifact in artifacts.values())


def _place(pipeline_root: str, key: str) -> str:
    return os.path.join(os.path.abspath(pipeline_root), FOLDER, f"{key}.json")
