"""The Python function inside a lightweight component's container command."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...components.lib.digests import digest_value
from ...components.lib.errors import RetrainerError

EXECUTOR_MODULE = "kfp.dsl.executor_main"


@dataclass(frozen=True)
class Executor:
    """What a task runs.

    Attributes:
        function: Name of the component's function.
        source: Source of the module that holds it, as the container would write it to a file.
        image: The container image that it names; the local runner runs it in this environment
            instead.
        env: Environment variables that the pipeline sets.
        digest: SHA-256 of all this, for cache keys.
    """

    function: str
    source: str
    image: str
    env: Mapping[str, str]
    digest: str


def parse_executor(task: str, container: Mapping[str, Any]) -> Executor:
    """Find the function in a container's command.

    Args:
        task: The task's name, for messages.
        container: The container spec of its executor.

    Returns:
        The executor.

    Raises:
        RetrainerError: If the container does not run a lightweight Python component, or installs packages first.
    """
    command = [*container.get("command", []), *container.get("args", [])]
    function = _argument(command, "--function_to_execute")
    starter = next((i for i, part in enumerate(command) if _starts_source(part)), None)
    if function is None or starter is None or any("-m pip install" in part for part in command):
        raise RetrainerError(
            f"task '{task}' runs the image '{container.get('image')}' with something other than a Python function "
            "without packages_to_install, which the local runner does not support: it has no containers, and installs "
            "nothing. Run this pipeline on Kubeflow Pipelines or Vertex AI."
        )
    env = {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}
    return Executor(
        function=function,
        source=command[starter + 1],
        image=container.get("image", ""),
        env=env,
        digest=digest_value([command, container.get("image"), env]),
    )


def _starts_source(part: str) -> bool:
    return EXECUTOR_MODULE in part and '"$0"' in part


def _argument(command: Sequence[str], flag: str) -> str | None:
    try:
        return command[command.index(flag) + 1]
    except (ValueError, IndexError):
        return None
