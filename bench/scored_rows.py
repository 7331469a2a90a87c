"""Rows as two models scored them: labels, scores of known quality, and columns to slice by."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from retrainer.components.lib.evaluation.eval_config import BASELINE, CANDIDATE
from retrainer.components.lib.evaluation.scores import Scores

CLASSES = 10
NOISE = {CANDIDATE: 0.5, BASELINE: 0.6}


def draw_scores(rows: int, slices: Mapping[str, int], classes: int = 2, seed: int = 0) -> Scores:
    """Draw rows.

    Args:
        rows: How many.
        slices: Columns to slice by, and how many values each has; the values are text of unequal frequency.
        classes: 2 for a probability in one output, more for one output for each class.
        seed: Of the random numbers.

    Returns:
        The rows, with the predictions of a champion and of a challenger that is somewhat better.
    """
    random = np.random.default_rng(seed)
    columns = {name: _texts(random, rows, values) for name, values in slices.items()}
    if classes == 2:
        signal = random.normal(size=rows)
        label = (random.random(rows) < 1 / (1 + np.exp(-2 * signal))).astype(np.int64)
        predictions = {
            name: (1 / (1 + np.exp(-2 * signal - noise * random.normal(size=rows)))).astype(
                np.float32
            )
            for name, noise in NOISE.items()
        }
        return Scores(label, predictions, None, pa.table(columns))
    label = random.integers(classes, size=rows)
    predictions = {}
    for name, noise in NOISE.items():
        outputs = (2 * noise * random.normal(size=(rows, classes))).astype(np.float32)
        outputs[np.arange(rows), label] += 1
        exponents = np.exp(outputs)
        predictions[name] = exponents / exponents.sum(axis=1, keepdims=True)
    return Scores(label, predictions, None, pa.table(columns))


def _texts(random: np.random.Generator, rows: int, values: int) -> pa.Array:
    """Draw a column of text; the first values are several times as frequent as the last."""
    codes = (values * random.random(rows) ** 1.5).astype(np.int32)
    words = pa.array([f"value {number:06d}" for number in range(values)])
    return pa.DictionaryArray.from_arrays(codes, words).cast(pa.string())
