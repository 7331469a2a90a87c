"""Correlation of labels and predictions: Tjur's discrimination and Pearson's correlation."""

import numpy as np
from tensorflow_model_analysis.metrics import squared_pearson_correlation, tjur_discrimination

from .array_path import ArrayPath, sums
from .calibration import mean_terms


def _tjur_terms(
    label: np.ndarray, prediction: np.ndarray, weight: np.ndarray
) -> dict[str, np.ndarray]:
    return {
        "total_negative_weighted_labels": (1.0 - label) * weight,
        "total_positive_weighted_labels": label * weight,
        "total_negative_weighted_predictions": (1.0 - label) * prediction * weight,
        "total_positive_weighted_predictions": label * prediction * weight,
    }


def _pearson_terms(
    label: np.ndarray, prediction: np.ndarray, weight: np.ndarray
) -> dict[str, np.ndarray]:
    return {
        **mean_terms(label, prediction, weight),
        "total_weighted_squared_labels": weight * label**2,
        "total_weighted_squared_predictions": weight * prediction**2,
        "total_weighted_labels_times_predictions": weight * label * prediction,
    }


PATHS = (
    ArrayPath(
        tjur_discrimination,
        "_TjurDiscriminationCombiner",
        sums(getattr(tjur_discrimination, "_TjurDiscriminationAccumulator", dict), _tjur_terms),
    ),
    ArrayPath(
        squared_pearson_correlation,
        "_SquaredPearsonCorrelationCombiner",
        sums(
            getattr(squared_pearson_correlation, "_SquaredPearsonCorrelationAccumulator", dict),
            _pearson_terms,
        ),
    ),
)
