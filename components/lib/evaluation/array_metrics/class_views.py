"""The rows of a model of several classes as a metric by class takes them, or one over all classes or the best ones.

As TFMA's `metric_util.to_label_prediction_example_weight` does with one example at a time. Labels are class numbers, or
there is one of each class.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from tensorflow_model_analysis.metrics import metric_types, metric_util

from .array_path import Columns, NotCoveredError


def view_classes(
    columns: Columns,
    sub_key: metric_types.SubKey | None,
    aggregation: metric_types.AggregationType | None,
    class_weights: dict[int, float] | None,
) -> Columns:
    """Choose what of each row counts.

    Args:
        columns: All rows, with predictions of shape (rows, classes) or (rows,).
        sub_key: TFMA's key of a class or of the k best.
        aggregation: How the classes are aggregated into one value, if they are.
        class_weights: Weight of each class in an aggregation; one that is missing counts for nothing.

    Returns:
        Columns of shape (rows,) for one class, else (rows, outputs): each output is a row of its own to a
        metric of two labels.
    """
    label, prediction, weight = columns.label, columns.prediction, columns.weight
    if sub_key is None and prediction.ndim == 1:
        if class_weights:
            raise NotCoveredError("class weights for a model with one output")
        return columns
    if prediction.ndim == 1:
        raise NotCoveredError("a class of a model with one output")
    one_hot = None
    if sub_key is not None and sub_key.k is not None:
        rows, places = metric_util.top_k_indices(sub_key.k, prediction, sort=True)
        last = slice(sub_key.k - 1, None, sub_key.k)
        rows, places = rows[last], places[last]
        of_class = (label[rows] == places).astype(np.uint8)
        return _weighted(Columns(of_class, prediction[rows, places], weight), class_weights)
    if sub_key is not None and sub_key.top_k is not None:
        rows, places = metric_util.top_k_indices(sub_key.top_k, prediction)
        if aggregation is None:
            kept = np.full(prediction.shape, -np.inf, prediction.dtype)
            kept[rows, places] = prediction[rows, places]
            prediction = kept
        else:
            shape = (len(label), sub_key.top_k)
            one_hot = one_hot_labels(label, prediction)[rows, places].reshape(shape)
            prediction = prediction[rows, places].reshape(shape)
    if sub_key is not None and sub_key.class_id is not None:
        if one_hot is not None:
            raise NotCoveredError("a class among the best")
        of_class = one_hot_labels(label, prediction, sub_key.class_id)
        return _weighted(Columns(of_class, prediction[:, sub_key.class_id], weight), class_weights)
    if one_hot is None:
        one_hot = one_hot_labels(label, prediction)
    repeated = np.broadcast_to(weight[:, None], prediction.shape)
    return _weighted(Columns(one_hot, prediction, repeated, dense=columns.dense), class_weights)


def _weighted(columns: Columns, class_weights: dict[int, float] | None) -> Columns:
    """Weigh each output by its place, as TFMA does after it has chosen."""
    if not class_weights:
        return columns
    if columns.weight.ndim == 1:
        return replace(columns, weight=columns.weight * class_weights.get(0, 0.0))
    places = range(columns.weight.shape[1])
    return replace(
        columns, weight=columns.weight * np.array([class_weights.get(i, 0.0) for i in places])
    )


def one_hot_labels(
    label: np.ndarray, prediction: np.ndarray, number: int | None = None
) -> np.ndarray:
    """Return 1 in the place of each row's classes; a class without an output has none.

    Args:
        label: Class numbers, or a label of each class.
        prediction: Shape (rows, classes).
        number: One class, whose place alone is returned; None for all.

    Returns:
        Bytes, of which many fit into memory; a label of each class stays as it is.
    """
    if label.ndim > 1:
        return label if number is None else label[:, number]
    if number is not None:
        return (label == number).astype(np.uint8)
    return (label[:, None] == np.arange(prediction.shape[1])).astype(np.uint8)


def settings_of(
    combiner: Any, key: metric_types.MetricKey
) -> tuple[
    metric_types.SubKey | None, metric_types.AggregationType | None, dict[int, float] | None
]:
    """Return what a combiner of TFMA does with classes."""
    return (
        key.sub_key,
        getattr(combiner, "_aggregation_type", None),
        getattr(combiner, "_class_weights", None),
    )
