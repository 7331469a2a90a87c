"""Bodies of requests and answers: TensorFlow Serving's REST API, KServe's protocols V1 and V2, Vertex AI's.

Formats: TensorFlow Serving, docs/api_rest (row format `instances`, column format `inputs`, `{"b64": ...}`); Open
Inference Protocol V2, "Inference Request JSON Object"; Vertex AI, `projects.locations.endpoints.predict`.
"""

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from .logged import NO_JSON, NO_NAMES, NOT_LOGGED, OTHER_COUNT

_INSTANCES, _INPUTS = "instances", "inputs"
_PREDICTIONS, _OUTPUTS = "predictions", "outputs"
_DATA = "data"
_ERROR_KEPT = 200
_DECODER = json.JSONDecoder()


class PayloadError(Exception):
    """A body that nobody can use.

    Attributes:
        reason: A reason of quarantine.
        detail: What is wrong with this one.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def read_body(record: Mapping[str, Any], name: str) -> Any:
    """Read a body that a line of a log has as text, as bytes in base64, or as JSON.

    Args:
        record: The line.
        name: Key of the body; `<name>_base64` has it in base64.

    Returns:
        The body's JSON value.

    Raises:
        PayloadError: If it is none, or was not logged.
    """
    body = record.get(name)
    if body is None:
        encoded = record.get(f"{name}_base64")
        if encoded is None:
            raise PayloadError(NOT_LOGGED, f"no '{name}'")
        body = decode_base64(encoded)
    return body if isinstance(body, dict | list) else parse(body)


def parse(body: str | bytes) -> Any:
    """Parse a body.

    Raises:
        PayloadError: If it is no JSON.
    """
    try:
        return _DECODER.decode(body if isinstance(body, str) else body.decode())
    except (ValueError, RecursionError) as error:
        raise PayloadError(NO_JSON, str(error)) from error


def decode_base64(text: Any) -> bytes:
    """Decode what a log has in base64.

    Raises:
        PayloadError: If it is none.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise PayloadError(NO_JSON, f"no base64: {error}") from error


def read_instances(body: Any, only: str = "") -> Sequence[Mapping[str, Any]]:
    """Take the body of a request apart.

    Args:
        body: Its JSON value.
        only: The one column of a model that takes one: its instances need not name it.

    Returns:
        Cells by column, a mapping for each row.

    Raises:
        PayloadError: If it has no rows with named columns.
    """
    if isinstance(body, Mapping):
        rows = body.get(_INSTANCES)
        if rows is not None:
            return _named_rows(rows, only)
        inputs = body.get(_INPUTS)
        if _is_v2(inputs):
            return _rows_of_columns({one["name"]: _v2_values(one) for one in inputs})
        if isinstance(inputs, Mapping):
            return _rows_of_columns(inputs)
        if inputs is not None:
            return _named_rows(inputs, only)
    elif isinstance(body, list):
        return _named_rows(body, only)
    raise PayloadError(NO_NAMES, f"neither '{_INSTANCES}' nor '{_INPUTS}'")


def read_predictions(body: Any, output: str = "") -> Sequence[Any]:
    """Take the body of an answer apart.

    Args:
        body: Its JSON value.
        output: The output that counts, of a model with several.

    Returns:
        What was answered for each row.

    Raises:
        PayloadError: If it has no predictions.
    """
    if isinstance(body, list):
        return body
    if isinstance(body, Mapping):
        rows = body.get(_PREDICTIONS)
        if isinstance(rows, list):
            return rows
        outputs = body.get(_OUTPUTS)
        if _is_v2(outputs):
            return _v2_rows({one["name"]: one for one in outputs}, output)
        if isinstance(outputs, Mapping):
            outputs = choose_output(outputs, output)
        if isinstance(outputs, list):
            return outputs
    raise PayloadError(OTHER_COUNT, f"neither '{_PREDICTIONS}' nor '{_OUTPUTS}'")


def read_error(body: Any) -> str:
    """Return what an answer says of a failure; empty if it says nothing."""
    if isinstance(body, Mapping):
        said = body.get("error", body.get("detail", ""))
        said = said.get("message", "") if isinstance(said, Mapping) else said
        return " ".join(str(said).split())[:_ERROR_KEPT]
    return ""


def choose_output(outputs: Mapping[str, Any], output: str) -> Any:
    """Choose the output that counts: the one that is named, `predictions`, or the only one.

    Raises:
        PayloadError: If there are several others.
    """
    name = output or (_PREDICTIONS if _PREDICTIONS in outputs else "")
    if name in outputs:
        return outputs[name]
    if len(outputs) == 1 and not output:
        return next(iter(outputs.values()))
    raise PayloadError(
        "its answer has several outputs", f"{', '.join(map(str, outputs))}; set `output`"
    )


def to_numbers(prediction: Any, output: str = "") -> list[float] | None:
    """Return the numbers of a row's prediction; None if it has none."""
    while True:
        if isinstance(prediction, Mapping):
            try:
                prediction = choose_output(prediction, output)
            except PayloadError:
                return None
        elif isinstance(prediction, list) and len(prediction) == 1:
            prediction = prediction[0]
        else:
            break
    if type(prediction) is float:
        return [prediction] if -math.inf < prediction < math.inf else [math.nan]
    values = prediction if isinstance(prediction, list) else [prediction]
    numbers = []
    for value in values:
        if isinstance(value, str):
            # How protocols write what JSON has no number for.
            try:
                value = float(value)
            except ValueError:
                return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        numbers.append(float(value) if -math.inf < value < math.inf else math.nan)
    return numbers


def _named_rows(rows: Any, only: str) -> Sequence[Mapping[str, Any]]:
    if not isinstance(rows, list):
        raise PayloadError(NO_NAMES, "no list of instances")
    for row in rows:
        if type(row) is not dict:
            break
    else:
        return rows
    if not only:
        raise PayloadError(NO_NAMES)
    return [row if isinstance(row, dict) and "b64" not in row else {only: row} for row in rows]


def _rows_of_columns(columns: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    lists = {
        name: values if isinstance(values, list) else [values] for name, values in columns.items()
    }
    lengths = {len(values) for values in lists.values()}
    if len(lengths) != 1:
        raise PayloadError(NO_NAMES, f"columns of {sorted(lengths)} rows")
    names = list(lists)
    return [dict(zip(names, cells, strict=True)) for cells in zip(*lists.values(), strict=True)]


def _is_v2(tensors: Any) -> TypeGuard[list[Mapping[str, Any]]]:
    return (
        isinstance(tensors, list)
        and bool(tensors)
        and all(
            isinstance(tensor, Mapping) and "name" in tensor and "shape" in tensor
            for tensor in tensors
        )
    )


def _v2_values(tensor: Mapping[str, Any]) -> list[Any]:
    """Return a value for each row: tensors may be flattened or nested."""
    values, shape = tensor.get(_DATA), tensor["shape"]
    if not isinstance(values, list):
        raise PayloadError(
            NOT_LOGGED, f"no data of '{tensor['name']}' (binary tensors are not read)"
        )
    rows = int(shape[0]) if isinstance(shape, list) and shape else len(values)
    if len(values) == rows:
        return values
    if not rows or len(values) % rows:
        raise PayloadError(
            NO_NAMES, f"{len(values)} values of '{tensor['name']}' for shape {shape}"
        )
    width = len(values) // rows
    return [values[start : start + width] for start in range(0, len(values), width)]


def _v2_rows(tensors: Mapping[str, Mapping[str, Any]], output: str) -> Sequence[Any]:
    return _v2_values(choose_output(tensors, output))
