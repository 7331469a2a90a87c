"""A compiled KFP v2 pipeline spec as dataclasses, checked for what the local runner does not support."""

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from ...components.lib.digests import digest_value
from ...components.lib.errors import RetrainerError
from .component_source import Executor, parse_executor
from .exit_handlers import flatten

_TASK_FIELDS = frozenset(
    {"cachingOptions", "componentRef", "dependentTasks", "inputs", "retryPolicy", "taskInfo"}
)
_SOURCES = frozenset(
    {"runtimeValue", "componentInputParameter", "taskOutputParameter", "taskOutputArtifact"}
)


@dataclass(frozen=True)
class Parameter:
    """A parameter that a pipeline or component declares.

    Attributes:
        type: Its type in a spec, as `NUMBER_INTEGER`.
        optional: Whether it may be left out.
        has_default: Whether the spec gives a default (a component's may stand in its code alone).
        default: That default.
    """

    type: str
    optional: bool = False
    has_default: bool = False
    default: Any = None


@dataclass(frozen=True)
class ArtifactType:
    """An artifact that a component declares.

    Attributes:
        title: Its KFP type, as `system.Dataset`.
        version: That type's version.
        optional: Whether an input may be left out.
    """

    title: str
    version: str
    optional: bool = False


@dataclass(frozen=True)
class Constant:
    """An input's value that stands in the spec; its strings may hold placeholders."""

    value: Any


@dataclass(frozen=True)
class PipelineParameter:
    """An input that is one of the pipeline's parameters."""

    name: str


@dataclass(frozen=True)
class TaskOutput:
    """An input that is another task's output."""

    task: str
    output: str


Source = Constant | PipelineParameter | TaskOutput


@dataclass(frozen=True)
class Retry:
    """How often and when a failed task is started again.

    Attributes:
        count: How many times at most.
        backoff: Seconds before the first.
        factor: What the wait is multiplied by each time.
        longest: The longest wait in seconds.
    """

    count: int = 0
    backoff: float = 0.0
    factor: float = 2.0
    longest: float = 3600.0

    def wait(self, attempt: int) -> float:
        """Return the seconds to wait after a failed attempt.

        Args:
            attempt: Number of the attempt that failed, from 1.
        """
        return min(self.backoff * self.factor ** (attempt - 1), self.longest)


@dataclass(frozen=True)
class Task:
    """A task, with what its component declares and its executor runs.

    Attributes:
        name: Its name in the spec.
        title: Its name for people: the component's, unless the pipeline gave it another.
        parameters: Where its input parameters come from.
        artifacts: Where its input artifacts come from.
        after: The tasks that must have succeeded before.
        is_exit: Whether it is an exit task, which runs when those have ended, whether they succeeded or failed.
        caching: Whether an earlier result may be used.
        retry: What to do when it fails.
        takes: The parameters that its component declares.
        takes_artifacts: The input artifacts that its component declares.
        gives: The output parameters that its component declares.
        gives_artifacts: The output artifacts that its component declares.
        executor: What runs.
        interface_digest: SHA-256 of the component's interface in the spec.
    """

    name: str
    title: str
    parameters: Mapping[str, Source]
    artifacts: Mapping[str, TaskOutput]
    after: frozenset[str]
    caching: bool
    retry: Retry
    takes: Mapping[str, Parameter]
    takes_artifacts: Mapping[str, ArtifactType]
    gives: Mapping[str, Parameter]
    gives_artifacts: Mapping[str, ArtifactType]
    executor: Executor
    interface_digest: str
    is_exit: bool = False


@dataclass(frozen=True)
class Pipeline:
    """A compiled pipeline.

    Attributes:
        name: Its name.
        parameters: The parameters that it declares.
        tasks: Its tasks by name, each after those that it needs.
        outputs: Its output parameters.
        digest: SHA-256 of the whole spec.
    """

    name: str
    parameters: Mapping[str, Parameter]
    tasks: Mapping[str, Task]
    outputs: Mapping[str, TaskOutput]
    digest: str


def read_spec(spec: Mapping[str, Any]) -> Pipeline:
    """Read a compiled pipeline.

    Args:
        spec: The pipeline spec, as `definitions.compiling` returns it.

    Returns:
        The pipeline, its tasks in an order that they can run in.

    Raises:
        RetrainerError: If a task has a feature of KFP that the local runner does not support.
    """
    root, components = spec["root"], spec["components"]
    executors = spec["deploymentSpec"]["executors"]
    entries, exits = flatten(root["dag"]["tasks"], components)
    tasks = {}
    for name, entry in entries.items():
        component = components[entry["componentRef"]["name"]]
        executor = executors.get(component.get("executorLabel"), {})
        _check_supported(name, entry, component, executor)
        tasks[name] = _parse_task(
            name, entry, component, parse_executor(name, executor["container"]), name in exits
        )
    order = TopologicalSorter({name: task.after for name, task in tasks.items()}).static_order()
    return Pipeline(
        name=spec["pipelineInfo"]["name"],
        parameters=_parameters(root.get("inputDefinitions", {})),
        tasks={name: tasks[name] for name in order},
        outputs=_pipeline_outputs(root["dag"].get("outputs", {})),
        digest=digest_value(spec),
    )


