"""The rows that a metric is computed from: those of its model and output."""

from dataclasses import replace

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from .array_metrics.array_path import Columns
from .scores import Scores


def columns_of(key: metric_types.MetricKey, scores: Scores, model: str) -> Columns:
    """Choose labels, predictions and weights.

    Args:
        key: TFMA's key of the metric. Without an output it is about the rows alone, such as their number, or about a
            model with one output.
        scores: The rows.
        model: TFMA's name of the model.

    Raises:
        KeyError: If there is no such model or output.
    """
    # One number that reads as so many.
    weight = np.broadcast_to(np.float64(1), scores.rows)
    if key.example_weighted and scores.weight is not None:
        weight = scores.weight.astype(np.float64, copy=False)

    def of_output(one: Scores) -> Columns:
        return Columns(one.label, one.predictions[model], weight, dense=one.label.ndim > 1)

    outputs = {name: of_output(output) for name, output in scores.outputs.items()}
    chosen = outputs[key.output_name] if key.output_name else of_output(scores)
    return replace(chosen, outputs=outputs)
