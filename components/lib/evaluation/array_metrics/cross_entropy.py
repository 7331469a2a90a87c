"""Binary cross entropy."""

from typing import Any

import numpy as np
from tensorflow_model_analysis.metrics import cross_entropy_metrics

from .array_path import ArrayPath, Columns, Fill, NotCoveredError


def _prepare(combiner: Any, columns: Columns) -> Fill:
    several = columns.prediction.ndim > 1
    if several and (not columns.dense or combiner._aggregation_type or combiner._class_weights):
        # TFMA takes one label, or one of each class, at a time here.
        raise NotCoveredError("of several outputs at once")
    smoothing = combiner._label_smoothing
    label = columns.label.astype(np.float64) * (1.0 - smoothing) + 0.5 * smoothing
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
        weight = columns.weight[:, 0] if several else columns.weight
        weighted = (entropy.mean(axis=1) if several else entropy) * weight
    return lambda rows: cross_entropy_metrics._CrossEntropyAccumulator(
        total_cross_entropy=float(weighted[rows].sum()),
        total_example_weights=float(weight[rows].sum()),
    )


PATHS = (ArrayPath(cross_entropy_metrics, "_BinaryCrossEntropyCombiner", _prepare),)
