"""Calibration: means of labels and predictions, and their histogram."""

import numpy as np
from tensorflow_model_analysis.metrics import calibration, calibration_histogram

from .array_path import ArrayPath, sums
from .histograms import HistogramFill


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
    ArrayPath(calibration_histogram, "_CalibrationHistogramCombiner", HistogramFill),
    ArrayPath(
        calibration,
        "_WeightedLabelsPredictionsExamplesCombiner",
        sums(getattr(calibration, "_WeightedLabelsPredictionsExamples", dict), mean_terms),
    ),
)
