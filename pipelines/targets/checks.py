"""What a target would refuse or ignore in a retrain.yaml, though the file itself is valid."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from ...components.lib.errors import RetrainerError
from ...components.lib.evaluation.config_checks import Problem
from ...components.lib.words import did_you_mean
from ..project.checks import name_problem
from ..project.config import LoadedConfig
from ..project.formats.quantities import count_bytes, count_cores
from ..project.pipelines import PIPELINES
from ..project.reach import KUBEFLOW, VERTEX
from ..project.sections.retrain import RetrainConfig
from ..project.sections.schedule import ScheduleConfig, in_zone
from ..project.sections.targets import TARGETS
from ..project.sections.tasks import TaskConfig, TasksConfig
from .catalog import find_kind
from .vertex import settings as vertex_settings

_NAMES = {VERTEX: "Vertex AI", KUBEFLOW: "Kubernetes"}
# google.cloud.aiplatform_v1.types.AcceleratorType, which takes a second to import.
VERTEX_ACCELERATORS = (
    "NVIDIA_TESLA_T4",
    "NVIDIA_L4",
    "NVIDIA_TESLA_A100",
    "NVIDIA_A100_80GB",
    "NVIDIA_H100_80GB",
    "NVIDIA_H100_MEGA_80GB",
    "NVIDIA_H200_141GB",
    "NVIDIA_B200",
    "NVIDIA_GB200",
    "NVIDIA_RTX_PRO_6000",
    "NVIDIA_TESLA_V100",
    "NVIDIA_TESLA_P100",
    "NVIDIA_TESLA_P4",
    "NVIDIA_TESLA_K80",
    "TPU_V2",
    "TPU_V3",
    "TPU_V4_POD",
    "TPU_V5_LITEPOD",
)
# kfp's own rule for what it sends to Vertex AI: kubeflow/pipelines, sdk/python/kfp/dsl/pipeline_task.py,
# set_accelerator_limit.
VERTEX_COUNTS = (1, 2, 4, 8, 16)
_SECRET = re.compile(
    r"(PASSWORD|PASSWD|SECRET|TOKEN|(PRIVATE|API|HASH|ACCESS)_KEY)(?![A-Z])(?!.*_(FILE|DIR|PATH|NAME|ENV|URL|URI|ID)$)"
)
# An extended resource has a domain: kubernetes/kubernetes, pkg/apis/core/v1/helper/helpers.go, IsExtendedResourceName.
_RESOURCE = re.compile(
    r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?"
)


def check_target(loaded: LoadedConfig, target: str | None = None) -> list[str]:
    """Check settings by the rules of the target that they go to.

    Args:
        loaded: The configuration.
        target: The name of a target. If not given, each that is configured; what one of two would not take is a
            warning then.

    Returns:
        Warnings, a line each.

    Raises:
        RetrainerError: If the target, or the only one that is configured, would refuse a setting; each is named with
            its line.
    """
    targets = [target] if target else named_targets(loaded.config)
    problems = list(_accelerator_problems(loaded.config, targets))
    problems += _open_secrets(loaded.config)
    for name in targets:
        found = find_kind(name).wrong_values(loaded.config.targets.of(name))
        problems += [Problem(text, place=f"targets.{name}.{key}") for key, text in found]
    if VERTEX in targets:
        problems += _vertex_problems(loaded.config, alone=targets == [VERTEX])
    return _judge(problems, loaded)


def check_together(loaded: LoadedConfig, target: str | None = None) -> list[str]:
    """Check settings of a target that are right by themselves, and that it would refuse together.

    They are warnings, since a flag or an environment variable may change one of them. `submit` refuses them.

    Args:
        loaded: The configuration.
        target: As for `check_target`.

    Returns:
        Warnings, a line each.
    """
    vertex = loaded.config.targets.vertex
    if VERTEX not in ([target] if target else named_targets(loaded.config)) or next(
        vertex_settings.wrong_values(vertex), None
    ):
        return []
    found = [
        Problem(text, False, f"targets.vertex.{key}")
        for key, text in vertex_settings.clashes(vertex)
    ]
    for key in ("persistent_resource_wait_seconds", "persistent_resource_fallback"):
        if getattr(vertex, key) and not vertex.persistent_resource:
            text = f"targets.vertex.{key} counts only where 'persistent_resource' names machines."
            found.append(Problem(text, False, f"targets.vertex.{key}"))
    return _judge(found, loaded)


def check_schedule(loaded: LoadedConfig, target: str | None = None) -> list[str]:
    """Check the schedule by the rules of the target that it goes to; a run elsewhere has nothing to do with it.

    Args:
        loaded: The configuration.
        target: As for `check_target`.

    Returns:
        Warnings, a line each.

    Raises:
        RetrainerError: As `check_target`.
    """
    targets = [target] if target else named_targets(loaded.config)
    return _judge(list(_schedule_problems(loaded.config, targets)), loaded)


def _judge(problems: list[Problem], loaded: LoadedConfig) -> list[str]:
    if stopping := [name_problem(problem, loaded) for problem in problems if problem.stops]:
        raise RetrainerError("\n".join(stopping))
    return [name_problem(problem, loaded) for problem in problems]


def named_targets(config: RetrainConfig) -> list[str]:
    """List the targets that retrain.yaml or environment variables have a setting of."""
    found = []
    for target in TARGETS:
        section = config.targets.of(target)
        named = any(getattr(section, key) for key in section.model_fields_set)
        prefix = f"RETRAINER_{target.upper()}_"
        if named or any(key.startswith(prefix) and os.environ[key] for key in os.environ):
            found.append(target)
    return found


def _accelerator_problems(config: RetrainConfig, targets: list[str]) -> Iterator[Problem]:
    for task in TasksConfig.model_fields:
        own: TaskConfig = getattr(config.tasks, task)
        place, kind = f"tasks.{task}.accelerator", own.accelerator
        if kind:
            reasons = {VERTEX: _vertex_reason(kind), KUBEFLOW: _kubernetes_reason(kind)}
            if all(reasons.values()):
                text = (
                    f"{place} is '{kind}', which no target supports. {' '.join(reasons.values())}"
                )
                yield Problem(text, place=place)
                continue
            for target in targets:
                if reasons.get(target):
                    stops = targets == [target]
                    text = f"{place} is '{kind}', which {_NAMES[target]} does not take. {reasons[target]}"
                    yield Problem(text, stops, place)
        whole = own if task == "all" else config.tasks.of(task)
        if "accelerators" not in own.model_fields_set:
            continue
        for_vertex = whole.accelerator in VERTEX_ACCELERATORS
        if not whole.accelerator and task != "all":
            text = (
                f"{place}s is {own.accelerators}, and counts only where 'accelerator' names a type."
            )
            yield Problem(text, False, f"{place}s")
        elif (VERTEX in targets or for_vertex) and own.accelerators not in VERTEX_COUNTS:
            text = (
                f"{place}s is {own.accelerators}, and Vertex AI takes "
                f"{', '.join(map(str, VERTEX_COUNTS[:-1]))} or {VERTEX_COUNTS[-1]}."
            )
            yield Problem(text, for_vertex or targets == [VERTEX], f"{place}s")


def _open_secrets(config: RetrainConfig) -> Iterator[Problem]:
    for task in TasksConfig.model_fields:
        for name, value in getattr(config.tasks, task).env.items():
            if value and _SECRET.search(name):
                place = f"tasks.{task}.env"
                text = (
                    f"{place} sets {name}, which everybody can read in the compiled pipeline. Set a secret by "
                    "kubernetes.secrets, or put it into a file that only the tasks' account may read."
                )
                yield Problem(text, False, place)


def _vertex_reason(kind: str) -> str:
    if kind in VERTEX_ACCELERATORS:
        return ""
    listed = f" Its types are {', '.join(VERTEX_ACCELERATORS[:4])} and others."
    return (did_you_mean(kind.upper(), VERTEX_ACCELERATORS) or listed).strip()


def _kubernetes_reason(kind: str) -> str:
    if _RESOURCE.fullmatch(kind):
        return ""
    return (
        "Kubernetes knows accelerators by the name of a node's resource, such as nvidia.com/gpu; which model it is, "
        "say by kubernetes.node_selector."
    )


def _schedule_problems(config: RetrainConfig, targets: list[str]) -> Iterator[Problem]:
    for kind in PIPELINES.values():
        if clock := kind.schedule(config):
            yield from _clock_problems(clock, ".".join(kind.schedule_place), targets)


def _clock_problems(clock: ScheduleConfig, place: str, targets: list[str]) -> Iterator[Problem]:
    for target in targets:
        for key, why in clock.unfit_for(target).items():
            value = getattr(clock, key)
            shown = str(value).lower() if isinstance(value, bool) else value
            text = f"{place}.{key} is {shown}: {why}."
            yield Problem(text, targets == [target], f"{place}.{key}")
    end = in_zone(clock.end, clock.time_zone)
    if end and end <= datetime.now(UTC):
        text = (
            f"{place}.end is {end:%Y-%m-%d %H:%M} UTC, which has passed: it starts no run any more."
        )
        yield Problem(text, False, f"{place}.end")


def _vertex_problems(config: RetrainConfig, alone: bool) -> Iterator[Problem]:
    for task in TasksConfig.model_fields:
        own: TaskConfig = getattr(config.tasks, task)
        # The most that the guide names: cloud.google.com/vertex-ai/docs/pipelines/machine-types. It may have grown.
        for key, much, most in (
            ("cpu", count_cores(own.cpu) > 96, "96 cores"),
            ("memory", count_bytes(own.memory) > 624 * 10**9, "624G"),
        ):
            if much:
                place = f"tasks.{task}.{key}"
                text = f"{place} is '{getattr(own, key)}'; Vertex AI Pipelines documents {most} at most."
                yield Problem(text, False, place)
    if not alone:
        return
    left_out = {
        f"tasks.{task}.kubernetes.{key}": None
        for task in TasksConfig.model_fields
        for key in sorted(getattr(config.tasks, task).kubernetes.model_fields_set)
    }
    if left_out:
        text = f"{', '.join(left_out)}: for Kubernetes alone; Vertex AI runs the tasks without."
        yield Problem(text, False, next(iter(left_out)))
