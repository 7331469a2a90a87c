"""Keras metrics summed by group of rows."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.utils.keras_lib import tf_keras

from ..array_metrics import prepare
from ..array_metrics.array_path import Columns, NotCoveredError, Rows
from ..array_metrics.keras_metrics import KERAS_BATCH_ROWS
from .draws import Draws, GroupSums, by_group


def keras_sums(computation: metric_types.MetricComputation, columns: Columns) -> GroupSums:
    """Prepare Keras metrics: means over rows by their values on each row, others by their states.

    Args:
        computation: One of TFMA's computations of Keras metrics.
        columns: All rows of the model that it is about.

    Raises:
        NotCoveredError: If they have no array path.
    """
    combiner = computation.combiner
    if combiner._output_names != [""] or combiner._sub_key is not None or columns.dense:
        return _keras_states(combiner, prepare(computation, columns))
    combiner.setup()
    try:
        return _keras_means(combiner, columns)
    except NotCoveredError:
        return _keras_states(combiner, prepare(computation, columns))


def _keras_states(combiner: Any, fill: Callable[[Rows], Any]) -> GroupSums:
    """Prepare Keras metrics whose states TFMA adds up, batch by batch: what can be added can be taken away."""

    def draws(rows: Rows, group: np.ndarray, groups: int) -> Draws:
        whole = fill(rows)
        yield combiner.extract_output(whole)
        for left_out in by_group(rows, group, groups):
            yield combiner.extract_output(_StatesWithout(whole, fill(left_out)))

    return draws


@dataclass(frozen=True)
class _StatesWithout:
    """The states of Keras metrics over some rows, as TFMA reads an accumulator.

    Attributes:
        whole: The accumulator of all rows.
        part: That of the rows that are left out.
    """

    whole: Any
    part: Any

    def len_inputs(self) -> int:
        return 0

    def get_weights(self, output: int, metric: int) -> list[np.ndarray] | None:
        whole: list[np.ndarray] | None = self.whole.get_weights(output, metric)
        part: list[np.ndarray] | None = self.part.get_weights(output, metric)
        if whole is None or part is None:
            return whole
        return [np.subtract(one, other) for one, other in zip(whole, part, strict=True)]


def _keras_means(combiner: Any, columns: Columns) -> GroupSums:
    """Prepare Keras metrics that are means over rows; their values on each row are computed once."""
    values = {
        metric_types.MetricKey(
            name=metric.name,
            model_name=combiner._model_name,
            output_name="",
            sub_key=None,
            example_weighted=combiner._example_weighted,
        ): (_row_values(metric, columns), _is_root(metric))
        for metric in combiner._metrics[""]
    }

    def draws(rows: Rows, group: np.ndarray, groups: int) -> Draws:
        weight = columns.weight[rows]
        counts = np.bincount(group, weight, minlength=groups)
        sums = {
            key: (np.bincount(group, weight * value[rows], minlength=groups), root)
            for key, (value, root) in values.items()
        }
        for draw in range(-1, groups):
            count = counts.sum() - (counts[draw] if draw >= 0 else 0.0)
            found = {}
            for key, (one, root) in sums.items():
                total = one.sum() - (one[draw] if draw >= 0 else 0.0)
                mean = total / count if count else math.nan
                found[key] = math.sqrt(max(mean, 0.0)) if root and count else mean
            yield found

    return draws


def _is_root(metric: Any) -> bool:
    return isinstance(metric, tf_keras.metrics.RootMeanSquaredError)


def _row_values(metric: Any, columns: Columns) -> np.ndarray:
    """Compute a Keras metric on each row, in batches; of a root the squares below it."""
    if _is_root(metric):
        error = columns.prediction.reshape(len(columns.label), -1) - columns.label[:, None]
        return np.asarray(np.square(error.astype(np.float64)).mean(axis=1))
    if isinstance(metric, tf_keras.metrics.MeanMetricWrapper):
        of_rows = functools.partial(metric._fn, **metric._fn_kwargs)
    elif hasattr(metric, "loss"):
        of_rows = metric.loss.call
    else:
        raise NotCoveredError(f"{metric.name} ({type(metric).__name__})")
    values = np.empty(len(columns.label))
    for start in range(0, len(values), KERAS_BATCH_ROWS):
        batch = slice(start, start + KERAS_BATCH_ROWS)
        prediction = columns.prediction[batch]
        found = of_rows(
            tf.constant(columns.label[batch].astype(np.float32).reshape(-1, 1)),
            tf.constant(prediction.reshape(len(prediction), -1)),
        )
        values[batch] = np.asarray(found, np.float64).reshape(len(prediction), -1).mean(axis=1)
    return values
