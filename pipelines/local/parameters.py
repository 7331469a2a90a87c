"""Values of parameters: checked against their types, and resolved where a task takes them."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ...components.lib.errors import RetrainerError
from ...components.lib.words import did_you_mean
from ..runs.records import TaskRecord
from .spec import Constant, Parameter, Pipeline, PipelineParameter, Task

PLACEHOLDER = re.compile(r"\{\{(\$.*?)\}\}")
INPUT_PLACEHOLDER = re.compile(r"\$\.inputs\.parameters\[['\"]+(?P<name>.+?)['\"]+\]")

TYPE_NAMES = {
    "STRING": "a string",
    "NUMBER_INTEGER": "a whole number",
    "NUMBER_DOUBLE": "a number",
    "BOOLEAN": "true or false",
    "LIST": "a list",
    "STRUCT": "a mapping",
}


def pipeline_parameters(pipeline: Pipeline, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check a pipeline's parameters and fill in its defaults.

    Args:
        pipeline: The pipeline.
        given: What the user gives.

    Returns:
        A value for every parameter that has one.

    Raises:
        RetrainerError: If one is unknown, missing or of the wrong type.
    """
    for name in given:
        if name not in pipeline.parameters:
            hint = did_you_mean(name, pipeline.parameters, "It has")
            raise RetrainerError(f"pipeline '{pipeline.name}' has no parameter '{name}'.{hint}")
    values = {}
    for name, parameter in pipeline.parameters.items():
        if name in given and not (given[name] is None and parameter.optional):
            values[name] = coerce(f"parameter '{name}'", parameter.type, given[name])
        elif parameter.has_default:
            values[name] = coerce(f"parameter '{name}'", parameter.type, parameter.default)
        elif not parameter.optional:
            raise RetrainerError(
                f"pipeline '{pipeline.name}' needs the parameter '{name}' "
                f"({TYPE_NAMES[parameter.type]})."
            )
    return values


def coerce(owner: str, kind: str, value: Any) -> Any:
    """Convert a value to the type that a spec declares, as the remote runners do.

    Numbers inside lists and mappings become floats: specs travel as protobuf values, which know no
    other.

    Args:
        owner: What the value belongs to, for the message.
        kind: The declared type, as `NUMBER_INTEGER`.
        value: The value.

    Returns:
        The value in that type.

    Raises:
        RetrainerError: If it is of another type.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "NUMBER_INTEGER" and number and float(value).is_integer():
        return int(value)
    if kind == "NUMBER_DOUBLE" and number:
        return float(value)
    expected = {"STRING": str, "BOOLEAN": bool, "LIST": list | tuple, "STRUCT": Mapping}
    if kind in expected and isinstance(value, expected[kind]):
        return _floats(value)
    raise RetrainerError(f"{owner} must be {TYPE_NAMES[kind]}, not {value!r}.")


def task_parameters(
    task: Task,
    parameters: Mapping[str, Any],
    done: Mapping[str, TaskRecord],
    context: Mapping[str, str],
) -> dict[str, Any]:
    """Resolve a task's input parameters.

    Args:
        task: The task.
        parameters: The pipeline's parameters.
        done: Records of the tasks that have ended.
        context: Values of kfp's own placeholders, as `$.pipeline_job_name`.

    Returns:
        A value for each input of the task that has one, and for no other name.

    Raises:
        RetrainerError: If an input has no value, or one of the wrong type.
    """
    found: dict[str, Any] = {}
    constants: dict[str, Any] = {}
    for name, source in task.parameters.items():
        if isinstance(source, Constant):
            constants[name] = source.value
        elif isinstance(source, PipelineParameter):
            if source.name in parameters:
                found[name] = parameters[source.name]
        elif source.output in done[source.task].outputs:
            found[name] = done[source.task].outputs[source.output]
        else:
            raise RetrainerError(
                f"task '{task.name}' needs the output '{source.output}' of '{source.task}', "
                "which it declares and did not write."
            )

    def fill(match: re.Match[str]) -> str:
        return _placeholder(task.name, match.group(1), found, context)

    for name, value in constants.items():
        found[name] = _map_strings(value, lambda text: PLACEHOLDER.sub(fill, text))
    values = {}
    for name, parameter in task.takes.items():
        if name in found:
            values[name] = _typed(task.name, name, parameter, found[name])
        elif parameter.has_default:
            values[name] = _typed(task.name, name, parameter, parameter.default)
        elif not parameter.optional:
            raise RetrainerError(f"task '{task.name}' has no value for its input '{name}'.")
    return values


def _typed(task: str, name: str, parameter: Parameter, value: Any) -> Any:
    return coerce(f"the input '{name}' of task '{task}'", parameter.type, value)


def _placeholder(
    task: str, placeholder: str, found: Mapping[str, Any], context: Mapping[str, str]
) -> str:
    if placeholder in context:
        return context[placeholder]
    match = INPUT_PLACEHOLDER.fullmatch(placeholder)
    if match and match["name"] in found:
        value = found[match["name"]]
        return value if isinstance(value, str) else json.dumps(value)
    raise RetrainerError(
        f"task '{task}' uses the placeholder {{{{{placeholder}}}}}, "
        "which the local runner can't fill in."
    )


def _map_strings(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(key): _map_strings(entry, change) for key, entry in value.items()}
    if isinstance(value, list):
        return [_map_strings(entry, change) for entry in value]
    return value


def _floats(value: Any) -> Any:
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int):
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): _floats(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_floats(entry) for entry in value]
    return value
