"""How one of TFMA's combiners is filled from whole arrays instead of one example at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from .queries import Queries

Rows = np.ndarray | slice
Fill = Callable[[Rows], Any]
"""From the rows of a slice to the accumulator that TFMA's combiner has after them."""


class NotCoveredError(Exception):
    """A metric that only TFMA's own pipeline computes; the message names it and the reason."""


@dataclass(frozen=True)
class Columns:
    """What a metric of one model is computed from.

    Attributes:
        label: Shape (rows,), or (rows, classes) where a row has a label of each class.
        prediction: Shape (rows,) or (rows, classes), float32.
        weight: Shape (rows,), float64; ones without weights.
        outputs: Of a model with several outputs: those of each, by its name.
        dense: Whether a row has a label of each class.
    """

    label: np.ndarray
    prediction: np.ndarray
    weight: np.ndarray
    outputs: Mapping[str, "Columns"] = field(default_factory=dict)
    dense: bool = False

    def as_float(self, rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return label, prediction and weight of some rows as float64.

        Fills make what they need of the rows of a slice when they are asked for it: what is made of all rows at once,
        for each class and metric of a model, is many times as large as the rows.
        """
        label, prediction = self.label[rows], self.prediction[rows]
        return label.astype(np.float64), prediction.astype(np.float64), self.weight[rows]


@dataclass(frozen=True)
class ArrayPath:
    """The array path of one of TFMA's combiners.

    Attributes:
        module: TFMA's module with the combiner.
        name: Name of the combiner's class.
        prepare: From the combiner and all rows to a function that fills accumulators. It raises `NotCoveredError` for
            options that it does not handle.
        several_outputs: Whether it handles models with a prediction for each class.
    """

    module: ModuleType
    name: str
    prepare: Callable[[Any, Columns], Fill]
    several_outputs: bool = False

    @property
    def combiner(self) -> type | None:
        """The combiner's class; None if the installed TFMA has none of that name, which loses this path alone."""
        return getattr(self.module, self.name, None)


@dataclass(frozen=True)
class QueryPath:
    """The array path of a combiner that TFMA feeds with all rows of a query at once.

    Attributes:
        module: TFMA's module with the combiner.
        name: Name of the combiner's class.
        prepare: From the combiner, all rows, their queries and the columns beside them to a function that fills
            accumulators. That takes numbers of queries where others take those of rows.
    """

    module: ModuleType
    name: str
    prepare: Callable[[Any, Columns, "Queries", "pa.Table"], Fill]

    @property
    def combiner(self) -> type | None:
        """The combiner's class; None if the installed TFMA has none of that name, which loses this path alone."""
        return getattr(self.module, self.name, None)


def sums(
    make: Callable[[], Any], terms: Callable[..., dict[str, np.ndarray]]
) -> Callable[[Any, Columns], Fill]:
    """Prepare accumulators whose attributes are sums over rows.

    Args:
        make: Makes an empty accumulator.
        terms: From label, prediction and weight to the terms of each sum, by attribute.
    """

    def prepare(combiner: Any, columns: Columns) -> Fill:
        def fill(rows: Rows) -> Any:
            accumulator = make()
            for name, value in terms(*columns.as_float(rows)).items():
                setattr(accumulator, name, float(value.sum()))
            return accumulator

        return fill

    return prepare
