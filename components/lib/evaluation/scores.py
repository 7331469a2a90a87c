"""Rows with labels and predictions, as metrics are computed from them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Scores:
    """Rows with every model's predictions on them.

    Attributes:
        label: Labels, shape (rows,), int64 or float64; NaN where empty.
        predictions: By TFMA's name of the model: float32, shape (rows,) or (rows, classes).
        weight: Weights of the rows, shape (rows,), or None where all weigh the same; NaN where empty.
        slices: The columns to slice by.
    """

    label: np.ndarray
    predictions: dict[str, np.ndarray]
    weight: np.ndarray | None
    slices: pa.Table

    @property
    def rows(self) -> int:
        """How many rows."""
        return len(self.label)

    def of(self, rows: np.ndarray) -> "Scores":
        """Keep some rows.

        Args:
            rows: Shape (rows,), true for each row to keep.
        """
        return Scores(
            self.label[rows],
            {name: values[rows] for name, values in self.predictions.items()},
            None if self.weight is None else self.weight[rows],
            self.slices.filter(pa.array(rows)),
        )
