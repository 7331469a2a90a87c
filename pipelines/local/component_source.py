"""The Python function inside a lightweight component's container command."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from ...components.lib.digests import digest_value
from ...components.lib.errors import RetrainerError

EXECUTOR_MODULE = "kfp.dsl.executor_main"
# kfp itself is what runs the task here, whatever version the container would have installed.
OWN_PACKAGES = frozenset({"kfp", "typing-extensions"})


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
        RetrainerError: If the container does not run a lightweight Python component, or one that
            wants packages which are not installed here.
    """
    command = [*container.get("command", []), *container.get("args", [])]
    function = _argument(command, "--function_to_execute")
    starter = next((i for i, part in enumerate(command) if _starts_source(part)), None)
    if function is None or starter is None or starter + 1 >= len(command):
        kind = (
            "a containerised Python component (target_image)"
            if any(EXECUTOR_MODULE in part for part in command)
            else f"a container component (image '{container.get('image')}')"
        )
        raise RetrainerError(
            f"task '{task}' is {kind}, which the local runner does not run: it has no containers. "
            "Make it a lightweight @dsl.component, or run this pipeline on Kubeflow Pipelines or "
            "Vertex AI."
        )
    _check_packages(task, command[:starter])
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


def _check_packages(task: str, command: Sequence[str]) -> None:
    for part in command:
        for line in re.split(r"&&|\n", part):
            if "-m pip install" not in line:
                continue
            for wanted in re.findall(r"'([^']+)'", line):
                if not wanted.startswith("-") and not _installed(wanted):
                    raise RetrainerError(
                        f"task '{task}' installs '{wanted}' when it starts, and the local runner "
                        f"installs nothing. Install it here first: pip install '{wanted}'"
                    )


def _installed(wanted: str) -> bool:
    try:
        requirement = Requirement(wanted)
    except InvalidRequirement:
        return False
    if requirement.name in OWN_PACKAGES or (
        requirement.marker and not requirement.marker.evaluate()
    ):
        return True
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return False
    return requirement.specifier.contains(found, prereleases=True)
