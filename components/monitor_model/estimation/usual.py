"""What is usual of an estimated metric, and the bound that it is judged by.

Estimates are compared with estimates: they vary with the inputs alone, while real metrics of the same days also vary
with what no input knows, such as the weather. So the bound is three standard deviations (NannyML:
`nannyml/thresholds.py`) from the mean of the clean windows before. While there are fewer than six, how the real metric
varies between chunks of the reference stands for that: it is wider, and a new champion's first days are not alike.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from .deviations import FEWEST_CHUNKS, chunk_deviation, row_deviation, spread
from .metrics import LESS_IS_BETTER, LIMITS

DEVIATIONS, CLEARS = 3.0, 2.0
"""So many standard deviations from the mean are usual; a signal clears when it is nearer than the second."""
UNSEEN_DEVIATION = 0.1
"""Days that the reference does not have, such as weekends, are taken to vary by this share of what is lost at least."""
WINDOWS, REFERENCE = "the windows before", "the evaluation rows"


class Estimator(Protocol):
    """What estimates a model's quality."""

    method: str

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The metrics that can be estimated."""
        ...

    @property
    def held_out_count(self) -> int:
        """How many rows of the reference have an estimate that does not know their label."""
        ...

    def problem(self, inputs: Any, weights: np.ndarray) -> str:
        """Return why these rows can't be estimated; empty if they can."""
        ...

    def estimate(self, metric: str, inputs: Any, weights: np.ndarray) -> float:
        """Estimate a metric of rows without labels."""
        ...

    def realised(self, metric: str, inputs: Any, labels: np.ndarray, weights: np.ndarray) -> float:
        """Compute a metric of rows with labels."""
        ...

    def of_held_out(self, metric: str, rows: np.ndarray | slice) -> tuple[float, float]:
        """Return a metric of held-out rows of the reference: estimated without their labels, and from them."""
        ...


@dataclass(frozen=True)
class Null:
    """Values of a metric where nothing is wrong.

    Attributes:
        source: Where they are from: `WINDOWS` or `REFERENCE`.
        mean: Their mean.
        deviation: Their standard deviation, and at least what chance explains.
        count: How many they are.
    """

    source: str
    mean: float
    deviation: float
    count: int

    def away(self, deviations: float, worse: float) -> float:
        """Return the value so many deviations of one further value from the mean, to the worse side."""
        return self.mean + worse * deviations * self.deviation * math.sqrt(1 + 1 / self.count)


@dataclass(frozen=True)
class Bound:
    """A bound.

    Attributes:
        value: The estimate is breached beyond it.
        clears_at: It is quiet again from here on.
        null: What it is from.
    """

    value: float
    clears_at: float
    null: Null


class Baseline:
    """What the reference says of one metric.

    Attributes:
        estimated: The metric of held-out rows, estimated without their labels.
        real: The same from their labels.
        row: Standard error of the real metric times the root of the number of rows.
        estimated_row: The same of the estimate.
    """

    def __init__(self, estimator: Estimator, metric: str) -> None:
        """Measure.

        Args:
            estimator: Fitted on the reference.
            metric: The metric.
        """
        self._estimator, self._metric = estimator, metric
        self.rows = estimator.held_out_count
        self.estimated, self.real = estimator.of_held_out(metric, slice(None))
        self.row = row_deviation(self._real_of, self.rows)
        self.estimated_row = row_deviation(self._estimate_of, self.rows)

    def of_reference(self, rows: float) -> Null:
        """Return how the real metric varies: by chance, and between chunks of the reference.

        Args:
            rows: Rows of the window, by which chance is less.
        """
        by_chance = self.row * math.sqrt(1 / rows + 1 / self.rows)
        chunks = chunk_deviation(self._real_of, self.rows, rows)
        known = [one for one in (by_chance, chunks) if math.isfinite(one)]
        return Null(REFERENCE, self.real, max(known, default=math.nan), self.rows)

    def of_windows(self, rows: float, earlier: np.ndarray) -> Null | None:
        """Return how the estimates of the windows before vary; None of fewer than six.

        Args:
            rows: Rows of the window.
            earlier: Estimates of the clean windows before, oldest first.
        """
        windows = earlier[np.isfinite(earlier)]
        if len(windows) < FEWEST_CHUNKS:
            return None
        by_chance = float(np.nan_to_num(self.estimated_row)) / math.sqrt(rows)
        return Null(WINDOWS, float(windows.mean()), max(spread(windows), by_chance), len(windows))

    def bound(self, rows: float, earlier: np.ndarray) -> Bound | None:
        """Return the bound of a window.

        A slow fall takes the windows before with it. So where their mean is beyond the bound of the reference, that
        one counts.

        Args:
            rows: Rows of the window.
            earlier: Estimates of the clean windows before, oldest first.

        Returns:
            The bound; None if nothing is known.
        """
        worse = 1.0 if self._metric in LESS_IS_BETTER else -1.0
        windows, reference = self.of_windows(rows, earlier), self.of_reference(rows)
        lost = abs(self.real) if worse > 0 else 1 - self.real
        null: Null | None = None
        if math.isfinite(reference.deviation):
            deviation = max(reference.deviation, UNSEEN_DEVIATION * lost)
            null = replace(reference, deviation=deviation)
        if windows is not None and (
            null is None or worse * (windows.mean - null.away(DEVIATIONS, worse)) <= 0
        ):
            null = windows
        if null is None:
            return None
        low, high = LIMITS.get(self._metric, (0.0, 1.0))
        value, clears = (
            min(high, max(low, null.away(deviations, worse))) for deviations in (DEVIATIONS, CLEARS)
        )
        return Bound(value, clears, null)

    def _real_of(self, rows: np.ndarray | slice) -> float:
        return self._estimator.of_held_out(self._metric, rows)[1]

    def _estimate_of(self, rows: np.ndarray | slice) -> float:
        return self._estimator.of_held_out(self._metric, rows)[0]
