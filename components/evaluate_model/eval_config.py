"""TFMA's EvalConfig from what the user wrote, with errors that say what to change."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.utils import config_util
from tensorflow_model_analysis.utils.keras_lib import tf_keras

from ..lib.errors import RetrainerError
from ..lib.words import did_you_mean

CANDIDATE = tfma.CANDIDATE_KEY
BASELINE = tfma.BASELINE_KEY
PREDICTION_COLUMNS = {CANDIDATE: "_prediction_candidate", BASELINE: "_prediction_baseline"}
"""Where each model's predictions lie beside the rows, by TFMA's name of the model."""


def build_eval_config(
    metrics_specs: Sequence[Mapping[str, Any]],
    slicing_specs: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    label: str,
    weight: str = "",
    has_champion: bool = False,
) -> config_pb2.EvalConfig:
    """Build TFMA's EvalConfig as TFMA itself completes it before a run.

    The overall slice is always there, and so is the number of rows of each slice. Without a
    champion change thresholds are taken out, as TFX does for a first model.

    Args:
        metrics_specs: `tfma.MetricsSpec` in proto-JSON form. A metric's `config` may be a mapping
            as well as TFMA's JSON text.
        slicing_specs: `tfma.SlicingSpec` in proto-JSON form.
        options: `tfma.Options` in proto-JSON form.
        label: Name of the label's column.
        weight: Name of the column that weighs rows; empty: all rows weigh the same.
        has_champion: Whether there is a champion to compare with.

    Returns:
        The config: one model spec without a champion; with one, `candidate` and `baseline`.

    Raises:
        RetrainerError: If a setting, a metric or a threshold is not one that TFMA takes.
    """
    config = config_pb2.EvalConfig()
    spec = config.model_specs.add(label_key=label, example_weight_key=weight)
    if has_champion:
        spec.name = CANDIDATE
        spec.prediction_key = PREDICTION_COLUMNS[CANDIDATE]
        champion = config.model_specs.add(label_key=label, example_weight_key=weight)
        champion.name, champion.is_baseline = BASELINE, True
        champion.prediction_key = PREDICTION_COLUMNS[BASELINE]
    else:
        spec.prediction_key = PREDICTION_COLUMNS[CANDIDATE]
    for i, value in enumerate(metrics_specs):
        _parse(_plain(value), config.metrics_specs.add(), f"metrics_specs[{i}]")
    for i, value in enumerate(slicing_specs):
        _parse(_plain(value), config.slicing_specs.add(), f"slicing_specs[{i}]")
    _parse(_plain(options), config.options, "options")
    if config.options.disabled_outputs.values:
        raise RetrainerError(
            "options.disabled_outputs can't be used here: the gate and the report read TFMA's "
            "results back. Take it out."
        )
    if not any(_is_overall(spec) for spec in config.slicing_specs):
        config.slicing_specs.add()
    _check_metrics(config)
    _check_thresholds(config)
    if not any(
        metric.class_name == "ExampleCount"
        for spec in config.metrics_specs
        for metric in spec.metrics
    ):
        config.metrics_specs.add(
            metrics=[config_pb2.MetricConfig(class_name="ExampleCount")],
            example_weights=config_pb2.ExampleWeightOptions(unweighted=True),
        )
    try:
        config = config_util.update_eval_config_with_defaults(
            config, has_baseline=has_champion, rubber_stamp=not has_champion
        )
        config_util.verify_eval_config(config)
        # A metric's own checks run when its computations are made: here, before any row is read.
        metric_specs.to_computations(list(config.metrics_specs), eval_config=config)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise RetrainerError(f"TFMA refuses the evaluation's settings: {error}") from error
    return config


def slice_columns(config: config_pb2.EvalConfig) -> list[str]:
    """List the columns that the slicing specs name, each once.

    Raises:
        RetrainerError: If a spec slices by SQL, which needs TFMA's extractors.
    """
    columns: dict[str, None] = {}
    for spec in config.slicing_specs:
        if spec.slice_keys_sql:
            raise RetrainerError(
                "slice_keys_sql is not supported. Slice by feature_keys and feature_values."
            )
        columns.update(dict.fromkeys([*spec.feature_keys, *spec.feature_values]))
    return list(columns)


def _is_overall(spec: config_pb2.SlicingSpec) -> bool:
    return not (spec.feature_keys or spec.feature_values or spec.slice_keys_sql)


def _plain(value: Any, key: str = "") -> Any:
    """Turn what YAML and KFP make of a spec into what proto-JSON takes."""
    if key == "config" and isinstance(value, Mapping):
        return json.dumps(_whole_numbers(value))
    if isinstance(value, Mapping):
        if set(value) == {"value"} and isinstance(value["value"], int | float):
            # `{value: 0.7}` is how Python and text protos write what proto-JSON writes as `0.7`.
            return value["value"]
        return {
            name: {column: _feature_value(item) for column, item in inner.items()}
            if name in ("feature_values", "featureValues") and isinstance(inner, Mapping)
            else _plain(inner, name)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _whole_numbers(value: Any) -> Any:
    # KFP hands every number inside a mapping over as a float; Keras wants num_thresholds=200.
    if isinstance(value, Mapping):
        return {name: _whole_numbers(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _feature_value(value: Any) -> str:
    return str(_whole_numbers(value))


def _parse(value: Any, message: Any, place: str) -> None:
    try:
        json_format.ParseDict(value, message)
    except (json_format.ParseError, TypeError, AttributeError) as error:
        names = [field.name for field in message.DESCRIPTOR.fields]
        raise RetrainerError(
            f"evaluation.{place} is not a tfma.{message.DESCRIPTOR.name}: {error}. It takes "
            f"{', '.join(names)}."
        ) from error


def _check_metrics(config: config_pb2.EvalConfig) -> None:
    if not any(spec.metrics for spec in config.metrics_specs):
        raise RetrainerError(
            "the evaluation has no metrics. Name some: metrics_specs: [{metrics: [{class_name: "
            "AUC}, {class_name: ExampleCount}]}]"
        )
    registered = metric_types.registered_metrics()
    for spec in config.metrics_specs:
        for metric in spec.metrics:
            if not metric.module and not _is_known(metric.class_name, registered):
                known = [*registered, *_keras_names()]
                raise RetrainerError(
                    f"TFMA knows no metric '{metric.class_name}'."
                    + did_you_mean(metric.class_name, known, most=3, cutoff=0.5)
                    + " One of your own needs its module as well."
                )
            try:
                metric_specs.metric_instance(metric, registered)
            except Exception as error:
                # Whatever a metric's constructor raises at its `config` is the user's to mend.
                raise RetrainerError(
                    f"the metric '{metric.class_name}' doesn't take the config '{metric.config}': "
                    f"{error}"
                ) from error


def _is_known(name: str, registered: Mapping[str, Any]) -> bool:
    return name in registered or name in _keras_names()


def _keras_names() -> list[str]:
    return [
        name
        for source in (tf_keras.metrics, tf_keras.losses)
        for name in dir(source)
        if name[0].isupper()
    ]


def _check_thresholds(config: config_pb2.EvalConfig) -> None:
    """Refuse thresholds that TFMA would take and never fail, or always fail."""
    for spec in config.metrics_specs:
        if spec.thresholds or spec.per_slice_thresholds:
            # TFMA looks these up among metrics that lie in the model's graph, and finds none.
            name = next(iter([*spec.thresholds, *spec.per_slice_thresholds]))
            raise RetrainerError(
                f"the threshold of '{name}' stands beside the metrics, where TFMA ignores it. "
                "Put it with its metric: metrics: [{class_name: ..., threshold: ...}]."
            )
        if spec.cross_slice_thresholds or any(m.cross_slice_thresholds for m in spec.metrics):
            raise RetrainerError(
                "cross_slice_thresholds are not supported. Use per_slice_thresholds."
            )
    for key, thresholds in metric_specs.metric_thresholds_from_metrics_specs(
        config.metrics_specs, config
    ).items():
        for _, threshold in thresholds:
            if isinstance(threshold, config_pb2.GenericValueThreshold):
                if not (threshold.HasField("lower_bound") or threshold.HasField("upper_bound")):
                    raise RetrainerError(
                        f"the value_threshold of '{key.name}' has no bound. Give it a lower_bound "
                        "or an upper_bound."
                    )
                continue
            if not (threshold.HasField("absolute") or threshold.HasField("relative")):
                raise RetrainerError(
                    f"the change_threshold of '{key.name}' has no bound. Give it absolute or "
                    "relative."
                )
            if not threshold.direction:
                raise RetrainerError(
                    f"the change_threshold of '{key.name}' has no direction. Add direction: "
                    "HIGHER_IS_BETTER or LOWER_IS_BETTER."
                )
