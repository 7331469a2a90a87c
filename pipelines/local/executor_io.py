"""What a component's container would get from Kubeflow or Vertex AI, the ExecutorInput, and what it leaves behind."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

from ...components.lib.digests import digest_folder, digest_value
from ...components.lib.errors import RetrainerError
from ...components.lib.uris import filesystem, is_local
from ..runs.records import TaskRecord
from .parameters import coerce
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


def collect_outputs(
    executor_input: Mapping[str, Any], output_types: Mapping[str, str]
) -> dict[str, Any]:
    """Read what a component left behind.

    Args:
        executor_input: The ExecutorInput that it was run with.
        output_types: Types of the output parameters that it declares, as `NUMBER_INTEGER`.

    Returns:
        `outputs` (parameters by name), and `artifacts` by name with `type`, `uri`, `digest`,
        `metadata`.

    Raises:
        RetrainerError: If an output has the wrong type, or holds a number that JSON has none for.
    """
    declared = executor_input["outputs"]
    written: dict[str, Any] = {}
    if os.path.exists(declared["outputFile"]):
        with open(declared["outputFile"], encoding="utf-8") as file:
            written = json.load(file)
    parameters = dict(written.get("parameterValues", {}))
    for name, entry in declared.get("parameters", {}).items():
        if os.path.exists(entry["outputFile"]):
            parameters[name] = _read_parameter(name, entry["outputFile"], output_types[name])
    outputs = {
        name: coerce(f"the output '{name}'", output_types[name], value)
        for name, value in parameters.items()
        if name in output_types
    }
    artifacts = {}
    for name, entry in declared.get("artifacts", {}).items():
        planned = entry["artifacts"][0]
        actual = written.get("artifacts", {}).get(name, {}).get("artifacts", [{}])[0]
        uri = actual.get("custom_path") or actual.get("uri") or planned["uri"]
        artifacts[name] = {
            "type": planned["type"]["schemaTitle"],
            "uri": uri,
            "digest": digest_artifact(uri),
            "metadata": actual.get("metadata", {}),
        }
        _check_numbers(f"the metadata of '{name}'", artifacts[name]["metadata"])
    _check_numbers("the output parameters", outputs)
    return {"outputs": outputs, "artifacts": artifacts}


def digest_artifact(uri: str) -> str:
    """Hash an artifact's content.

    Args:
        uri: A local file or folder, or one in a bucket, which is known by its files' names, sizes
            and versions and not read.

    Returns:
        SHA-256 in hexadecimal digits; empty if nothing lies there.
    """
    if not uri:
        return ""
    fs, path = filesystem(uri)
    if not fs.exists(path):
        return ""
    if is_local(uri):
        return digest_folder(path)
    marks = ("size", "etag", "ETag", "md5Hash", "crc32c", "generation", "mtime", "updated")
    listing = fs.find(path, detail=True)
    return digest_value(
        {
            name: {mark: str(info[mark]) for mark in marks if mark in info}
            for name, info in listing.items()
        }
    )


def _read_parameter(name: str, path: str, kind: str) -> Any:
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if kind == "STRING":
        return text
    try:
        return json.loads(text.lower() if kind == "BOOLEAN" else text)
    except ValueError as error:
        raise RetrainerError(
            f"the output '{name}' was written as {text!r}, which is not a {kind}."
        ) from error


def _check_numbers(owner: str, value: Any) -> None:
    for place, number in _numbers(value, ""):
        if not math.isfinite(number):
            raise RetrainerError(
                f"{owner} holds {number} at '{place}'; Kubeflow Pipelines and Vertex AI "
                "take finite numbers only. Leave it out or write it as text."
            )


def _numbers(value: Any, place: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, float):
        yield place, value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _numbers(entry, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _numbers(entry, f"{place}[{index}]")
