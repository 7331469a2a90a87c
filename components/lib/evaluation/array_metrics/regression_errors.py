"""Mean errors of regression."""

from collections.abc import Callable
from typing import Any

import numpy as np
from tensorflow_model_analysis.metrics import mean_regression_error

from .array_path import ArrayPath, Columns, Fill, Rows


def _regression_error(
    error: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Callable[[Any, Columns], Fill]:
    def prepare(combiner: Any, columns: Columns) -> Fill:
        def fill(rows: Rows) -> Any:
            weight = columns.weight[rows]
            with np.errstate(all="ignore"):
                # Predictions stay as narrow as they are in TFMA.
                errors = error(columns.label[rows].astype(np.float64), columns.prediction[rows])
            errors = errors.astype(np.float64)
            counted = ~np.isnan(errors)
            return mean_regression_error._MeanRegressionErrorAccumulator(
                total_example_weights=float(np.where(counted, weight, 0.0).sum()),
                total_regression_error=float((np.where(counted, errors, 0.0) * weight).sum()),
            )

        return fill

    return prepare


def _percentage_error(label: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    return np.where(label == 0, np.nan, 100 * np.abs((label - prediction) / label))


def _squared_logarithmic_error(label: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    return np.abs(np.log(label + 1) - np.log(prediction + 1)) ** 2


def _absolute_error(label: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    return np.abs(label - prediction)


def _squared_error(label: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    return np.abs(label - prediction) ** 2


PATHS = tuple(
    ArrayPath(mean_regression_error, name, _regression_error(error))
    for name, error in (
        ("_MeanAbsoluteErrorCombiner", _absolute_error),
        ("_MeanSquaredErrorCombiner", _squared_error),
        ("_MeanAbsolutePercentageErrorCombiner", _percentage_error),
        ("_MeanSquaredLogarithmicErrorCombiner", _squared_logarithmic_error),
    )
)
