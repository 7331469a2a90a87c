"""How a model's predictions are distributed: for two labels by label, for classes those of the row's own class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

BUCKETS = 20
# Of numbers, the first and last bucket also have what lies beyond: a long tail would put all rows into one bucket.
_TAILS = (0.005, 0.995)
_MOST_SORTED = 100_000
ALL_ROWS = "all rows"


@dataclass(frozen=True)
class Histogram:
    """Predictions in buckets of equal width, the same ones for both models.

    Attributes:
        edges: Bounds of the buckets, one more than there are buckets.
        groups: Weight of the rows in each bucket, by what the rows have in common, such as `label 1`.
        of_own_class: Whether it has the prediction for each row's own class.
        has_tails: Whether the first and last bucket have what lies beyond them, too.
    """

    edges: Sequence[float] = ()
    groups: Mapping[str, Sequence[float]] = field(default_factory=dict)
    of_own_class: bool = False
    has_tails: bool = False

    def __bool__(self) -> bool:
        return bool(self.groups)


def make_histograms(
    label: np.ndarray, predictions: Mapping[str, np.ndarray], weight: np.ndarray
) -> dict[str, Histogram]:
    """Count predictions by bucket.

    Args:
        label: Labels, shape (rows,); of predictions by class, the number of each row's class.
        predictions: By model, shape (rows,) or (rows, classes).
        weight: Weights, shape (rows,).

    Returns:
        A histogram by model; empty if no row has a finite prediction.
    """
    own = {
        name: prediction if prediction.ndim == 1 else _of_own_class(label, prediction)
        for name, prediction in predictions.items()
    }
    known = {name: np.isfinite(values) for name, values in own.items()}
    if not own or not all(finite.any() for finite in known.values()):
        return {}
    finite_values = [values[known[name]] for name, values in own.items()]
    is_share = all(values.min() >= 0 and values.max() <= 1 for values in finite_values)
    low, high = (0.0, 1.0) if is_share else _ends(finite_values)
    edges = np.linspace(low, high, BUCKETS + 1).tolist()
    return {
        name: Histogram(
            edges,
            {ALL_ROWS: _count(values[known[name]], weight[known[name]], low, high)},
            predictions[name].ndim == 2,
            not is_share,
        )
        for name, values in own.items()
    }


def histogram_of_shares(points: Sequence[tuple[float, float, float]]) -> Histogram:
    """Make the histogram of a model for two labels, from calibration buckets, which are finer than it or the same.

    Args:
        points: Of each bucket its rows or their weight, their mean prediction and their mean label.
    """
    if not points:
        return Histogram()
    rows, prediction, label = np.array(points, dtype=np.float64).T
    return Histogram(
        np.linspace(0.0, 1.0, BUCKETS + 1).tolist(),
        {
            "label 0": _count(prediction, rows * (1 - label), 0.0, 1.0),
            "label 1": _count(prediction, rows * label, 0.0, 1.0),
        },
    )


def _of_own_class(label: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return the prediction for each row's own class, NaN for a label that has none."""
    known = (label >= 0) & (label < prediction.shape[1]) & (label == np.floor(label))
    values = np.full(len(label), np.nan)
    values[known] = prediction[known, label[known].astype(np.int64)]
    return values


def _ends(models: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return a range that has nearly all rows of each model, by rows that are evenly apart where there are many."""
    some = [values[:: 1 + len(values) // _MOST_SORTED] for values in models]
    ends = [np.quantile(values.astype(np.float64), _TAILS) for values in some]
    low, high = float(min(end[0] for end in ends)), float(max(end[1] for end in ends))
    return (low, high) if high > low else (low, low + 1.0)


def _count(values: np.ndarray, weight: np.ndarray, low: float, high: float) -> list[float]:
    place = (values.astype(np.float64) - low) * (BUCKETS / (high - low))
    bucket = place.clip(0, BUCKETS - 1).astype(np.int64)
    counted: list[float] = np.bincount(bucket, weight, minlength=BUCKETS).tolist()
    return counted
