"""The targets that there are, and opening the one that a command names."""

import importlib
from collections.abc import Collection, Mapping
from typing import Any

from ...components.lib.errors import RetrainerError
from ...components.lib.uris import is_local
from ..definitions.compiled import Pipeline
from ..project.config import LoadedConfig
from ..project.sections.targets import TARGETS
from ..project.sections.tasks import TasksConfig
from .interface import SUBMIT_SECONDS, Target, TargetKind
from .precedence import flag, resolve_settings


def find_kind(name: str) -> TargetKind:
    """Find what describes a target.

    Args:
        name: A name in the list `TARGETS`.
    """
    kind: TargetKind = importlib.import_module(TARGETS[name]).TARGET
    return kind


def target_settings(name: str, loaded: LoadedConfig, flags: Mapping[str, Any]) -> Any:
    """Return a target's settings: flags over environment variables over retrain.yaml.

    Args:
        name: The target's name.
        loaded: The configuration.
        flags: Flags by key of the target's section.
    """
    settings = resolve_settings(name, loaded.config.targets.of(name), flags)
    return find_kind(name).with_defaults(loaded, settings)


def list_services(loaded: LoadedConfig) -> list[str]:
    """List the targets whose runs can be asked for, since retrain.yaml or the environment names the service.

    Args:
        loaded: The configuration.
    """
    return [
        name for name in TARGETS if find_kind(name).is_configured(target_settings(name, loaded, {}))
    ]


def open_target(
    name: str,
    loaded: LoadedConfig,
    pipeline: Pipeline,
    flags: Mapping[str, Any],
    starts_runs: bool = True,
) -> Target:
    """Open a target.

    Args:
        name: Its name.
        loaded: The configuration.
        pipeline: What is submitted.
        flags: Flags by key of the target's settings.
        starts_runs: Whether runs will be started, which need an image that the target can pull and a folder for their
            artifacts.

    Raises:
        RetrainerError: If a setting is missing or wrong, or a flag is another target's.
    """
    kind = find_kind(name)
    check_flags(flags, kind.section.model_fields, name)
    return kind.open(
        loaded,
        target_settings(name, loaded, flags),
        pipeline,
        deadline_seconds=SUBMIT_SECONDS,
        starts_runs=starts_runs,
    )


def open_for_reading(
    name: str, loaded: LoadedConfig, seconds: float, place: Mapping[str, str] | None = None
) -> Target:
    """Open a target to list, follow and cancel runs: without an image, and without compiling the pipeline.

    Args:
        name: Its name.
        loaded: The configuration.
        seconds: The most that a call may take, retries included.
        place: Where the runs are, over the configuration's own, as `Target.place` was when they were submitted.

    Raises:
        RetrainerError: If a setting is missing or wrong.
    """
    flags = {key: value for key, value in (place or {}).items() if value}
    # Of a run that was started from an uploaded pipeline the service may not return the spec.
    names = [task.replace("_", "-") for task in TasksConfig.model_fields if task != "all"]
    spec: dict[str, Any] = {"root": {"dag": {"tasks": {task: {} for task in names}}}}
    return find_kind(name).open(
        loaded,
        target_settings(name, loaded, flags),
        Pipeline(loaded.pipeline_name, "", spec),
        deadline_seconds=seconds,
        starts_runs=False,
    )


def check_flags(flags: Mapping[str, Any], known: Collection[str], name: str) -> None:
    """Refuse flags that a target does not have.

    Args:
        flags: Values by key; None is not given.
        known: Keys of the target's settings.
        name: The target's name.

    Raises:
        RetrainerError: If one was given.
    """
    unused = [key for key, value in flags.items() if value is not None and key not in known]
    if unused:
        raise RetrainerError(f"{flag(unused[0])} is not for runs on {name}; leave it out.")


def check_reachable(name: str, values: Mapping[str, str]) -> None:
    """Refuse data and store that a task on another machine could not reach.

    Args:
        name: Where the tasks run.
        values: URIs by what they are: `store`, `data.pattern`.

    Raises:
        RetrainerError: If one is a folder of this machine.
    """
    for key, uri in values.items():
        if is_local(uri.replace("{", "").replace("}", "")):
            raise RetrainerError(
                f"{key} is '{uri}', a folder of this machine, which tasks on {name} can't reach. Put it on a bucket "
                f"(gs://, s3://) and say so in retrain.yaml, or give it with --parameter {key.rpartition('.')[2]}=..."
            )