def _check_supported(
    name: str,
    task: Mapping[str, Any],
    component: Mapping[str, Any],
    executor: Mapping[str, Any],
) -> None:
    """Raise if a task has more than inputs, dependencies, caching and retries, or runs no Python function.

    dsl.If, dsl.ParallelFor and the like are tasks of their own in a spec: groups, with a trigger or an iterator.
    """
    found = [f"the setting '{key}'" for key in task if key not in _TASK_FIELDS]
    inputs = task.get("inputs", {})
    for key, source in {**inputs.get("parameters", {}), **inputs.get("artifacts", {})}.items():
        found += [f"the input '{key}' from {kind}" for kind in source if kind not in _SOURCES]
    for side in ("inputDefinitions", "outputDefinitions"):
        artifacts = component.get(side, {}).get("artifacts", {})
        found += [
            f"the list of artifacts '{key}'"
            for key in artifacts
            if artifacts[key].get("isArtifactList")
        ]
    if "container" not in executor:
        found.append(
            "a group of tasks"
            if "dag" in component
            else f"an executor of the kind {', '.join(executor)}"
        )
    if found:
        raise RetrainerError(
            f"task '{name}' has {', '.join(found)}, which the local runner does not support: it runs Python functions "
            "with inputs, caching and retries, and exit tasks. Run this pipeline on Kubeflow Pipelines or Vertex AI."
        )


def _parse_task(
    name: str,
    entry: Mapping[str, Any],
    component: Mapping[str, Any],
    executor: Executor,
    is_exit: bool,
) -> Task:
    inputs = entry.get("inputs", {})
    parameters = {key: _source(value) for key, value in inputs.get("parameters", {}).items()}
    artifacts = {
        key: TaskOutput(
            value["taskOutputArtifact"]["producerTask"],
            value["taskOutputArtifact"]["outputArtifactKey"],
        )
        for key, value in inputs.get("artifacts", {}).items()
    }
    producers = [
        s.task for s in (*parameters.values(), *artifacts.values()) if isinstance(s, TaskOutput)
    ]
    takes = component.get("inputDefinitions", {})
    gives = component.get("outputDefinitions", {})
    display_name = entry.get("taskInfo", {}).get("name", name)
    is_plain = display_name == name == executor.function.replace("_", "-")
    return Task(
        name=name,
        title=executor.function if is_plain else display_name,
        parameters=parameters,
        artifacts=artifacts,
        after=frozenset([*producers, *entry.get("dependentTasks", [])]),
        caching=entry.get("cachingOptions", {}).get("enableCache", False) and not is_exit,
        retry=_retry(entry.get("retryPolicy", {})),
        takes=_parameters(takes),
        takes_artifacts=_artifacts(takes),
        gives=_parameters(gives),
        gives_artifacts=_artifacts(gives),
        executor=executor,
        interface_digest=digest_value([takes, gives]),
        is_exit=is_exit,
    )


def _source(value: Mapping[str, Any]) -> Source:
    if "runtimeValue" in value:
        return Constant(value["runtimeValue"]["constant"])
    if "componentInputParameter" in value:
        return PipelineParameter(value["componentInputParameter"])
    output = value["taskOutputParameter"]
    return TaskOutput(output["producerTask"], output["outputParameterKey"])


def _parameters(definitions: Mapping[str, Any]) -> dict[str, Parameter]:
    return {
        name: Parameter(
            type=entry["parameterType"],
            optional=entry.get("isOptional", False),
            has_default="defaultValue" in entry,
            default=entry.get("defaultValue"),
        )
        for name, entry in definitions.get("parameters", {}).items()
    }


def _artifacts(definitions: Mapping[str, Any]) -> dict[str, ArtifactType]:
    return {
        name: ArtifactType(
            title=entry["artifactType"].get("schemaTitle", "system.Artifact"),
            version=entry["artifactType"].get("schemaVersion", "0.0.1"),
            optional=entry.get("isOptional", False),
        )
        for name, entry in definitions.get("artifacts", {}).items()
    }


def _retry(policy: Mapping[str, Any]) -> Retry:
    def seconds(name: str, default: float) -> float:
        return float(str(policy.get(name, default)).removesuffix("s"))

    return Retry(
        count=int(policy.get("maxRetryCount", 0)),
        backoff=seconds("backoffDuration", 0.0),
        factor=float(policy.get("backoffFactor", 2.0)),
        longest=seconds("backoffMaxDuration", 3600.0),
    )


def _pipeline_outputs(outputs: Mapping[str, Any]) -> dict[str, TaskOutput]:
    sources = {
        key: value["valueFromParameter"] for key, value in outputs.get("parameters", {}).items()
    }
    return {
        key: TaskOutput(source["producerSubtask"], source["outputParameterKey"])
        for key, source in sources.items()
    }
