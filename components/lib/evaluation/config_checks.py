"""What can be wrong with an evaluation's settings, found without data and without loading TFMA."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..words import did_you_mean
from .tfma_reference import metric_arguments, metric_names

if TYPE_CHECKING:
    from tensorflow_model_analysis.proto import config_pb2

PLACE = "evaluation"
"""Section of retrain.yaml that holds the settings."""

ONE_HOT = {
    "CategoricalAccuracy": "SparseCategoricalAccuracy",
    "CategoricalCrossentropy": "SparseCategoricalCrossentropy",
    "CategoricalCrossEntropy": "SparseCategoricalCrossentropy",
    "CategoricalFocalCrossentropy": "SparseCategoricalCrossentropy",
    "CategoricalHinge": "SparseCategoricalAccuracy",
    "OneHotIoU": "SparseCategoricalAccuracy",
    "OneHotMeanIoU": "SparseCategoricalAccuracy",
    "TopKCategoricalAccuracy": "SparseTopKCategoricalAccuracy",
}
"""Metrics of one-hot labels, and what to use for a label of one number, which they misread in silence."""

OTHER_PACKAGES = {
    "FairnessIndicators": ("fairness-indicators", "fairness_indicators.fairness_indicators_metrics")
}
"""Metrics that TFMA had, by class: the package and the module that have them now."""

COLUMN_ARGUMENTS = ("gain_key", "label_key", "example_id_key")
"""Arguments of metrics that name a column."""

_WRAPPERS = "google.protobuf."
"""Package of the messages that proto-JSON writes as plain values, such as DoubleValue."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the settings.

    Attributes:
        text: What is wrong and how to fix it, as sentences.
        stops: True if evaluate_model can't run with it; False if it runs, and refuses every model, or every first
            model.
        place: Which setting it is, such as `evaluation.metrics_specs[0].metrics[1]`; empty if the text says it.
    """

    text: str
    stops: bool = True
    place: str = ""


def unknown_fields(value: Any, descriptor: Any, place: str) -> Iterator[Problem]:
    """Find the fields that a message does not have, at any depth.

    Args:
        value: The message in proto-JSON form.
        descriptor: The message's protobuf descriptor.
        place: Where the value stands, such as `evaluation.metrics_specs[0]`.

    Yields:
        A problem for each unknown field, with the nearest known one.
    """
    if not isinstance(value, Mapping):
        yield Problem(
            f"{place} must be a mapping of {descriptor.name}'s fields, not {json.dumps(value, default=str)}."
        )
        return
    for name, inner in value.items():
        known = [field.name for field in descriptor.fields]
        field = descriptor.fields_by_name.get(name) or descriptor.fields_by_camelcase_name.get(name)
        if field is None:
            yield Problem(
                f"{place} has no field '{name}'.{did_you_mean(name, known, 'It takes', most=2)}"
            )
            continue
        message = field.message_type
        if message is None or message.full_name.startswith(_WRAPPERS):
            continue
        if message.GetOptions().map_entry:
            message = message.fields_by_name["value"].message_type
            entries = inner.items() if message is not None and isinstance(inner, Mapping) else ()
            for key, item in entries:
                yield from unknown_fields(item, message, f"{place}.{name}.{key}")
        elif isinstance(inner, list | tuple):
            for i, item in enumerate(inner):
                yield from unknown_fields(item, message, f"{place}.{name}[{i}]")
        elif inner is not None:
            yield from unknown_fields(inner, message, f"{place}.{name}")


def metric_problems(config: "config_pb2.EvalConfig") -> Iterator[Problem]:
    """Find metrics that TFMA does not know, and configs that are not JSON."""
    if not any(spec.metrics for spec in config.metrics_specs):
        yield Problem(
            "the evaluation has no metrics. Name some: metrics_specs: [{metrics: [{class_name: AUC}, {class_name: "
            "ExampleCount}]}]",
            place=f"{PLACE}.metrics_specs",
        )
    known = metric_names()
    for place, metric in list_metrics(config):
        if not metric.module and metric.class_name in OTHER_PACKAGES:
            package, module = OTHER_PACKAGES[metric.class_name]
            yield Problem(
                f"'{metric.class_name}' is in the package {package}, no longer in TFMA. Install that in the image, and "
                f"add module: {module}.",
                place=place,
            )
            continue
        if not metric.module and metric.class_name not in known:
            near = did_you_mean(metric.class_name, sorted(known), most=3)
            yield Problem(
                f"TFMA knows no metric '{metric.class_name}'.{near} A metric of your own needs "
                "its module as well.",
                place=place,
            )
            continue
        if metric.class_name in ONE_HOT:
            yield Problem(
                f"'{metric.class_name}' takes one-hot labels, and would misread a label that is one number. Use "
                f"{ONE_HOT[metric.class_name]}.",
                place=place,
            )
        try:
            json.loads(_braced(metric.config))
        except ValueError as error:
            yield Problem(
                f"the metric '{metric.class_name}' doesn't take the config '{metric.config}': it is not JSON "
                f"({error}). Write a mapping, such as config: {{name: my_name}}.",
                place=f"{place}.config",
            )
            continue
        arguments = None if metric.module else metric_arguments(metric.class_name)
        for name in read_config(metric):
            if arguments is not None and name not in arguments:
                near = did_you_mean(name, sorted(arguments), "It takes")
                yield Problem(
                    f"the metric '{metric.class_name}' has no argument '{name}'.{near}",
                    place=f"{place}.config",
                )


def threshold_problems(config: "config_pb2.EvalConfig") -> Iterator[Problem]:
    """Find thresholds that TFMA would never check, never fail or always fail."""
    listed = {
        name
        for _, metric in list_metrics(config)
        for name in (metric.class_name, _own_name(metric))
    }
    for i, spec in enumerate(config.metrics_specs):
        place = f"{PLACE}.metrics_specs[{i}]"
        for name in dict.fromkeys([*spec.thresholds, *spec.per_slice_thresholds]):
            # TFMA looks these up among metrics that lie in the model's graph, and finds none.
            near = "" if name in listed else did_you_mean(name, sorted(listed))
            yield Problem(
                f"the threshold of '{name}' stands beside the metrics, where TFMA ignores it. Put it with its metric: "
                f"metrics: [{{class_name: ..., threshold: ...}}].{near}",
                place=place,
            )
        if spec.cross_slice_thresholds:
            yield Problem(
                "cross_slice_thresholds are not supported. Use per_slice_thresholds.", place=place
            )
    for place, metric in list_metrics(config):
        name = _own_name(metric) or metric.class_name
        if metric.cross_slice_thresholds:
            yield Problem(
                "cross_slice_thresholds are not supported. Use per_slice_thresholds.", place=place
            )
        for per_slice in metric.per_slice_thresholds:
            if not per_slice.slicing_specs:
                yield Problem(
                    f"per_slice_thresholds of '{name}' name no slicing_specs, so TFMA checks them nowhere. Add "
                    "slicing_specs: [{}] for all rows together.",
                    place=place,
                )
        for _, threshold in thresholds_of(metric):
            yield from _bound_problems(threshold, name, place)


def blessing_problems(config: "config_pb2.EvalConfig") -> Iterator[Problem]:
    """Find out why no model, or no first model, could ever be blessed."""
    every = [
        (place, metric, *pair)
        for place, metric in list_metrics(config)
        for pair in thresholds_of(metric)
    ]
    if not any(t.HasField("value_threshold") or t.HasField("change_threshold") for *_, t in every):
        yield Problem(
            "no metric has a threshold, so no model can be blessed. Give one a value_threshold, such as threshold: "
            "{value_threshold: {lower_bound: {value: 0.7}}}.",
            stops=False,
            place=f"{PLACE}.metrics_specs",
        )
    elif not any(t.HasField("value_threshold") for *_, t in every):
        yield Problem(
            "there are change_thresholds only, and the first model has no champion to compare with, so it can't be "
            "blessed. Give one metric a value_threshold as a floor.",
            stops=False,
            place=f"{PLACE}.metrics_specs",
        )
    made = [(set(spec.feature_keys), dict(spec.feature_values)) for spec in config.slicing_specs]
    for place, metric, spec, _ in every:
        if spec is not None and not any(_makes(keys, values, spec) for keys, values in made):
            yield Problem(
                f"the threshold of '{_own_name(metric) or metric.class_name}' is about slices by "
                f"{', '.join([*spec.feature_keys, *(f'{k} = {v}' for k, v in spec.feature_values.items())])}, which "
                "slicing_specs do not make. Add the same entry to slicing_specs.",
                stops=False,
                place=place,
            )


def column_problems(
    config: "config_pb2.EvalConfig", weight: str, label: str, columns: Collection[str]
) -> Iterator[Problem]:
    """Find slices and weights by columns that the examples do not have."""
    used = dict.fromkeys(
        (name, f"{PLACE}.slicing_specs[{i}]")
        for i, spec in enumerate(config.slicing_specs)
        for name in [*spec.feature_keys, *spec.feature_values]
    )
    used.update(dict.fromkeys(metric_columns(config)))
    if weight:
        used[(weight, f"{PLACE}.example_weight_key")] = None
    for name, place in used:
        if name not in columns and name != label:
            have = did_you_mean(name, sorted(columns), "It has")
            yield Problem(
                f"{place} names the column '{name}', which the schema does not have.{have}"
            )


def metric_columns(config: "config_pb2.EvalConfig") -> Iterator[tuple[str, str]]:
    """List the columns that metrics are computed from beside label and weight, each with its place in retrain.yaml."""
    for i, spec in enumerate(config.metrics_specs):
        if spec.query_key:
            yield spec.query_key, f"{PLACE}.metrics_specs[{i}].query_key"
    for place, metric in list_metrics(config):
        for argument in COLUMN_ARGUMENTS:
            name = read_config(metric).get(argument)
            if isinstance(name, str) and name:
                yield name, f"{place}.config.{argument}"


def list_metrics(
    config: "config_pb2.EvalConfig",
) -> Iterator[tuple[str, "config_pb2.MetricConfig"]]:
    """Give each metric with its place in retrain.yaml."""
    for i, spec in enumerate(config.metrics_specs):
        for j, metric in enumerate(spec.metrics):
            yield f"{PLACE}.metrics_specs[{i}].metrics[{j}]", metric


def thresholds_of(
    metric: "config_pb2.MetricConfig",
) -> Iterator[tuple["config_pb2.SlicingSpec | None", Any]]:
    """List a metric's thresholds, each with the slices that it is about; None means every slice."""
    if metric.HasField("threshold"):
        yield None, metric.threshold
    for per_slice in metric.per_slice_thresholds:
        for spec in per_slice.slicing_specs:
            yield spec, per_slice.threshold


