"""What TFMA wrote, read back as plain values for the gate and the report."""

import math
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2, metrics_for_slice_pb2, validation_result_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from ..lib.evaluation.eval_config import BASELINE
from ..lib.evaluation.input_counts import COUNTS_FILE, InputCounts, SliceRows, slice_id
from ..lib.evaluation.metric_names import ROWS, result_names
from ..lib.evaluation.metric_value import Value
from ..lib.evaluation.slices import SliceKey, slice_name
from ..lib.evaluation.undefined_metrics import metric_classes, why_undefined, why_unranked
from ..lib.garbage_collection import collection_paused
from ..lib.uris import exists, join, read_json, write_atomic
from .plot_data import ModelPlots, merge_plot_data, read_plot_data
from .small_slices import too_few
from .thresholds import Check, judge_thresholds

ERROR = "__ERROR__"
"""What TFMA writes in place of the metrics of a slice with too few rows or queries."""
_RECORDS = 1_000
"""So many are read at once: one by one each takes longer to hand over than to read."""


@dataclass
class SliceResult:
    """The metrics of one slice.

    Attributes:
        key: TFMA's slice key.
        challenger: Values by metric, in TFMA's order.
        champion: The champion's, empty without one.
        change: Challenger minus champion.
        holds: What the slice's rows hold; None in an evaluation that was not counted.
        by_output: The same for each output of models with several, by its name.
        too_small: What it has too few of for `options.min_slice_size`, such as `fewer than 20 rows`, so that TFMA hides
            its metrics and no threshold is checked there; empty if it has enough.
    """

    key: SliceKey
    challenger: dict[str, Value] = field(default_factory=dict)
    champion: dict[str, Value] = field(default_factory=dict)
    change: dict[str, Value] = field(default_factory=dict)
    holds: SliceRows | None = None
    by_output: dict[str, SliceRows] = field(default_factory=dict)
    too_small: str = ""

    @property
    def name(self) -> str:
        """The slice in words, such as `carrier = UA`."""
        return slice_name(self.key)

    @property
    def rows(self) -> int | None:
        """How many rows, whatever they weigh; None if unknown."""
        if self.holds is not None:
            return self.holds.rows
        count = self.challenger.get(ROWS)
        return None if count is None else round(count.value)


@dataclass(frozen=True)
class Evaluation:
    """Everything that TFMA computed and judged.

    Attributes:
        slices: The overall slice first.
        checks: Every threshold on every slice that it is about.
        valid: Whether every threshold that could be judged is met.
        validation: TFMA's validation result, which says the same as the checks.
        plots: What TFMA computed on all rows for its own plots, by output, and by `challenger` and `champion`.
    """

    slices: list[SliceResult]
    checks: list[Check]
    valid: bool
    validation: validation_result_pb2.ValidationResult = field(
        default_factory=validation_result_pb2.ValidationResult
    )
    plots: dict[str, dict[str, ModelPlots]] = field(default_factory=dict)

    @property
    def overall(self) -> SliceResult:
        """The slice of all rows."""
        return self.slices[0]


