"""What TFMA's metric formulas start from, summed by group of rows, and without each group.

A computation of TFMA has a combiner, which fills an accumulator from rows, and derived computations, which make metrics
from accumulators. Here the accumulators of all leave-one-group-out draws are made from the sums of the groups.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from tensorflow_model_analysis.metrics import (
    binary_confusion_matrices,
    metric_types,
)

from ..array_metrics import prepare, prepare_by_query
from ..array_metrics.array_path import Columns, Fill, NotCoveredError, Rows
from ..array_metrics.class_views import settings_of, view_classes
from ..array_metrics.histograms import Histogram
from ..array_metrics.queries import Queries
from .draws import Draws, GroupSums, Metrics, by_group
from .keras_sums import keras_sums

_Derived: TypeAlias = metric_types.DerivedMetricComputation

_SMALL = 1_000
"""Up to so many thresholds are kept as they are; of more, those that no row lies between are dropped."""


def group_sums(
    computation: metric_types.MetricComputation,
    columns: Columns,
    derived: Sequence[_Derived],
) -> GroupSums:
    """Prepare a computation for draws.

    Args:
        computation: One of TFMA's computations with a combiner.
        columns: All rows of the model that it is about.
        derived: What the config's metrics are derived by; confusion matrices are made without them.

    Returns:
        A function that yields what the computation gives, draw by draw.

    Raises:
        NotCoveredError: If there is no way to sum it by group.
    """
    combiner = computation.combiner
    name = type(combiner).__name__
    if name == "_CompilableMetricsCombiner":
        return keras_sums(computation, columns)
    fill = prepare(computation, columns)
    is_histogram = name == "_CalibrationHistogramCombiner"
    if is_histogram or name == "_BinaryConfusionMatrixCombiner":
        asked = [one for one in derived if _makes_matrices(one, computation.keys[0])]
        if not asked:
            raise NotCoveredError(name)
        view = view_classes(columns, *settings_of(combiner, computation.keys[0]))
        if is_histogram:
            return _Matrices.of_histogram(combiner, view, asked).draws
        nothing = combiner.extract_output(fill(np.array([], np.int64)))
        return _Matrices.of(combiner, view, list(_derive(asked, nothing))).draws

    return _of_accumulators(combiner, fill)


def sums_of_queries(
    computation: metric_types.MetricComputation,
    columns: Columns,
    queries: Queries,
    features: pa.Table,
) -> GroupSums:
    """Prepare a computation by query for draws of whole queries.

    Args:
        computation: One of TFMA's computations with a combiner.
        columns: All rows of the model that it is about.
        queries: Their queries.
        features: The columns that metrics name, such as NDCG's gains.

    Returns:
        A function that yields what the computation gives, draw by draw; of numbers of queries in place of rows.

    Raises:
        NotCoveredError: If there is no way to sum it by group.
    """
    return _of_accumulators(
        computation.combiner, prepare_by_query(computation, columns, queries, features)
    )


def _of_accumulators(combiner: Any, fill: Fill) -> GroupSums:
    """Take the accumulators of a group from that of all rows."""

    def draws(rows: Rows, group: np.ndarray, groups: int) -> Draws:
        whole = fill(rows)
        yield combiner.extract_output(whole)
        for left_out in by_group(rows, group, groups):
            yield combiner.extract_output(_without(whole, fill(left_out)))

    return draws


def _makes_matrices(derived: _Derived, key: metric_types.MetricKey) -> bool:
    return all(
        one.name.startswith(binary_confusion_matrices.BINARY_CONFUSION_MATRICES_NAME)
        and (one.model_name, one.output_name) == (key.model_name, key.output_name)
        for one in derived.keys
    )


def _derive(asked: Sequence[_Derived], found: Metrics) -> Metrics:
    """Make confusion matrices of what a combiner gives, and leave out those that are made of something else."""
    made: Metrics = {}
    for one in asked:
        try:
            made.update(one.result(found))
        except KeyError:
            continue
    return made


def _without(whole: Any, part: Any) -> Any:
    """Take the sums of some rows from those of all."""
    if isinstance(whole, float | np.floating):
        return whole - part
    rest = copy.copy(whole)
    for name in getattr(whole, "__slots__", None) or vars(whole):
        value = getattr(whole, name)
        if isinstance(value, list):
            # NDCG's, a sum for each number of rows that count.
            value = np.asarray(value, np.float64)
        elif not isinstance(value, float | int | np.number):
            raise NotCoveredError(f"{type(whole).__name__}.{name}")
        setattr(rest, name, value - getattr(part, name))
    return rest


@dataclass(frozen=True)
class _Thresholds:
    """Thresholds over bins.

    Attributes:
        key: TFMA's key of the confusion matrices at them.
        values: The thresholds, in TFMA's order.
        first: For each the first bin whose rows are predicted positive, shape (thresholds,).
    """

    key: metric_types.MetricKey
    values: np.ndarray
    first: np.ndarray


@dataclass(frozen=True)
class _Matrices:
    """Confusion matrices at thresholds, of which AUC and all the others are derived.

    Attributes:
        columns: The rows; each output counts where they have shape (rows, outputs).
        place: From predictions to their bins.
        bins: How many bins there are.
        thresholds: The thresholds asked for.
    """

    columns: Columns
    place: Callable[[np.ndarray], np.ndarray]
    bins: int
    thresholds: tuple[_Thresholds, ...]

    @classmethod
    def of(
        cls, combiner: Any, columns: Columns, keys: Sequence[metric_types.MetricKey]
    ) -> "_Matrices":
        """Prepare matrices that TFMA counts at thresholds, and names by these keys."""
        thresholds = np.asarray(list(combiner._binary_confusion_matrices._thresholds), np.float64)
        ascending = np.sort(thresholds)
        first = np.searchsorted(ascending, thresholds) + 1

        def place(prediction: np.ndarray) -> np.ndarray:
            return np.searchsorted(ascending, prediction, side="left")

        return cls(
            columns,
            place,
            len(ascending) + 1,
            tuple(_Thresholds(key, thresholds, first) for key in keys),
        )

    @classmethod
    def of_histogram(
        cls, combiner: Any, columns: Columns, asked: Sequence[_Derived]
    ) -> "_Matrices":
        """Prepare matrices that TFMA makes of a calibration histogram."""
        buckets = combiner._num_buckets

        def place(prediction: np.ndarray) -> np.ndarray:
            position = (prediction - combiner._left) / combiner._range * buckets + 1
            return np.clip(position, 0, buckets + 1).astype(np.int32)

        # With one positive row in each bucket TFMA's own rule says from which bucket on a threshold is passed.
        ones = np.ones(buckets + 2)
        histogram = {combiner._key: Histogram(np.arange(buckets + 2), ones, ones, ones)}
        thresholds = []
        for key, matrices in _derive(asked, histogram).items():
            first = buckets + 2 - np.asarray(matrices.tp, np.int64)
            thresholds.append(_Thresholds(key, np.asarray(matrices.thresholds), first))
        return cls(columns, place, buckets + 2, tuple(thresholds))

    def draws(self, rows: Rows, group: np.ndarray, groups: int) -> Draws:
        """Yield the matrices of all rows, then those without each group."""
        label, prediction, weight = self.columns.as_float(rows)
        place = self.place(prediction)
        if place.ndim > 1:
            # Each output of a row is a row of its own, of the row's group.
            group = np.broadcast_to(group[:, None], place.shape).ravel()
            place = place.ravel()
        present = np.flatnonzero(np.bincount(place, minlength=self.bins))
        place, bins = np.searchsorted(present, place), len(present)
        thresholds = [_merge(threshold, present) for threshold in self.thresholds]
        places = [_as_slice(threshold.first) for threshold in thresholds]
        cell = group.astype(np.int64) * bins + place
        above = []
        for part in (weight * label, weight * (1 - label)):
            by_group = np.bincount(cell, part.ravel(), minlength=groups * bins).reshape(
                groups, bins
            )
            # Weight in a bin and in all after it; nothing lies after the last.
            sums = np.zeros((groups, bins + 1))
            np.cumsum(by_group[:, ::-1], axis=1, out=sums[:, :bins][:, ::-1])
            above.append(sums)
        whole = [sums.sum(axis=0) for sums in above]
        for draw in range(-1, groups):
            positive, negative = (
                total if draw < 0 else np.maximum(total - sums[draw], 0.0)
                for total, sums in zip(whole, above, strict=True)
            )
            found = {}
            for one, first in zip(thresholds, places, strict=True):
                tp, fp = positive[first], negative[first]
                found[one.key] = binary_confusion_matrices.Matrices(
                    thresholds=one.values,
                    tp=tp,
                    tn=negative[0] - fp,
                    fp=fp,
                    fn=positive[0] - tp,
                )
            yield found


def _as_slice(places: np.ndarray) -> np.ndarray | slice:
    """Return places that follow each other as a slice, which copies nothing."""
    if len(places) and np.all(np.diff(places) == 1):
        return slice(int(places[0]), int(places[-1]) + 1)
    return places


def _merge(thresholds: _Thresholds, present: np.ndarray) -> _Thresholds:
    """Number the bins that have rows; of many thresholds drop those that no row lies between."""
    first = np.searchsorted(present, thresholds.first)
    if len(first) <= _SMALL:
        return _Thresholds(thresholds.key, thresholds.values, first)
    kept = np.flatnonzero(np.diff(first, prepend=-1))
    return _Thresholds(thresholds.key, thresholds.values[kept], first[kept])
