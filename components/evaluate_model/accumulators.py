"""TFMA's combiners filled from whole arrays instead of one example at a time.

A combiner that is not in the table here, or is set in a way that is not written here, is refused,
so that an unknown version of TFMA is slow (it runs on Beam) and never wrong. Only this module,
`in_process` and `intervals` use TFMA's private names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from tensorflow_model_analysis.contrib.aggregates import binary_confusion_matrices as matrices
from tensorflow_model_analysis.metrics import (
    binary_confusion_matrices,
    calibration,
    calibration_histogram,
    cross_entropy_metrics,
    example_count,
    mean_regression_error,
    metric_types,
    metric_util,
    squared_pearson_correlation,
    tf_metric_accumulators,
    tf_metric_wrapper,
    tjur_discrimination,
)

KERAS_BATCH_ROWS = 65_536

Rows = np.ndarray | slice
Fill = Callable[[Rows], Any]
"""From the rows of a slice to the accumulator that TFMA's combiner would have after them."""


class NotCoveredError(Exception):
    """A metric that only TFMA's own pipeline computes; the message says which and why."""


@dataclass(frozen=True)
class Columns:
    """What a metric of one model is computed from.

    Attributes:
        label: Shape (rows,).
        prediction: Shape (rows,) or (rows, classes), float32.
        weight: Shape (rows,), float64; ones where rows weigh the same.
    """

    label: np.ndarray
    prediction: np.ndarray
    weight: np.ndarray


def filler(computation: metric_types.MetricComputation, columns: Columns) -> Fill:
    """Prepare a computation over all rows, once.

    Args:
        computation: One of TFMA's computations with a combiner.
        columns: All rows of the model that the computation is about.

    Returns:
        A function from the rows of a slice to the combiner's accumulator.

    Raises:
        NotCoveredError: If TFMA's own pipeline has to compute it.
    """
    combiner = computation.combiner
    fill = _FILLS.get(type(combiner))
    name = ", ".join(dict.fromkeys(key.name for key in computation.keys))
    if fill is None:
        raise NotCoveredError(f"{name} ({type(combiner).__name__})")
    plain = all(
        type(preprocessor) is metric_types.StandardMetricInputsPreprocessor
        for preprocessor in computation.preprocessors
    )
    key = computation.keys[0]
    if (
        not plain
        or key.sub_key is not None
        or key.output_name
        or key.aggregation_type is not None
        or getattr(combiner, "_aggregation_type", None) is not None
        or getattr(combiner, "_class_weights", None)
    ):
        raise NotCoveredError(f"{name} (by class, output or feature)")
    if columns.prediction.ndim > 1 and fill not in (_example_count, _keras):
        raise NotCoveredError(f"{name} (of a model with several outputs)")
    return fill(combiner, columns)


def _example_count(combiner: Any, columns: Columns) -> Fill:
    return lambda rows: np.float64(columns.weight[rows].sum())


def _calibration_histogram(combiner: Any, columns: Columns) -> Fill:
    label, prediction, weight = _as_float(columns)
    # Private names of TFMA's combiner: its bucket rule has to be this one, to the bucket.
    left, span, buckets = combiner._left, combiner._range, combiner._num_buckets
    based_on = prediction if combiner._prediction_based_bucketing else label
    position = (based_on - left) / span * buckets + 1
    index = np.clip(position, 0, buckets + 1).astype(np.int32)
    counted = np.ones(len(label), bool)
    if combiner._fractional_labels:
        # TFMA splits a row into a negative and a positive part and drops a part that weighs
        # nothing.
        counted = weight != 0
    sums = (weight * label, weight * prediction, weight)

    def fill(rows: Rows) -> dict[int, calibration_histogram.Bucket]:
        where = index[rows]
        present = np.flatnonzero(np.bincount(where[counted[rows]], minlength=buckets + 2))
        totals = [
            np.bincount(where, values[rows], minlength=buckets + 2)[present].tolist()
            for values in sums
        ]
        return {
            bucket: calibration_histogram.Bucket(bucket, *values)
            for bucket, *values in zip(present.tolist(), *totals, strict=True)
        }

    return fill


def _confusion_matrices(combiner: Any, columns: Columns) -> Fill:
    inner = combiner._binary_confusion_matrices
    if (
        combiner._example_id_key
        or combiner._extract_label_prediction_and_weight
        is not metric_util.to_label_prediction_example_weight
        or not combiner._enable_fractional_labels
    ):
        raise NotCoveredError("a confusion matrix with example ids or labels of its own")
    label, prediction, weight = _as_float(columns)
    thresholds = list(inner._thresholds)
    ascending = np.sort(np.asarray(thresholds, np.float64))
    # How many thresholds lie below the prediction: those it is positive at.
    above = np.searchsorted(ascending, prediction, side="left").astype(np.int32)
    place = {threshold: int(np.searchsorted(ascending, threshold)) for threshold in thresholds}
    positive, negative = weight * label, weight * (1 - label)

    def fill(rows: Rows) -> dict[float, Any]:
        where = above[rows]
        below_positive, below_negative = (
            np.cumsum(np.bincount(where, values[rows], minlength=len(ascending) + 1))
            for values in (positive, negative)
        )
        accumulator = {}
        for threshold in thresholds:
            fn, tn = below_positive[place[threshold]], below_negative[place[threshold]]
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


