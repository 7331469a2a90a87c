"""Rows counted by pairs of labels: confusion matrices of rows that have several labels each."""

from typing import Any

import numpy as np
from tensorflow_model_analysis.metrics import multi_label_confusion_matrix_plot as plot

from .array_path import ArrayPath, Columns, Fill, NotCoveredError, Rows
from .class_views import one_hot_labels


def _prepare(combiner: Any, columns: Columns) -> Fill:
    prediction = columns.prediction
    if prediction.ndim == 1:
        raise NotCoveredError("a confusion matrix of labels, of a model with one output")
    has = one_hot_labels(columns.label, prediction) != 0

    def fill(rows: Rows) -> dict[float, Any]:
        there, predicted = has[rows], prediction[rows]
        # By the label that a row has, and the label that it is predicted to have.
        weighted = there.T * columns.weight[rows]
        labels = np.flatnonzero(there.any(axis=0))
        found: dict[float, Any] = {}
        for threshold in combiner._thresholds if len(there) else ():
            above = predicted > threshold
            counts = {
                "true_positives": weighted @ (there & above),
                "false_negatives": weighted @ (there & ~above),
                "false_positives": weighted @ (~there & above),
                "true_negatives": weighted @ (~there & ~above),
            }
            found[threshold] = {
                plot._MatrixEntryKey(int(label), other): _matrix(counts, int(label), other)
                for label in labels
                for other in range(there.shape[1])
            }
        return found

    return fill


def _matrix(counts: dict[str, np.ndarray], label: int, other: int) -> Any:
    matrix = plot._ConfusionMatrix()
    for name, values in counts.items():
        setattr(matrix, name, float(values[label, other]))
    return matrix


PATHS = (ArrayPath(plot, "_MultiLabelConfusionMatrixPlotCombiner", _prepare, several_outputs=True),)
