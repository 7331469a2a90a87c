"""When two predictions of a model are equal: within the precision of its arithmetic.

The process that serves imports it too: NumPy alone.
"""

from dataclasses import dataclass

import numpy as np

RELATIVE = 1e-4
# The smallest difference that counts, of predictions around 1: a float32 has 24 bits.
ABSOLUTE = 1e-6
# Of the relative tolerance, what the largest prediction adds to it: a sum in another order, as of another batch size,
# errs by the last bits of its largest terms, which a prediction close to 0 does not show.
SCALED = 0.1


@dataclass(frozen=True)
class Tolerance:
    """The largest difference of equal predictions: `|a - b| <= 1e-6 + r |b| + r / 10 max |b|`.

    Attributes:
        relative: r. Predictions in float32 differ by less than 1e-4 between batch sizes and CPUs. TensorFloat-32, in
            which a GPU multiplies matrices, keeps 10 bits of a number: 1e-2 leaves room for sums of such products.
        scale: The largest prediction of the model's rows, without its sign; that of `b` if None.
    """

    relative: float = RELATIVE
    scale: float | None = None

    @classmethod
    def around(cls, predictions: np.ndarray, relative: float = RELATIVE) -> "Tolerance":
        """Return the tolerance for a model that predicts these for its rows."""
        return cls(relative, largest(predictions))

    def agree(self, some: np.ndarray, others: np.ndarray) -> bool:
        """Report whether predictions are equal.

        Args:
            some: Predictions.
            others: Those that they should be.
        """
        if some.shape != others.shape:
            return False
        return not self.differing(some, others).size

    def gap(self, some: np.ndarray, others: np.ndarray) -> str:
        """Describe by how much predictions differ; empty if their shapes do."""
        if some.shape != others.shape:
            return ""
        return f" by up to {largest(some - others):.3g} (serving.tolerance is {self.relative:g})"

    def differing(self, some: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the indices along the first axis of the predictions that are not equal; shapes must be the same."""
        scale = largest(np.asarray(others)) if self.scale is None else self.scale
        bound = ABSOLUTE + SCALED * self.relative * scale
        close = np.isclose(some, others, rtol=self.relative, atol=bound, equal_nan=True)
        if not close.ndim:
            return np.flatnonzero(~close)
        return np.flatnonzero(~close.reshape(len(close), -1).all(axis=1))


def largest(predictions: np.ndarray) -> float:
    """Return the largest finite prediction, without its sign."""
    finite = predictions[np.isfinite(predictions)]
    return float(np.abs(finite).max()) if finite.size else 0.0
