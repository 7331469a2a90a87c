"""TFMA's calibration histograms as arrays, and the confusion matrices and plots that it makes of them.

TFMA makes an object of each of ten thousand buckets, and goes through all of them in Python for each slice, class and
model: most of the time of an evaluation with many slices.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, overload

import numpy as np
from tensorflow_model_analysis.metrics import (
    binary_confusion_matrices,
    calibration_histogram,
    metric_types,
)
from tensorflow_model_analysis.proto import metrics_for_slice_pb2

from .array_path import Columns, Rows

Metrics = dict[Any, Any]
Derive = Callable[[Metrics], Metrics]
Bucket: TypeAlias = calibration_histogram.Bucket
_MATRICES = binary_confusion_matrices.BINARY_CONFUSION_MATRICES_NAME


@dataclass(frozen=True)
class Histogram(Sequence[Bucket]):
    """A histogram in arrays of shape (buckets that have rows,); TFMA's functions read it as their list of buckets.

    Attributes:
        ids: Numbers of the buckets, ascending.
        labels: Sum of weighted labels.
        predictions: Sum of weighted predictions.
        examples: Sum of weights.
    """

    ids: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    examples: np.ndarray

    def __len__(self) -> int:
        """Count the buckets."""
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Bucket: ...

    @overload
    def __getitem__(self, index: slice) -> list[Bucket]: ...

    def __getitem__(self, index: int | slice) -> Bucket | list[Bucket]:
        """Make TFMA's object of a bucket, or of several."""
        if isinstance(index, slice):
            return list(self)[index]
        return Bucket(
            int(self.ids[index]),
            float(self.labels[index]),
            float(self.predictions[index]),
            float(self.examples[index]),
        )

    def __iter__(self) -> Iterator[Bucket]:
        """Make TFMA's objects of all buckets."""
        sums = (self.labels.tolist(), self.predictions.tolist(), self.examples.tolist())
        for bucket, *values in zip(self.ids.tolist(), *sums, strict=True):
            yield Bucket(bucket, *values)


class HistogramFill:
    """From the rows of a slice to their histogram, as an accumulator of TFMA's or in arrays."""

    def __init__(self, combiner: Any, columns: Columns) -> None:
        self._combiner, self._columns = combiner, columns

    def __call__(self, rows: Rows) -> dict[int, Bucket]:
        """Fill TFMA's accumulator."""
        return {bucket.bucket_id: bucket for bucket in self.histogram(rows)}

    def histogram(self, rows: Rows) -> Histogram:
        """Make the histogram of some rows."""
        # Private names of TFMA's combiner: its bucket rule has to be this one, to the bucket.
        combiner = self._combiner
        left, span, buckets = combiner._left, combiner._range, combiner._num_buckets
        label, prediction, weight = (values.ravel() for values in self._columns.as_float(rows))
        based_on = prediction if combiner._prediction_based_bucketing else label
        position = (based_on - left) / span * buckets + 1
        where = np.clip(position, 0, buckets + 1).astype(np.int32)
        # TFMA splits a row into a negative and a positive part and drops a part without weight.
        counted = where[weight != 0] if combiner._fractional_labels else where
        present = np.flatnonzero(np.bincount(counted, minlength=buckets + 2))
        return Histogram(
            present,
            *(
                np.bincount(where, values, minlength=buckets + 2)[present]
                for values in (weight * label, weight * prediction, weight)
            ),
        )


def extract_output(
    computation: metric_types.MetricComputation, fill: Callable[[Rows], Any], rows: Rows
) -> Metrics:
    """Return what a computation's combiner gives for some rows, with histograms in arrays.

    Args:
        computation: One of TFMA's computations with a combiner.
        fill: How its accumulators are filled.
        rows: The rows of a slice.
    """
    if isinstance(fill, HistogramFill):
        return {computation.combiner._key: fill.histogram(rows)}
    found: Metrics = computation.combiner.extract_output(fill(rows))
    return found


