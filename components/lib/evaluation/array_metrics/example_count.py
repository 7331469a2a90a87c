"""Counting examples."""

from typing import Any

import numpy as np
from tensorflow_model_analysis.metrics import example_count

from .array_path import ArrayPath, Columns, Fill


def _prepare(combiner: Any, columns: Columns) -> Fill:
    return lambda rows: np.float64(columns.weight[rows].sum())


PATHS = (ArrayPath(example_count, "_ExampleCountCombiner", _prepare, several_outputs=True),)
