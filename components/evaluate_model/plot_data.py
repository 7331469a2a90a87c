"""The numbers behind the report's curves, confusion matrices, calibration and errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..lib.evaluation.scores import Scores
from .score_histogram import Histogram, histogram_of_shares, make_histograms

CURVE_POINTS = 200
THRESHOLDS = tuple(round(0.05 * i, 2) for i in range(1, 20))
CALIBRATION_BUCKETS = 20
ERROR_SHARES = (0.5, 0.9, 0.99)


@dataclass(frozen=True)
class CalibrationPoint:
    """A bucket of predictions.

    Attributes:
        rows: How many rows, or their weight.
        prediction: Their mean prediction.
        label: Their mean label.
    """

    rows: float
    prediction: float
    label: float


@dataclass(frozen=True)
class Matrix:
    """Rows with two labels, by what is predicted above a threshold; counts are weights where rows have weights.

    Attributes:
        threshold: A prediction above it counts as positive.
        tp: Positive rows that are predicted positive.
        fp: Negative rows that are predicted positive.
        fn: Positive rows that are predicted negative.
        tn: Negative rows that are predicted negative.
    """

    threshold: float
    tp: float
    fp: float
    fn: float
    tn: float

    @property
    def recall(self) -> float | None:
        """Share of the positive rows that are found."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def precision(self) -> float | None:
        """Share of the rows predicted positive that are."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def fall_out(self) -> float | None:
        """Share of the negative rows that are predicted positive."""
        return _ratio(self.fp, self.fp + self.tn)


@dataclass(frozen=True)
class ModelPlots:
    """One model's predictions on all rows. What does not suit the label is empty.

    Attributes:
        curve: Of two labels: matrices from the highest threshold to the lowest, enough to draw curves.
        matrices: Of two labels: matrices at `THRESHOLDS`.
        classes: Of several classes: weight of rows by label (row) and predicted class (column).
        calibration: Mean label by mean prediction.
        errors: Of numbers: the absolute error that a share of rows stays below, by share.
        bias: Of numbers: mean of prediction minus label.
        histogram: How its predictions are distributed.
        class_words: Words for the classes, from 0; none: their numbers.
    """

    curve: Sequence[Matrix] = ()
    matrices: Sequence[Matrix] = ()
    classes: Sequence[Sequence[float]] = ()
    calibration: Sequence[CalibrationPoint] = ()
    errors: Mapping[float, float] = field(default_factory=dict)
    bias: float | None = None
    histogram: Histogram = field(default_factory=Histogram)
    class_words: Sequence[str] = ()

    @property
    def rarer_share(self) -> float:
        """Of two labels the share of the rarer one; 1 for other labels."""
        if not self.curve:
            return 1.0
        one = self.curve[0]
        positive, negative = one.tp + one.fn, one.fp + one.tn
        return min(positive, negative) / ((positive + negative) or 1.0)


def make_plot_data(scores: Scores) -> dict[str, ModelPlots]:
    """Sum predictions up for the report.

    Args:
        scores: Rows with predictions.

    Returns:
        A picture by TFMA's name of the model.
    """
    weight = np.ones(scores.rows) if scores.weight is None else scores.weight.astype(np.float64)
    label, predictions = scores.label, scores.predictions
    if label.ndim > 1:
        # All labels of a row together, as TFMA counts them.
        weight = np.repeat(weight, label.shape[1])
        label = label.ravel()
        predictions = {name: prediction.ravel() for name, prediction in predictions.items()}
    made = {name: _make(label, prediction, weight) for name, prediction in predictions.items()}
    if all(plot.curve for plot in made.values()):
        histograms = {name: _histogram_of(plot.calibration) for name, plot in made.items()}
    else:
        histograms = make_histograms(label, predictions, weight)
    return {
        name: replace(plot, histogram=histograms.get(name, Histogram()))
        for name, plot in made.items()
    }


def read_plot_data(plot: Any) -> ModelPlots:
    """Read what TFMA computed for its own plots.

    Args:
        plot: A `tfma.proto.metrics_for_slice_pb2.PlotData` of all rows.

    Returns:
        The picture; empty where the metrics have no plot.
    """
    at = [
        Matrix(
            matrix.threshold,
            matrix.true_positives,
            matrix.false_positives,
            matrix.false_negatives,
            matrix.true_negatives,
        )
        for matrix in plot.confusion_matrix_at_thresholds.matrices
    ]
    at.sort(key=lambda one: -one.threshold)
    step = max(1, len(at) // CURVE_POINTS)
    chosen = {t: min(at, key=lambda one: abs(one.threshold - t)) for t in THRESHOLDS} if at else {}
    calibration = [
        CalibrationPoint(
            rows=bucket.num_weighted_examples.value,
            prediction=bucket.total_weighted_refined_prediction.value
            / bucket.num_weighted_examples.value,
            label=bucket.total_weighted_label.value / bucket.num_weighted_examples.value,
        )
        for bucket in plot.calibration_histogram_buckets.buckets
        if bucket.num_weighted_examples.value
    ]
    return ModelPlots(
        curve=[*at[::step], *at[-1:]],
        matrices=list({one.threshold: one for one in chosen.values()}.values()),
        classes=_read_classes(plot.multi_class_confusion_matrix_at_thresholds.matrices),
        calibration=calibration,
        histogram=_histogram_of(calibration) if at else Histogram(),
    )


def _histogram_of(points: Sequence[CalibrationPoint]) -> Histogram:
    if not all(0 <= point.prediction <= 1 and 0 <= point.label <= 1 for point in points):
        return Histogram()
    return histogram_of_shares([(point.rows, point.prediction, point.label) for point in points])


def merge_plot_data(one: ModelPlots, other: ModelPlots) -> ModelPlots:
    """Take what the first picture lacks from the second."""
    return ModelPlots(
        **{
            name: getattr(one, name) or getattr(other, name)
            for name in ModelPlots.__dataclass_fields__
        }
    )


def _make(label: np.ndarray, prediction: np.ndarray, weight: np.ndarray) -> ModelPlots:
    if prediction.ndim > 1:
        return ModelPlots(classes=_count_classes(label, prediction, weight))
    prediction = prediction.astype(np.float64)
    calibration = _calibrate(label, prediction, weight)
    if np.isin(label, (0, 1)).all() and ((prediction >= 0) & (prediction <= 1)).all():
        curve, matrices = _matrices(label, prediction, weight)
        return ModelPlots(curve=curve, matrices=matrices, calibration=calibration)
    error = prediction - label
    absolute = np.abs(error)
    order = np.argsort(absolute)
    reached = np.cumsum(weight[order])
    places = np.searchsorted(reached, np.multiply(ERROR_SHARES, reached[-1]))
    return ModelPlots(
        calibration=calibration,
        errors={
            share: float(absolute[order][min(place, len(order) - 1)])
            for share, place in zip(ERROR_SHARES, places, strict=True)
        },
        bias=float(np.sum(error * weight) / (reached[-1] or 1.0)),
    )


def _matrices(
    label: np.ndarray, prediction: np.ndarray, weight: np.ndarray
) -> tuple[list[Matrix], list[Matrix]]:
    order = np.argsort(-prediction, kind="stable")
    descending = prediction[order]
    found = np.concatenate([[0.0], np.cumsum((weight * label)[order])])
    wrong = np.concatenate([[0.0], np.cumsum((weight * (1 - label))[order])])

    def matrix(threshold: float, above: int) -> Matrix:
        tp, fp = float(found[above]), float(wrong[above])
        return Matrix(threshold, tp, fp, float(found[-1]) - tp, float(wrong[-1]) - fp)

    # A curve has no point between rows of the same prediction.
    ends = np.flatnonzero(np.append(np.diff(descending) != 0, True)) + 1
    if len(ends) > CURVE_POINTS:
        # Even along both axes, so that the curve of a rare class has points where it bends.
        way = found[ends] / (found[-1] or 1.0) + wrong[ends] / (wrong[-1] or 1.0)
        wanted = np.linspace(0, way[-1], CURVE_POINTS)
        ends = ends[np.unique(np.searchsorted(way, wanted).clip(0, len(ends) - 1))]
    curve = [matrix(1.0, 0)]
    for end in ends:
        below = descending[end] if end < len(descending) else 0.0
        curve.append(matrix(float(below), int(end)))
    return curve, [
        matrix(t, int(np.searchsorted(-descending, -t, side="left"))) for t in THRESHOLDS
    ]


def _calibrate(
    label: np.ndarray, prediction: np.ndarray, weight: np.ndarray
) -> list[CalibrationPoint]:
    low, high = float(prediction.min()), float(prediction.max())
    if low >= 0 and high <= 1 and label.min() >= 0 and label.max() <= 1:
        edges = np.linspace(0, 1, CALIBRATION_BUCKETS + 1)[1:-1]
    else:
        # Of numbers with a long tail, equal widths would put nearly all rows into one bucket.
        edges = np.unique(np.quantile(prediction, np.linspace(0, 1, CALIBRATION_BUCKETS + 1)[1:-1]))
    bucket = np.searchsorted(edges, prediction, side="right")
    sums = [
        np.bincount(bucket, values, minlength=len(edges) + 1)
        for values in (weight, weight * prediction, weight * label)
    ]
    return [
        CalibrationPoint(float(rows), float(predicted / rows), float(labelled / rows))
        for rows, predicted, labelled in zip(*sums, strict=True)
        if rows > 0
    ]


def _count_classes(
    label: np.ndarray, prediction: np.ndarray, weight: np.ndarray
) -> list[list[float]]:
    count = prediction.shape[1]
    known = (label >= 0) & (label < count) & (label == np.floor(label))
    rows = label[known].astype(np.int64) * count + prediction[known].argmax(axis=1)
    counted = np.bincount(rows, weight[known], minlength=count * count)
    return [list(map(float, row)) for row in counted.reshape(count, count)]


def _read_classes(matrices: Any) -> list[list[float]]:
    if not matrices:
        return []
    # The lowest threshold leaves the fewest rows without a prediction.
    entries = min(matrices, key=lambda matrix: matrix.threshold).entries
    count = 1 + max((max(e.actual_class_id, e.predicted_class_id) for e in entries), default=-1)
    table = [[0.0] * count for _ in range(count)]
    for entry in entries:
        if entry.predicted_class_id >= 0:
            table[entry.actual_class_id][entry.predicted_class_id] += entry.num_weighted_examples
    return table


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
