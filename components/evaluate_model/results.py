"""What TFMA wrote, read back as plain values for the gate and the report."""

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2, metrics_for_slice_pb2, validation_result_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from .eval_config import BASELINE
from .slices import SliceKey

ROWS = "example_count"


@dataclass(frozen=True)
class Value:
    """A metric on one slice, with its confidence interval where TFMA computed one."""

    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class CalibrationPoint:
    """A bucket of predictions: how many rows, their mean prediction and mean label."""

    rows: float
    prediction: float
    label: float


@dataclass
class SliceResult:
    """The metrics of one slice.

    Attributes:
        key: TFMA's slice key.
        challenger: Values by metric, in TFMA's order.
        champion: The champion's, empty without one.
        change: Challenger minus champion.
        calibration: Points of the calibration plot by `challenger` and `champion`.
    """

    key: SliceKey
    challenger: dict[str, Value] = field(default_factory=dict)
    champion: dict[str, Value] = field(default_factory=dict)
    change: dict[str, Value] = field(default_factory=dict)
    calibration: dict[str, list[CalibrationPoint]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The slice in words, such as `carrier = UA`."""
        return ", ".join(f"{column} = {value}" for column, value in self.key) or "overall"

    @property
    def rows(self) -> int | None:
        """How many rows, None where TFMA hides it."""
        count = self.challenger.get(ROWS)
        return None if count is None else round(count.value)


@dataclass(frozen=True)
class Check:
    """One threshold on one slice.

    Attributes:
        metric: The metric's name.
        slice: The slice in words.
        threshold: TFMA's threshold.
        value: The challenger's value, None if the slice or the metric isn't there.
        champion: The champion's value.
        passed: TFMA's judgement.
        message: What TFMA says beside a failure.
    """

    metric: str
    slice: str
    threshold: config_pb2.GenericValueThreshold | config_pb2.GenericChangeThreshold
    value: float | None
    champion: float | None
    passed: bool
    message: str = ""

    @property
    def is_change(self) -> bool:
        """Whether it compares with the champion."""
        return isinstance(self.threshold, config_pb2.GenericChangeThreshold)


@dataclass(frozen=True)
class Evaluation:
    """Everything that TFMA computed and judged.

    Attributes:
        slices: The overall slice first.
        checks: Every threshold on every slice that it is about.
        valid: TFMA's judgement over all thresholds.
    """

    slices: list[SliceResult]
    checks: list[Check]
    valid: bool

    @property
    def overall(self) -> SliceResult:
        """The slice of all rows."""
        return self.slices[0]


def read_evaluation(folder: str, config: config_pb2.EvalConfig) -> Evaluation:
    """Read TFMA's result files.

    Args:
        folder: Where they lie.
        config: The config that they were made with.

    Returns:
        The evaluation.
    """
    slices: dict[SliceKey, SliceResult] = {}
    found: dict[SliceKey, dict[metric_types.MetricKey, float]] = {}
    names = _names(config)
    for proto in _records(folder, constants.METRICS_KEY, metrics_for_slice_pb2.MetricsForSlice):
        key = slicer_lib.deserialize_slice_key(proto.slice_key)
        result = slices.setdefault(key, SliceResult(key))
        values = found.setdefault(key, {})
        # Without it slices of TFMA's own pipeline would stand in whatever order its workers ended
        # in.
        for item in sorted(proto.metric_keys_and_values, key=lambda kv: kv.key.name):
            if not item.value.HasField("double_value"):
                continue
            metric = metric_types.MetricKey.from_proto(item.key)
            values[metric] = item.value.double_value.value
            side = _side(result, metric)
            side[names(metric)] = Value(item.value.double_value.value, _interval(item))
    for proto in _records(folder, constants.PLOTS_KEY, metrics_for_slice_pb2.PlotsForSlice):
        key = slicer_lib.deserialize_slice_key(proto.slice_key)
        for item in proto.plot_keys_and_values:
            if key in slices and item.value.HasField("calibration_histogram_buckets"):
                who = "champion" if item.key.model_name == BASELINE else "challenger"
                slices[key].calibration.setdefault(who, _points(item.value))
    (validation,) = _records(
        folder, constants.VALIDATIONS_KEY, validation_result_pb2.ValidationResult
    )
    return Evaluation(
        slices=sorted(slices.values(), key=lambda s: (s.key != (), -(s.rows or 0), s.name)),
        checks=_checks(config, found, validation, names),
        valid=validation.validation_ok,
    )


def _records(folder: str, kind: str, message: Any) -> Iterator[Any]:
    """Read TFMA's records; its own loader does it by a function that TensorFlow warns of."""
    paths = sorted(tf.io.gfile.glob(os.path.join(folder, f"{kind}*.tfrecord")))
    for record in tf.data.TFRecordDataset(paths).as_numpy_iterator():
        yield message.FromString(record)


def _side(result: SliceResult, key: metric_types.MetricKey) -> dict[str, Value]:
    if key.is_diff:
        return result.change
    return result.champion if key.model_name == BASELINE else result.challenger


def _names(config: config_pb2.EvalConfig) -> Any:
    weighted = any(spec.example_weight_key for spec in config.model_specs)

    def name(key: metric_types.MetricKey) -> str:
        text = key.name.removesuffix("_diff") if key.is_diff else key.name
        if key.sub_key is not None:
            text += f"_{key.sub_key}"
        if key.aggregation_type is not None:
            text += f"_{key.aggregation_type}"
        # A row count is of rows; where weights are in use the weighted one is told apart.
        return (
            f"weighted_{text}" if weighted and key.example_weighted and key.name == ROWS else text
        )

    return name


def _interval(item: Any) -> tuple[float, float] | None:
    if not item.HasField("confidence_interval"):
        return None
    bounds = item.confidence_interval
    return bounds.lower_bound.double_value.value, bounds.upper_bound.double_value.value


def _points(plot: Any) -> list[CalibrationPoint]:
    return [
        CalibrationPoint(
            rows=bucket.num_weighted_examples.value,
            prediction=bucket.total_weighted_refined_prediction.value
            / bucket.num_weighted_examples.value,
            label=bucket.total_weighted_label.value / bucket.num_weighted_examples.value,
        )
        for bucket in plot.calibration_histogram_buckets.buckets
        if bucket.num_weighted_examples.value
    ]


def _checks(
    config: config_pb2.EvalConfig,
    found: dict[SliceKey, dict[metric_types.MetricKey, float]],
    validation: Any,
    names: Any,
) -> list[Check]:
    """Pair every threshold with the slices it is about, and with TFMA's judgement of it.

    TFMA's result holds failures only; what is about a slice and isn't among them has passed.
    """
    failed = {
        (
            slicer_lib.deserialize_slice_key(per_slice.slice_key),
            metric_types.MetricKey.from_proto(failure.metric_key),
            _threshold(failure.metric_threshold).SerializeToString(),
        ): failure.message
        for per_slice in validation.metric_validations_per_slice
        for failure in per_slice.failures
    }
    checks = []
    thresholds = metric_specs.metric_thresholds_from_metrics_specs(config.metrics_specs, config)
    for key, pairs in thresholds.items():
        if key.model_name == BASELINE:
            continue
        plain = key._replace(is_diff=False)
        for spec, threshold in pairs:
            single = None if spec is None else slicer_lib.SingleSliceSpec(spec=spec)
            about = [k for k in found if single is None or single.is_slice_applicable(k)]
            for slice_key in about:
                message = failed.get((slice_key, key, threshold.SerializeToString()))
                values = found[slice_key]
                checks.append(
                    Check(
                        metric=names(plain),
                        slice=SliceResult(slice_key).name,
                        threshold=threshold,
                        value=values.get(plain),
                        champion=values.get(plain.make_baseline_key(BASELINE)),
                        passed=message is None,
                        message=message or "",
                    )
                )
            if not about and spec is not None:
                checks.append(
                    Check(
                        names(plain),
                        _spec_name(spec),
                        threshold,
                        None,
                        None,
                        False,
                        "no such slice",
                    )
                )
    return sorted(checks, key=lambda c: (c.passed, c.slice != "overall"))


def _threshold(threshold: config_pb2.MetricThreshold) -> Any:
    if threshold.HasField("value_threshold"):
        return threshold.value_threshold
    return threshold.change_threshold


def _spec_name(spec: config_pb2.SlicingSpec) -> str:
    parts = [*spec.feature_keys, *(f"{k} = {v}" for k, v in sorted(spec.feature_values.items()))]
    return ", ".join(parts) or "overall"


def finite(values: Iterable[tuple[str, Value]]) -> dict[str, float]:
    """Keep the values that are numbers; KFP's metrics hold no NaN or infinity."""
    return {name: value.value for name, value in values if math.isfinite(value.value)}