@collection_paused()
def read_evaluation(folder: str, config: config_pb2.EvalConfig) -> Evaluation:
    """Read TFMA's result files.

    Args:
        folder: Where they lie.
        config: The config that they were made with.

    Returns:
        The evaluation.
    """
    slices: dict[SliceKey, SliceResult] = {}
    found: dict[SliceKey, dict[metric_types.MetricKey, Value]] = {}
    names = result_names(config)
    counts = _input_counts(folder)
    classes = metric_classes(config)
    one_output = {
        name: all(outputs == 1 for outputs in one.outputs.values())
        for name, one in {"": counts, **counts.by_output}.items()
    }
    for proto in _records(folder, constants.METRICS_KEY, metrics_for_slice_pb2.MetricsForSlice):
        key = slicer_lib.deserialize_slice_key(proto.slice_key)
        holds = counts.slices.get(slice_id(key))
        others = {
            name: one.slices[slice_id(key)]
            for name, one in counts.by_output.items()
            if slice_id(key) in one.slices
        }
        result = slices.setdefault(key, SliceResult(key, holds=holds, by_output=others))
        if ERROR in proto.metrics:
            result.too_small = too_few(config, result.rows)
        values = found.setdefault(key, {})
        # Without it slices of TFMA's own pipeline would stand in whatever order its workers ended
        # in.
        for item in sorted(proto.metric_keys_and_values, key=lambda kv: kv.key.name):
            if not item.value.HasField("double_value"):
                continue
            metric = metric_types.MetricKey.from_proto(item.key)
            value = Value(item.value.double_value.value, _interval(item))
            of_output = counts.of_output(metric.output_name).slices.get(slice_id(key))
            if of_output is not None:
                of_class, one = classes.get(metric.name, ""), one_output[metric.output_name]
                why = why_undefined(of_class, metric, of_output, one)
                why = why or why_unranked(of_class, value.value)
                value = Value(math.nan, None, why) if why else value
            values[metric] = value
            _side(result, metric)[names(metric)] = value
    plots: dict[str, dict[str, ModelPlots]] = {}
    for proto in _records(folder, constants.PLOTS_KEY, metrics_for_slice_pb2.PlotsForSlice):
        key = slicer_lib.deserialize_slice_key(proto.slice_key)
        for item in proto.plot_keys_and_values:
            if key == ():
                who = "champion" if item.key.model_name == BASELINE else "challenger"
                read = read_plot_data(item.value)
                known = plots.setdefault(item.key.output_name, {})
                known[who] = merge_plot_data(known.get(who, ModelPlots()), read)
    (validation,) = _records(
        folder, constants.VALIDATIONS_KEY, validation_result_pb2.ValidationResult
    )
    too_small = {key: result.too_small for key, result in slices.items() if result.too_small}
    checks, validation = judge_thresholds(config, found, validation, names, too_small)
    return Evaluation(
        slices=sorted(slices.values(), key=lambda s: (s.key != (), -(s.rows or 0), s.name)),
        checks=checks,
        valid=validation.validation_ok,
        validation=validation,
        plots=plots,
    )


def write_validation(folder: str, evaluation: Evaluation) -> None:
    """Write the validation result back, so that `tfma.load_validation_result` says what the gate says.

    Args:
        folder: Where TFMA's result files lie.
        evaluation: What was read from there.
    """
    (path,) = tf.io.gfile.glob(os.path.join(folder, f"{constants.VALIDATIONS_KEY}*.tfrecord"))
    with tempfile.NamedTemporaryFile() as file:
        with tf.io.TFRecordWriter(file.name) as writer:
            writer.write(evaluation.validation.SerializeToString())
        write_atomic(path, Path(file.name).read_bytes())


def _input_counts(folder: str) -> InputCounts:
    uri = join(folder, COUNTS_FILE)
    return InputCounts.from_json(read_json(uri)) if exists(uri) else InputCounts()


def _records(folder: str, kind: str, message: Any) -> Iterator[Any]:
    """Read TFMA's records; its own loader does it by a function that TensorFlow warns of."""
    paths = sorted(tf.io.gfile.glob(os.path.join(folder, f"{kind}*.tfrecord")))
    for records in tf.data.TFRecordDataset(paths).batch(_RECORDS).as_numpy_iterator():
        for record in records:
            yield message.FromString(record)


def _side(result: SliceResult, key: metric_types.MetricKey) -> dict[str, Value]:
    if key.is_diff:
        return result.change
    return result.champion if key.model_name == BASELINE else result.challenger


def _interval(item: Any) -> tuple[float, float] | None:
    if not item.HasField("confidence_interval"):
        return None
    bounds = item.confidence_interval
    return bounds.lower_bound.double_value.value, bounds.upper_bound.double_value.value


def finite(values: Iterable[tuple[str, Value]]) -> dict[str, float]:
    """Keep the values that are numbers; KFP's metrics hold no NaN or infinity."""
    return {name: value.value for name, value in values if math.isfinite(value.value)}
