"""A compiled KFP v2 pipeline spec as dataclasses, and a refusal of what this machine can't run."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

import yaml

from ...components.lib.digests import digest_value
from ...components.lib.errors import RetrainerError
from ...components.lib.uris import read_text
from .component_source import Executor, parse_executor
from .exit_handlers import flatten
from .refusals import refuse_platform_features, refuse_task_features

PARAMETER_TYPES = frozenset(
    {"STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN", "LIST", "STRUCT"}
)


@dataclass(frozen=True)
class Parameter:
    """A parameter that a pipeline or component declares.

    Attributes:
        type: One of `PARAMETER_TYPES`.
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
        count: How many times at the most.
        backoff: Seconds before the first.
        factor: What the wait is multiplied by each time.
        longest: The longest wait in seconds.
    """

    count: int = 0
    backoff: float = 0.0
    factor: float = 2.0
    longest: float = 3600.0

    def wait(self, attempt: int) -> float:
        """Give the seconds to wait after a failed attempt.

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
        is_exit: Whether it is an exit task, which runs when those have ended, whatever became of them.
        caching: Whether an earlier result may be used.
        retry: What to do when it fails.
        takes: The parameters that its component declares.
        takes_artifacts: The input artifacts that its component declares.
        gives: The output parameters that its component declares.
        gives_artifacts: The output artifacts that its component declares.
        executor: What runs.
        interface_digest: SHA-256 of the component's interface as it stands in the spec.
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


def load_spec(spec: Mapping[str, Any] | str | os.PathLike[str]) -> Pipeline:
    """Read a compiled pipeline.

    Args:
        spec: The spec as a mapping, or the path or URI of a YAML or JSON file that kfp's compiler
            wrote.

    Returns:
        The pipeline, its tasks in an order that they can run in.

    Raises:
        RetrainerError: If it is no such spec, or has a feature that the local runner does not run;
            the message names the task and the feature.
    """
    if isinstance(spec, Mapping):
        return parse_spec(spec)
    path = os.fspath(spec)
    try:
        # The C loader is ten times as fast, and missing where PyYAML was built without libyaml.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        documents = list(yaml.load_all(read_text(path), Loader=loader))
    except FileNotFoundError as error:
        raise RetrainerError(
            f"there is no pipeline spec at '{path}'. Write one with: retrainer compile -o {path}"
        ) from error
    except yaml.YAMLError as error:
        raise RetrainerError(f"'{path}' is not YAML: {error}") from error
    if not documents or not isinstance(documents[0], Mapping):
        raise RetrainerError(f"'{path}' is not a compiled KFP pipeline: it holds no mapping.")
    for document in documents[1:]:
        refuse_platform_features(document or {})
    return parse_spec(documents[0])


def parse_spec(spec: Mapping[str, Any]) -> Pipeline:
    """Parse a compiled pipeline, given as a mapping. See `load_spec`."""
    try:
        version = str(spec["schemaVersion"])
        name = spec["pipelineInfo"]["name"]
        root = spec["root"]
        entries = root["dag"]["tasks"]
        components = spec["components"]
        executors = spec["deploymentSpec"]["executors"]
    except (KeyError, TypeError) as error:
        raise RetrainerError(
            f"this is not a pipeline that kfp 2 compiled: it has no {error}. "
            "Compile the @dsl.pipeline function with kfp.compiler.Compiler()."
        ) from error
    if not version.startswith("2."):
        raise RetrainerError(f"the spec's schemaVersion is {version}; the local runner knows 2.x.")
    tasks = {}
    try:
        flat, exits = flatten(entries, components)
        for task_name, entry in flat.items():
            component = components[entry["componentRef"]["name"]]
            refuse_task_features(task_name, entry, component, executors)
            executor = parse_executor(task_name, executors[component["executorLabel"]]["container"])
            is_exit = task_name in exits
            tasks[task_name] = _parse_task(task_name, entry, component, executor, is_exit)
        ordered = {task_name: tasks[task_name] for task_name in _order(tasks)}
    except KeyError as error:
        raise RetrainerError(
            f"the spec of pipeline '{name}' refers to {error}, which it does not hold. "
            "Compile it anew."
        ) from error
    return Pipeline(
        name=name,
        parameters=_parameters(f"pipeline '{name}'", root.get("inputDefinitions", {})),
        tasks=ordered,
        outputs=_pipeline_outputs(name, root["dag"].get("outputs", {})),
        digest=digest_value(spec),
    )


def _parse_task(
    name: str,
    entry: Mapping[str, Any],
    component: Mapping[str, Any],
    executor: Executor,
    is_exit: bool,
) -> Task:
    inputs = entry.get("inputs", {})
    parameters = {
        key: _source(name, key, value) for key, value in inputs.get("parameters", {}).items()
    }
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
        takes=_parameters(f"task '{name}'", takes),
        takes_artifacts=_artifacts(takes),
        gives=_parameters(f"task '{name}'", gives),
        gives_artifacts=_artifacts(gives),
        executor=executor,
        interface_digest=digest_value([takes, gives]),
        is_exit=is_exit,
    )


def _source(task: str, name: str, value: Mapping[str, Any]) -> Source:
    if "runtimeValue" in value:
        return Constant(value["runtimeValue"]["constant"])
    if "componentInputParameter" in value:
        return PipelineParameter(value["componentInputParameter"])
    if "taskOutputParameter" in value:
        output = value["taskOutputParameter"]
        return TaskOutput(output["producerTask"], output["outputParameterKey"])
    raise RetrainerError(
        f"task '{task}' takes its input '{name}' from {', '.join(value)}, "
        "which the local runner does not know."
    )


def _parameters(owner: str, definitions: Mapping[str, Any]) -> dict[str, Parameter]:
    parameters = {}
    for name, entry in definitions.get("parameters", {}).items():
        kind = entry.get("parameterType")
        if kind not in PARAMETER_TYPES:
            raise RetrainerError(
                f"{owner} has the parameter '{name}' of type {kind}, which the local runner "
                f"does not run; it knows {', '.join(sorted(PARAMETER_TYPES))}."
            )
        parameters[name] = Parameter(
            type=kind,
            optional=entry.get("isOptional", False),
            has_default="defaultValue" in entry,
            default=entry.get("defaultValue"),
        )
    return parameters


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


def _pipeline_outputs(name: str, outputs: Mapping[str, Any]) -> dict[str, TaskOutput]:
    found = {}
    for key, value in outputs.get("parameters", {}).items():
        if "valueFromParameter" not in value:
            raise RetrainerError(
                f"pipeline '{name}' gives '{key}' by dsl.OneOf, "
                "which the local runner does not run."
            )
        source = value["valueFromParameter"]
        found[key] = TaskOutput(source["producerSubtask"], source["outputParameterKey"])
    return found


def _order(tasks: Mapping[str, Task]) -> list[str]:
    try:
        return list(
            TopologicalSorter({name: task.after for name, task in tasks.items()}).static_order()
        )
    except CycleError as error:
        raise RetrainerError(
            f"these tasks wait for each other: {', '.join(error.args[1])}."
        ) from error