@dataclass(frozen=True)
class _Matrices:
    """How TFMA makes confusion matrices of a histogram.

    Attributes:
        histogram: Key of the histogram.
        matrices: Key of the matrices.
        thresholds: The thresholds, in TFMA's order.
        first: For each the first bucket whose rows are predicted positive, ascending, shape (thresholds,).
    """

    histogram: metric_types.PlotKey
    matrices: metric_types.MetricKey
    thresholds: Sequence[float]
    first: np.ndarray

    def derive(self, metrics: Metrics) -> Metrics:
        """Make the matrices."""
        histogram = metrics[self.histogram]
        # How many thresholds take all buckets, all but the first that has rows, and so on.
        ends = np.searchsorted(self.first, histogram.ids, side="right")
        counts = np.diff(ends, prepend=0, append=len(self.first))
        tp, fn = _sums(histogram.labels, counts)
        fp, tn = _sums(histogram.examples - histogram.labels, counts)
        return {
            self.matrices: binary_confusion_matrices.Matrices(
                thresholds=self.thresholds, tp=tp, tn=tn, fp=fp, fn=fn
            )
        }


def _sums(values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum the values from each place on, and those before it, as often as `counts` says."""
    after, before = np.zeros((2, len(values) + 1))
    np.cumsum(values[::-1], out=after[:-1][::-1])
    np.cumsum(values, out=before[1:])
    return np.repeat(after, counts), np.repeat(before, counts)


@dataclass(frozen=True)
class _Plot:
    """A plot that TFMA makes of fewer buckets than the histogram has.

    Attributes:
        histogram: Key of the histogram.
        own: TFMA's function.
        starts: The first bucket of the histogram in each of the plot's, of those that have any; ascending.
    """

    histogram: metric_types.PlotKey
    own: Derive
    starts: np.ndarray

    def derive(self, metrics: Metrics) -> Metrics:
        """Make the plot of a histogram that is summed up by the plot's buckets."""
        fine: Histogram = metrics[self.histogram]
        target = np.searchsorted(self.starts, fine.ids, side="right")
        first = np.flatnonzero(np.diff(target, prepend=-1))
        if len(first) == len(target):
            return self.own(metrics)
        sums = (np.add.reduceat(v, first) for v in (fine.labels, fine.predictions, fine.examples))
        return self.own({self.histogram: Histogram(fine.ids[first], *sums)})


def derive_over_arrays(
    derived: metric_types.DerivedMetricComputation,
    computations: Sequence[metric_types.MetricComputation],
) -> Derive:
    """Choose how confusion matrices and calibration plots are derived from histograms in arrays.

    TFMA's own function says which buckets a threshold takes: of a histogram with one positive row in each bucket.

    Args:
        derived: A derived computation of TFMA's, of any kind.
        computations: The computations with combiners that it may start from.

    Returns:
        A function over arrays; TFMA's own of what is made of something else, or counts buckets in another way.
    """
    own: Derive = derived.result
    key = derived.keys[0]
    is_plot = isinstance(key, metric_types.PlotKey)
    if len(derived.keys) != 1 or not (is_plot or key.name.startswith(_MATRICES)):
        return own
    for computation in computations:
        start = computation.keys[0]
        is_histogram = type(computation.combiner).__name__ == "_CalibrationHistogramCombiner"
        if not is_histogram or start.sub_key != key.sub_key or start.model_name != key.model_name:
            continue
        buckets = computation.combiner._num_buckets + 2
        ones = np.ones(buckets)
        try:
            made = own({start: Histogram(np.arange(buckets), ones, ones, ones)})[key]
        except KeyError:
            # It starts from something else, such as the histogram of another metric.
            continue
        if isinstance(made, metrics_for_slice_pb2.CalibrationHistogramBuckets):
            counts = np.array([int(b.num_weighted_examples.value) for b in made.buckets])
            if counts.sum() == buckets:
                return _Plot(start, own, (np.cumsum(counts) - counts)[counts > 0]).derive
        elif isinstance(made, binary_confusion_matrices.Matrices):
            found, missed = np.asarray(made.tp, np.int64), np.asarray(made.fn, np.int64)
            is_usual = np.all(found + missed == buckets) and np.all(np.diff(missed) >= 0)
            # By one threshold TFMA counts buckets that have rows, not their numbers.
            if len(made.thresholds) > 1 and is_usual:
                return _Matrices(start, key, made.thresholds, missed).derive
    return own
