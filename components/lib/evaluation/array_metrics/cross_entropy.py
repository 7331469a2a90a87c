"""Binary cross entropy."""

from typing import Any

import numpy as np
from tensorflow_model_analysis.metrics import cross_entropy_metrics

from .array_path import ArrayPath, Columns, Fill, NotCoveredError


def _prepare(combiner: Any, columns: Columns) -> Fill:
    if columns.prediction.ndim > 1:
        # TFMA takes one output at a time here.
        raise NotCoveredError("of several outputs at once")
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


PATHS = (ArrayPath(cross_entropy_metrics, "_BinaryCrossEntropyCombiner", _prepare),)
