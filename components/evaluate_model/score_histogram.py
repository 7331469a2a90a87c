"""How a model's predictions are distributed: for two labels by label, for classes those of the row's own class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

BUCKETS = 20
# Of numbers, the first and last bucket also have what lies beyond: a long tail would put all rows into one bucket.
_TAILS = (0.005, 0.995)
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
        label: Labels, shape (rows,).
        predictions: By model, shape (rows,) or (rows, classes).
        weight: Weights, shape (rows,).

    Returns:
        A histogram by model; empty for predictions of a form that it is not made of.
    """
    own: dict[str, np.ndarray] = {}
    for name, prediction in predictions.items():
        if prediction.ndim == 1:
            own[name] = prediction.astype(np.float64)
        elif prediction.ndim == 2 and label.ndim == 1:
            own[name] = _of_own_class(label, prediction)
    known = [values[np.isfinite(values)] for values in own.values()]
    if not known or not all(len(values) for values in known):
        return {}
    is_share = all(values.min() >= 0 and values.max() <= 1 for values in known)
    if is_share:
        edges = np.linspace(0.0, 1.0, BUCKETS + 1)
    else:
        ends = [np.quantile(values, _TAILS) for values in known]
        low, high = min(end[0] for end in ends), max(end[1] for end in ends)
        edges = np.linspace(low, high if high > low else low + 1.0, BUCKETS + 1)
    by_label = is_share and label.ndim == 1 and bool(np.isin(label, (0, 1)).all())
    found = {}
    for name, values in own.items():
        is_own = predictions[name].ndim == 2
        rows = {ALL_ROWS: np.isfinite(values)}
        if by_label and not is_own:
            rows = {f"label {one}": rows[ALL_ROWS] & (label == one) for one in (0, 1)}
        groups = {
            group: _count(values[chosen], weight[chosen], edges) for group, chosen in rows.items()
        }
        found[name] = Histogram(edges.tolist(), groups, is_own, not is_share)
    return found


def histogram_of_shares(points: Sequence[tuple[float, float, float]]) -> Histogram:
    """Make the histogram of a model for two labels from calibration buckets, which is what TFMA has on Beam.

    Args:
        points: Of each bucket its rows or their weight, their mean prediction and their mean label.
    """
    if not points:
        return Histogram()
    rows, prediction, label = np.array(points, dtype=np.float64).T
    edges = np.linspace(0.0, 1.0, BUCKETS + 1)
    return Histogram(
        edges.tolist(),
        {
            "label 0": _count(prediction, rows * (1 - label), edges),
            "label 1": _count(prediction, rows * label, edges),
        },
    )


def _of_own_class(label: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return the prediction for each row's own class, NaN for a label that has none."""
    known = (label >= 0) & (label < prediction.shape[1]) & (label == np.floor(label))
    values = np.full(len(label), np.nan)
    values[known] = prediction[known, label[known].astype(np.int64)]
    return values


def _count(values: np.ndarray, weight: np.ndarray, edges: np.ndarray) -> list[float]:
    bucket = np.searchsorted(edges[1:-1], values, side="right")
    counted: list[float] = np.bincount(bucket, weight, minlength=BUCKETS).tolist()
    return counted
