"""Estimated quality of a regressor by its learned loss (DLE: direct loss estimation).

A second regressor learns the loss of the model from its features and its prediction, on the reference. The mean of
what it says of other rows is their estimated error: NannyML, `docs/how_it_works/performance_estimation.rst`. It knows
changes of the inputs alone, as CBPE does.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .boosted_trees import BoostedTrees, Column, fit_trees

MOST_FIT_ROWS = 50_000
"""More rows of the reference are not learned from."""
MOST_OUTSIDE = 0.05
"""Share of rows whose value of a column that counts may be unlike any of the reference."""
PREDICTION = "prediction"
"""Name of the prediction among the columns."""
POWERS = {"mae": 1, "rmse": 2}


@dataclass(frozen=True)
class LossEstimator:
    """What is learned from the reference of a regressor.

    Attributes:
        losses: By metric the loss of each row of the reference: |error|, or its square.
        weights: Shape (rows,).
        models: By metric what predicts the loss.
        held_out: By metric the loss that was predicted for rows of the reference that were not learned from.
        held_out_rows: These rows.
    """

    losses: Mapping[str, np.ndarray]
    weights: np.ndarray
    models: Mapping[str, BoostedTrees]
    held_out: Mapping[str, np.ndarray]
    held_out_rows: np.ndarray

    method = "DLE"

    @classmethod
    def fit(
        cls, columns: Mapping[str, Column], labels: np.ndarray, weights: np.ndarray
    ) -> "LossEstimator":
        """Learn the loss on the reference, and check it on held-out halves.

        Args:
            columns: The features and the prediction by name; each shape (rows,).
            labels: Shape (rows,).
            weights: Shape (rows,).

        Raises:
            ValueError: If there is nothing to learn from, with the reason in words.
        """
        error = np.abs(columns[PREDICTION] - labels)
        if not np.isfinite(error).all():
            raise ValueError("the reference has predictions or labels that are no finite numbers")
        rows = len(error)
        chosen = np.arange(min(rows, MOST_FIT_ROWS)) * rows // min(rows, MOST_FIT_ROWS)
        part = {name: column[chosen] for name, column in columns.items()}
        losses = {name: error**power for name, power in POWERS.items()}
        models = {
            name: fit_trees(part, loss[chosen], weights[chosen]) for name, loss in losses.items()
        }
        held_out = {
            name: _cross_fit(part, loss[chosen], weights[chosen]) for name, loss in losses.items()
        }
        return cls(losses, weights, models, held_out, chosen)

    @property
    def metrics(self) -> Mapping[str, int]:
        """The metrics that can be estimated."""
        return POWERS

    def problem(self, columns: Mapping[str, Column], weights: np.ndarray) -> str:
        """Return why the quality of these rows can't be estimated; empty if it can."""
        name, share = self.models["mae"].outside(columns, weights)
        if share > MOST_OUTSIDE:
            return (
                f"{share:.1%} of the rows have values of '{name}' that the reference does not have, and "
                f"{MOST_OUTSIDE:.0%} may"
            )
        return ""

    def estimate(self, metric: str, columns: Mapping[str, Column], weights: np.ndarray) -> float:
        """Estimate a metric of rows without labels."""
        loss = np.maximum(self.models[metric].predict(columns), 0)
        return float(np.average(loss, weights=weights) ** (1 / POWERS[metric]))

    def realised(
        self, metric: str, columns: Mapping[str, Column], labels: np.ndarray, weights: np.ndarray
    ) -> float:
        """Compute a metric of rows with labels."""
        loss = np.abs(columns[PREDICTION] - labels) ** POWERS[metric]
        return float(np.average(loss, weights=weights) ** (1 / POWERS[metric]))

    @property
    def held_out_count(self) -> int:
        """How many rows of the reference have a predicted loss that does not know their label."""
        return len(self.held_out_rows)

    def of_held_out(self, metric: str, rows: np.ndarray | slice) -> tuple[float, float]:
        """Return a metric of rows of the reference: estimated without their labels, and from them."""
        chosen = self.held_out_rows[rows]
        weights, power = self.weights[chosen], 1 / POWERS[metric]
        estimated = np.average(self.held_out[metric][rows], weights=weights)
        real = np.average(self.losses[metric][chosen], weights=weights)
        return float(estimated**power), float(real**power)

    def explained(self, metric: str) -> float:
        """Return which share of the loss' variance is predicted in rows that were not learned from."""
        rows = self.held_out_rows
        loss, weights = self.losses[metric][rows], self.weights[rows]
        spread = np.average((loss - np.average(loss, weights=weights)) ** 2, weights=weights)
        wrong = np.average((loss - self.held_out[metric]) ** 2, weights=weights)
        return float(1 - wrong / spread) if spread > 0 else math.nan


def _cross_fit(columns: Mapping[str, Column], loss: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Predict the loss of each half of the rows by what was learned from the other one."""
    half = np.arange(len(loss)) % 2 == 0
    predicted = np.empty(len(loss))
    for fitted in (half, ~half):
        chosen = {name: column[fitted] for name, column in columns.items()}
        model = fit_trees(chosen, loss[fitted], weights[fitted])
        out = ~fitted
        predicted[out] = model.predict({name: column[out] for name, column in columns.items()})
    return np.maximum(predicted, 0)
