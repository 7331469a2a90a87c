"""Binary confusion matrices at thresholds: precision, recall, AUC and everything derived from them."""

from typing import Any

import numpy as np
from tensorflow_model_analysis.contrib.aggregates import binary_confusion_matrices as matrices
from tensorflow_model_analysis.metrics import binary_confusion_matrices, metric_util

from .array_path import ArrayPath, Columns, Fill, NotCoveredError, Rows


def _prepare(combiner: Any, columns: Columns) -> Fill:
    inner = combiner._binary_confusion_matrices
    if (
        combiner._example_id_key
        or combiner._extract_label_prediction_and_weight
        is not metric_util.to_label_prediction_example_weight
        or not combiner._enable_fractional_labels
    ):
        raise NotCoveredError("a confusion matrix with example ids or its own labels")
    thresholds = list(inner._thresholds)
    ascending = np.sort(np.asarray(thresholds, np.float64))
    position = {threshold: int(np.searchsorted(ascending, threshold)) for threshold in thresholds}

    def fill(rows: Rows) -> dict[float, Any]:
        label, prediction, weight = columns.as_float(rows)
        # How many thresholds lie below the prediction: those it is positive at.
        where = np.searchsorted(ascending, prediction.ravel(), side="left")
        below_positive, below_negative = (
            np.cumsum(np.bincount(where, values.ravel(), minlength=len(ascending) + 1))
            for values in (weight * label, weight * (1 - label))
        )
        accumulator = {}
        for threshold in thresholds:
            fn, tn = below_positive[position[threshold]], below_negative[position[threshold]]
            accumulator[threshold] = matrices._ThresholdEntry(
                matrices.Matrix(
                    tp=float(below_positive[-1] - fn),
                    tn=float(tn),
                    fp=float(below_negative[-1] - tn),
                    fn=float(fn),
                ),
                *([] for _ in range(4)),
            )
        return accumulator

    return fill


PATHS = (ArrayPath(binary_confusion_matrices, "_BinaryConfusionMatrixCombiner", _prepare),)
