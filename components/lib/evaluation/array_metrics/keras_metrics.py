"""Keras metrics, in large batches."""

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
        self.arrays: tuple[np.ndarray, ...] | None = None

    def len_inputs(self) -> int:
        return 0 if self.arrays is None else len(self.arrays[0])

    def get_inputs(self, output_index: int) -> Any:
        return self.arrays

    def clear_inputs(self) -> None:
        self.arrays = None


def _prepare(combiner: Any, columns: Columns) -> Fill:
    if combiner._output_names != [""] or combiner._sub_key_in_config:
        raise NotCoveredError("a Keras metric by output or of the k best")
    aggregation = combiner._aggregation_type
    if combiner._sub_key is not None or aggregation:
        columns = view_classes(columns, combiner._sub_key, aggregation, combiner._class_weights)
        if columns.prediction.ndim > 1 and not (aggregation and aggregation.micro_average):
            raise NotCoveredError("a Keras metric of several outputs at once")
    combiner.setup()
    counts = [
        len(metrics) + len(losses)
        for metrics, losses in zip(combiner._metric_configs, combiner._loss_configs, strict=True)
    ]
    outputs = (
        1 if columns.label.ndim > 1 else columns.prediction[0].size if len(columns.label) else 1
    )
    shapes = (columns.label, 1), (columns.prediction, outputs), (columns.weight, 1)

    def fill(rows: Rows) -> Any:
        accumulator = _ArrayInputs(counts)
        arrays = [values[rows].reshape(-1, width) for values, width in shapes]
        for start in range(0, len(arrays[0]), KERAS_BATCH_ROWS):
            accumulator.arrays = tuple(
                values[start : start + KERAS_BATCH_ROWS] for values in arrays
            )
            combiner._process_batch(accumulator)
        return accumulator

    return fill


PATHS = (
    ArrayPath(tf_metric_wrapper, "_CompilableMetricsCombiner", _prepare, several_outputs=True),
)
