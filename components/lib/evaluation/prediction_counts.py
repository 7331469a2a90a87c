"""What a model answers over all eval rows, counted batch by batch: its range, and how often it says each class."""

from dataclasses import dataclass, field

import numpy as np

MOST_OUTPUTS = 1_000
"""Of models with more outputs only the range over all of them is kept."""


@dataclass
class PredictionCounts:
    """Counts of a model's predictions.

    Attributes:
        rows: How many rows.
        low: Lowest value of each output.
        high: Highest value of each output.
        predicted: Rows by the class whose output is largest, as text; empty of a model with one output.
        labels: Rows by class of the label, as text; empty of a model with one output.
    """

    rows: int = 0
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    predicted: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)

    @property
    def constant(self) -> bool:
        """Whether the model answers every row with the same."""
        return self.rows > 1 and self.low == self.high

    @property
    def never_predicted(self) -> dict[int, int]:
        """Rows of each class of the label that no row is predicted to be, most rows first."""
        missed = {int(c): n for c, n in self.labels.items() if c not in self.predicted}
        return dict(sorted(missed.items(), key=lambda item: (-item[1], item[0])))

    def add(self, other: "PredictionCounts") -> None:
        """Add the counts of other rows."""
        if not other.rows:
            return
        if self.rows:
            self.low = [min(pair) for pair in zip(self.low, other.low, strict=True)]
            self.high = [max(pair) for pair in zip(self.high, other.high, strict=True)]
        else:
            self.low, self.high = list(other.low), list(other.high)
        self.rows += other.rows
        for mine, more in ((self.predicted, other.predicted), (self.labels, other.labels)):
            for name, rows in more.items():
                mine[name] = mine.get(name, 0) + rows


def count_predictions(
    label: np.ndarray, outputs: np.ndarray, has_classes: bool
) -> PredictionCounts:
    """Count the predictions of a model.

    Args:
        label: Labels, shape (rows,).
        outputs: Its finite predictions, shape (rows, outputs).
        has_classes: Whether labels are class numbers, and each output is one of a class.
    """
    rows, width = outputs.shape
    if not rows:
        return PredictionCounts()
    low, high = outputs.min(axis=0), outputs.max(axis=0)
    if width > MOST_OUTPUTS:
        # A constant in each output has a range over all of them, so none is called constant.
        return PredictionCounts(rows, [float(low.min())], [float(high.max())])
    counts = PredictionCounts(rows, low.tolist(), high.tolist())
    if has_classes and width > 1:
        counts.predicted = _count(outputs.argmax(axis=1))
        counts.labels = _count(label[(label >= 0) & (label < width)])
    return counts


def _count(classes: np.ndarray) -> dict[str, int]:
    values, rows = np.unique(classes, return_counts=True)
    return {str(int(value)): int(count) for value, count in zip(values, rows, strict=True)}
