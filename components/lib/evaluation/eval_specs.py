"""TFMA's messages from what the user wrote, and all that is wrong with them as far as TFMA need not be loaded."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from ..whole_numbers import whole_numbers
from .config_checks import (
    PLACE,
    Problem,
    blessing_problems,
    column_problems,
    metric_problems,
    threshold_problems,
    unknown_fields,
)
from .metric_ranges import range_problems
from .output_checks import output_problems
from .query_checks import query_problems
from .tfma_reference import load_messages

if TYPE_CHECKING:
    from tensorflow_model_analysis.proto import config_pb2


def settings_problems(
    metrics_specs: Sequence[Mapping[str, Any]],
    slicing_specs: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    label: str,
    weight: str,
    columns: Collection[str] | None,
    outputs: Collection[str] = (),
) -> list[Problem]:
    """Find what is wrong with an evaluation's settings without data and without loading TFMA.

    Whether a metric takes the arguments of its config, TFMA alone knows: see `evaluation_problems`.

    Args:
        metrics_specs: `tfma.MetricsSpec` in proto-JSON form, as in retrain.yaml.
        slicing_specs: `tfma.SlicingSpec` in proto-JSON form.
        options: `tfma.Options` in proto-JSON form.
        label: Name of the label's column.
        weight: Name of the column that weighs rows; empty: all rows weigh the same.
        columns: Names of the columns that the examples have; None if unknown.
        outputs: Names of the models' outputs; empty for models with one.

    Returns:
        What is wrong, in the order of the settings.
    """
    config, problems = read_specs(metrics_specs, slicing_specs, options)
    if not problems:
        problems += metric_problems(config)
        problems += query_problems(config)
        problems += output_problems(config, outputs)
        problems += blessing_problems(config)
    problems += threshold_problems(config)
    problems += range_problems(config)
    if columns is not None:
        problems += column_problems(config, weight, label, columns)
    return problems


def read_specs(
    metrics_specs: Sequence[Mapping[str, Any]],
    slicing_specs: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
) -> tuple["config_pb2.EvalConfig", list[Problem]]:
    """Read the messages.

    Args:
        metrics_specs: As for `settings_problems`.
        slicing_specs: As for `settings_problems`.
        options: As for `settings_problems`.

    Returns:
        The messages, one that can't be read left empty, and what stops the evaluation so far.
    """
    config = load_messages().EvalConfig()
    problems: list[Problem] = []
    for i, value in enumerate(metrics_specs):
        problems += _parse(_plain(value), config.metrics_specs.add(), f"metrics_specs[{i}]")
    for i, value in enumerate(slicing_specs):
        problems += _parse(_plain(value), config.slicing_specs.add(), f"slicing_specs[{i}]")
    problems += _parse(_plain(options), config.options, "options")
    if not any(_is_overall(spec) for spec in config.slicing_specs):
        config.slicing_specs.add()
    if config.options.disabled_outputs.values:
        problems.append(
            Problem(
                "options.disabled_outputs can't be used here: the gate and the report read TFMA's "
                "results back. Take it out.",
                place=f"{PLACE}.options.disabled_outputs",
            )
        )
    if any(spec.slice_keys_sql for spec in config.slicing_specs):
        problems.append(
            Problem(
                "slice_keys_sql is not supported. Slice by feature_keys and feature_values.",
                place=f"{PLACE}.slicing_specs",
            )
        )
    return config, problems


def _is_overall(spec: "config_pb2.SlicingSpec") -> bool:
    return not (spec.feature_keys or spec.feature_values or spec.slice_keys_sql)


def _plain(value: Any, key: str = "") -> Any:
    """Turn what YAML and KFP make of a spec into what proto-JSON takes."""
    if key == "config" and isinstance(value, Mapping):
        return json.dumps(whole_numbers(value))
    if isinstance(value, Mapping):
        if set(value) == {"value"} and isinstance(value["value"], int | float):
            # `{value: 0.7}` is how Python and text protos write what proto-JSON writes as `0.7`.
            return value["value"]
        return {
            _feature_value(name): {column: _feature_value(item) for column, item in inner.items()}
            if name in ("feature_values", "featureValues") and isinstance(inner, Mapping)
            else _plain(inner, name)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _feature_value(value: Any) -> Any:
    # What is no text or number is left for the parser to name: `NO` is false to YAML, and no value of a column.
    is_one = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(whole_numbers(value)) if is_one else value


def _parse(value: Any, message: Any, place: str) -> list[Problem]:
    problems = list(unknown_fields(value, message.DESCRIPTOR, f"{PLACE}.{place}"))
    if problems:
        return problems
    try:
        json_format.ParseDict(value, message)
    except (json_format.ParseError, TypeError, AttributeError) as error:
        message.Clear()
        reason = str(error).rstrip(".")
        if "expected string" in reason:
            reason += "; put a text in quotes"
        return [Problem(f"{PLACE}.{place} is not a tfma.{message.DESCRIPTOR.name}: {reason}.")]
    return []
