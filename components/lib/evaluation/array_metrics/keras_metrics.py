"""Keras metrics, in large batches."""

import math
from typing import Any

import numpy as np
from tensorflow_model_analysis.metrics import tf_metric_accumulators, tf_metric_wrapper

from .array_path import ArrayPath, Columns, Fill, NotCoveredError, Rows
from .class_views import view_classes

KERAS_BATCH_ROWS = 65_536


class _ArrayInputs(tf_metric_accumulators.TFCompilableMetricsAccumulator):
    """An accumulator that hands arrays to Keras in large batches."""

    __slots__ = ("arrays",)

    def __init__(self, metric_counts: list[int]) -> None:
        super().__init__(None, metric_counts)
        self.arrays: list[tuple[np.ndarray, ...]] = []

    def len_inputs(self) -> int:
        return len(self.arrays[0][0]) if self.arrays else 0

    def get_inputs(self, output_index: int) -> Any:
        return self.arrays[output_index]

    def clear_inputs(self) -> None:
        self.arrays = []


def _prepare(combiner: Any, columns: Columns) -> Fill:
    if combiner._sub_key_in_config:
        raise NotCoveredError("a Keras metric of the k best")
    combiner.setup()
    counts = [
        len(metrics) + len(losses)
        for metrics, losses in zip(combiner._metric_configs, combiner._loss_configs, strict=True)
    ]
    shaped = [
        _shaped(combiner, columns.outputs[name] if name else columns)
        for name in combiner._output_names
    ]

    def fill(rows: Rows) -> Any:
        accumulator = _ArrayInputs(counts)
        arrays = [
            tuple(values[rows].reshape(-1, width) for values, width in output) for output in shaped
        ]
        for start in range(0, max(len(output[0]) for output in arrays), KERAS_BATCH_ROWS):
            accumulator.arrays = [
                tuple(values[start : start + KERAS_BATCH_ROWS] for values in output)
                for output in arrays
            ]
            combiner._process_batch(accumulator)
        return accumulator

    return fill


def _shaped(combiner: Any, columns: Columns) -> tuple[tuple[np.ndarray, int], ...]:
    """Return label, prediction and weight of an output, each with its numbers for a row of Keras's."""
    aggregation = combiner._aggregation_type
    if combiner._sub_key is not None or aggregation:
        columns = view_classes(columns, combiner._sub_key, aggregation, combiner._class_weights)
        if columns.prediction.ndim > 1 and not (aggregation and aggregation.micro_average):
            raise NotCoveredError("a Keras metric of several outputs at once")
        # Each output is a row of its own.
        return (columns.label.astype(np.float64), 1), (columns.prediction, 1), (columns.weight, 1)
    labels, outputs = (
        math.prod(values.shape[1:]) for values in (columns.label, columns.prediction)
    )
    return (columns.label, labels), (columns.prediction, outputs), (columns.weight, 1)


PATHS = (
    ArrayPath(tf_metric_wrapper, "_CompilableMetricsCombiner", _prepare, several_outputs=True),
)