def _bound_problems(
    threshold: "config_pb2.MetricThreshold", name: str, place: str
) -> Iterator[Problem]:
    if threshold.HasField("value_threshold"):
        value = threshold.value_threshold
        lower, upper = value.HasField("lower_bound"), value.HasField("upper_bound")
        if not (lower or upper):
            yield Problem(
                f"the value_threshold of '{name}' has no bound. Give it a lower_bound or an upper_bound.",
                place=place,
            )
        elif lower and upper and value.lower_bound.value > value.upper_bound.value:
            yield Problem(
                f"the value_threshold of '{name}' has a lower_bound ({value.lower_bound.value:g}) above its "
                f"upper_bound ({value.upper_bound.value:g}), so no value passes. Swap them.",
                place=place,
            )
    if threshold.HasField("change_threshold"):
        change = threshold.change_threshold
        if not (change.HasField("absolute") or change.HasField("relative")):
            yield Problem(
                f"the change_threshold of '{name}' has no bound. Give it absolute or relative.",
                place=place,
            )
        if not change.direction:
            yield Problem(
                f"the change_threshold of '{name}' has no direction. Add direction: HIGHER_IS_BETTER or "
                "LOWER_IS_BETTER.",
                place=place,
            )


def _makes(keys: set[str], values: Mapping[str, str], wanted: "config_pb2.SlicingSpec") -> bool:
    """Whether slicing by these keys and values can make a slice that a threshold is about."""
    columns = keys | set(values)
    return columns == {*wanted.feature_keys, *wanted.feature_values} and all(
        values.get(column, value) == value for column, value in wanted.feature_values.items()
    )


def _own_name(metric: "config_pb2.MetricConfig") -> str:
    return str(read_config(metric).get("name", ""))


def read_config(metric: "config_pb2.MetricConfig") -> dict[str, Any]:
    """Read a metric's config; empty if it is not JSON."""
    try:
        config = json.loads(_braced(metric.config))
    except ValueError:
        return {}
    return config if isinstance(config, dict) else {}


def _braced(config: str) -> str:
    """Add the outer braces, which TFMA lets users leave out."""
    return config if config.startswith("{") else f"{{{config}}}"
