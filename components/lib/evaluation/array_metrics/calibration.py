"""Calibration: means of labels and predictions, and their histogram."""

from typing import Any

import numpy as np
from tensorflow_model_analysis.metrics import calibration, calibration_histogram

from .array_path import ArrayPath, Columns, Fill, Rows, sums


def _calibration_histogram(combiner: Any, columns: Columns) -> Fill:
    label, prediction, weight = columns.as_float()
    # Private names of TFMA's combiner: its bucket rule has to be this one, to the bucket.
    left, span, buckets = combiner._left, combiner._range, combiner._num_buckets
    based_on = prediction if combiner._prediction_based_bucketing else label
    position = (based_on - left) / span * buckets + 1
    index = np.clip(position, 0, buckets + 1).astype(np.int32)
    counted = np.ones(label.shape, bool)
    if combiner._fractional_labels:
        # TFMA splits a row into a negative and a positive part and drops a part without weight.
        counted = weight != 0
    sums = (weight * label, weight * prediction, weight)

    def fill(rows: Rows) -> dict[int, calibration_histogram.Bucket]:
        where = index[rows].ravel()
        present = np.flatnonzero(np.bincount(where[counted[rows].ravel()], minlength=buckets + 2))
        totals = [
            np.bincount(where, values[rows].ravel(), minlength=buckets + 2)[present].tolist()
            for values in sums
        ]
        return {
            bucket: calibration_histogram.Bucket(bucket, *values)
            for bucket, *values in zip(present.tolist(), *totals, strict=True)
        }

    return fill


def mean_terms(
    label: np.ndarray, prediction: np.ndarray, weight: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the terms of the weighted means of label and prediction."""
    return {
        "total_weighted_labels": weight * label,
        "total_weighted_predictions": weight * prediction,
        "total_weighted_examples": weight,
    }


PATHS = (
    ArrayPath(calibration_histogram, "_CalibrationHistogramCombiner", _calibration_histogram),
    ArrayPath(
        calibration,
        "_WeightedLabelsPredictionsExamplesCombiner",
        sums(getattr(calibration, "_WeightedLabelsPredictionsExamples", dict), mean_terms),
    ),
)
