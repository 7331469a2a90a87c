"""Keras metrics, in large batches."""

from typing import Any

import numpy as np
from tensorflow_model_analysis.metrics import tf_metric_accumulators, tf_metric_wrapper

from .array_path import ArrayPath, Columns, Fill, NotCoveredError, Rows

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
    if combiner._output_names != [""] or combiner._sub_key is not None:
        raise NotCoveredError("a Keras metric by output or class")
    combiner.setup()
    counts = [
        len(metrics) + len(losses)
        for metrics, losses in zip(combiner._metric_configs, combiner._loss_configs, strict=True)
    ]
    rows_first = (
        columns.label.reshape(-1, 1),
        columns.prediction.reshape(len(columns.label), -1),
        columns.weight.reshape(-1, 1),
    )

    def fill(rows: Rows) -> Any:
        accumulator = _ArrayInputs(counts)
        arrays = [values[rows] for values in rows_first]
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