def _regression_error(error: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[..., Fill]:
    def prepare(combiner: Any, columns: Columns) -> Fill:
        with np.errstate(all="ignore"):
            errors = error(columns.label, columns.prediction).astype(np.float64)
        counted = ~np.isnan(errors)
        weighted = np.where(counted, errors, 0.0) * columns.weight
        weight = np.where(counted, columns.weight, 0.0)
        return lambda rows: mean_regression_error._MeanRegressionErrorAccumulator(
            total_example_weights=float(weight[rows].sum()),
            total_regression_error=float(weighted[rows].sum()),
        )

    return prepare


def _percentage_error(label: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    return np.where(label == 0, np.nan, 100 * np.abs((label - prediction) / label))


def _squared_logarithmic_error(label: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    return np.abs(np.log(label + 1) - np.log(prediction + 1)) ** 2


def _binary_cross_entropy(combiner: Any, columns: Columns) -> Fill:
    smoothing = combiner._label_smoothing
    label = columns.label * (1.0 - smoothing) + 0.5 * smoothing
    prediction = columns.prediction
    with np.errstate(all="ignore"):
        if combiner._from_logits:
            entropy = (
                np.maximum(prediction, 0)
                - prediction * label
                + np.log(1 + np.exp(-np.abs(prediction)))
            )
        else:
            entropy = -(label * np.log(prediction)) - (1 - label) * np.log(1 - prediction)
        weighted = entropy * columns.weight
    return lambda rows: cross_entropy_metrics._CrossEntropyAccumulator(
        total_cross_entropy=float(weighted[rows].sum()),
        total_example_weights=float(columns.weight[rows].sum()),
    )


def _sums(
    make: Callable[[], Any], terms: Callable[..., dict[str, np.ndarray]]
) -> Callable[..., Fill]:
    """Fill an accumulator whose attributes are sums over rows."""

    def prepare(combiner: Any, columns: Columns) -> Fill:
        values = terms(*_as_float(columns))

        def fill(rows: Rows) -> Any:
            accumulator = make()
            for name, value in values.items():
                setattr(accumulator, name, float(value[rows].sum()))
            return accumulator

        return fill

    return prepare


def _mean_terms(
    label: np.ndarray, prediction: np.ndarray, weight: np.ndarray
) -> dict[str, np.ndarray]:
    return {
        "total_weighted_labels": weight * label,
        "total_weighted_predictions": weight * prediction,
        "total_weighted_examples": weight,
    }


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
        **_mean_terms(label, prediction, weight),
        "total_weighted_squared_labels": weight * label**2,
        "total_weighted_squared_predictions": weight * prediction**2,
        "total_weighted_labels_times_predictions": weight * label * prediction,
    }


class _ArrayInputs(tf_metric_accumulators.TFCompilableMetricsAccumulator):
    """An accumulator whose waiting inputs are arrays, so that Keras sees large batches."""

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


def _keras(combiner: Any, columns: Columns) -> Fill:
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


def _as_float(columns: Columns) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        columns.label.astype(np.float64),
        columns.prediction.astype(np.float64),
        columns.weight,
    )


_FILLS: dict[type, Callable[..., Fill]] = {
    combiner: fill
    for module, name, fill in (
        (example_count, "_ExampleCountCombiner", _example_count),
        (calibration_histogram, "_CalibrationHistogramCombiner", _calibration_histogram),
        (binary_confusion_matrices, "_BinaryConfusionMatrixCombiner", _confusion_matrices),
        (
            calibration,
            "_WeightedLabelsPredictionsExamplesCombiner",
            _sums(getattr(calibration, "_WeightedLabelsPredictionsExamples", dict), _mean_terms),
        ),
        (
            tjur_discrimination,
            "_TjurDiscriminationCombiner",
            _sums(
                getattr(tjur_discrimination, "_TjurDiscriminationAccumulator", dict), _tjur_terms
            ),
        ),
        (
            squared_pearson_correlation,
            "_SquaredPearsonCorrelationCombiner",
            _sums(
                getattr(squared_pearson_correlation, "_SquaredPearsonCorrelationAccumulator", dict),
                _pearson_terms,
            ),
        ),
        (
            mean_regression_error,
            "_MeanAbsoluteErrorCombiner",
            _regression_error(lambda label, prediction: np.abs(label - prediction)),
        ),
        (
            mean_regression_error,
            "_MeanSquaredErrorCombiner",
            _regression_error(lambda label, prediction: np.abs(label - prediction) ** 2),
        ),
        (
            mean_regression_error,
            "_MeanAbsolutePercentageErrorCombiner",
            _regression_error(_percentage_error),
        ),
        (
            mean_regression_error,
            "_MeanSquaredLogarithmicErrorCombiner",
            _regression_error(_squared_logarithmic_error),
        ),
        (cross_entropy_metrics, "_BinaryCrossEntropyCombiner", _binary_cross_entropy),
        (tf_metric_wrapper, "_CompilableMetricsCombiner", _keras),
    )
    # A release of TFMA that renamed one loses the fast path for it, nothing else.
    if (combiner := getattr(module, name, None)) is not None
}
