"""Rows counted by class: the weights of a weighted macro average, and confusion matrices of several classes."""

from typing import Any

import numpy as np
from tensorflow_model_analysis.metrics import (
    aggregation,
    metric_util,
    multi_class_confusion_matrix_metrics,
)

from .array_path import ArrayPath, Columns, Fill, NotCoveredError, Rows

_matrices = multi_class_confusion_matrix_metrics


def _class_weights(combiner: Any, columns: Columns) -> Fill:
    classes = combiner._class_ids

    def fill(rows: Rows) -> dict[int, float]:
        label, weight = columns.label[rows], columns.weight[rows]
        if label.ndim > 1:
            return {number: float((weight * label[:, number]).sum()) for number in classes}
        return {number: float(weight[label == number].sum()) for number in classes}

    return fill


def _confusion_matrix(combiner: Any, columns: Columns) -> Fill:
    if (
        combiner._extract_label_prediction_and_weight
        is not metric_util.to_label_prediction_example_weight
    ):
        raise NotCoveredError("a confusion matrix with its own labels")
    if columns.prediction.ndim == 1:
        raise NotCoveredError("a confusion matrix of classes, of a model with one output")
    if columns.dense:
        raise NotCoveredError("a confusion matrix of one class a row, of rows with several")
    actual = columns.label.astype(np.int64)
    best = columns.prediction.argmax(axis=1)
    score = columns.prediction[np.arange(len(best)), best].astype(np.float64)
    # TFMA's loop over thresholds leaves a row without a class once one threshold did.
    highest = np.maximum.accumulate(np.asarray(combiner._thresholds, np.float64))

    def fill(rows: Rows) -> Any:
        found = _matrices.Matrices()
        for threshold, bound in zip(combiner._thresholds, highest, strict=True):
            predicted = np.where(score[rows] <= bound, _matrices.NO_PREDICTED_CLASS_ID, best[rows])
            pairs, place = np.unique(
                np.stack([actual[rows], predicted], axis=1), axis=0, return_inverse=True
            )
            weights = np.bincount(place.ravel(), columns.weight[rows], minlength=len(pairs))
            if len(pairs):
                found[threshold] = {
                    _matrices.MatrixEntryKey(*map(int, pair)): float(weight)
                    for pair, weight in zip(pairs, weights, strict=True)
                }
        return found

    return fill


PATHS = (
    ArrayPath(aggregation, "_ClassWeightsFromLabelsCombiner", _class_weights, several_outputs=True),
    ArrayPath(
        _matrices, "_MultiClassConfusionMatrixCombiner", _confusion_matrix, several_outputs=True
    ),
)
