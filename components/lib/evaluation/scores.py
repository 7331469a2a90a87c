"""Rows with labels and predictions, as metrics are computed from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ..examples import concat_tables


@dataclass(frozen=True)
class Scores:
    """Rows with every model's predictions on them.

    Attributes:
        label: Labels, int64 or float64, NaN where empty: shape (rows,), or (rows, labels) where a row has several.
        predictions: By TFMA's name of the model: float32, shape (rows,) or (rows, classes).
        weight: Weights of the rows, shape (rows,), or None where all weigh the same; NaN where empty.
        slices: The columns to slice by.
        outputs: Of models with several outputs: the same rows with the labels and predictions of each, by its name.
            Those of the first are above, too.
    """

    label: np.ndarray
    predictions: dict[str, np.ndarray]
    weight: np.ndarray | None
    slices: pa.Table
    outputs: Mapping[str, "Scores"] = field(default_factory=dict)

    @classmethod
    def of_outputs(cls, outputs: Mapping[str, "Scores"]) -> "Scores":
        """Put the outputs of the same rows together.

        Args:
            outputs: By name; one without a name is the only one.
        """
        first = next(iter(outputs.values()))
        if "" in outputs:
            return first
        return cls(first.label, first.predictions, first.weight, first.slices, outputs)

    @classmethod
    def concatenate(cls, parts: Sequence["Scores"]) -> "Scores":
        """Put rows one after the other.

        Args:
            parts: At least one, of the same models and outputs.
        """
        first = parts[0]
        weights = [part.weight for part in parts if part.weight is not None]
        weight = np.concatenate(weights) if first.weight is not None else None
        slices = concat_tables([part.slices for part in parts])

        def joined(of_output: Sequence["Scores"]) -> "Scores":
            return cls(
                np.concatenate([part.label for part in of_output]),
                {
                    name: np.concatenate([part.predictions[name] for part in of_output])
                    for name in first.predictions
                },
                weight,
                slices,
            )

        if not first.outputs:
            return joined(parts)
        return cls.of_outputs(
            {name: joined([part.outputs[name] for part in parts]) for name in first.outputs}
        )

    @property
    def rows(self) -> int:
        """How many rows."""
        return len(self.label)

    @property
    def by_output(self) -> Mapping[str, "Scores"]:
        """The outputs by name; of models with one output that one, without a name."""
        return self.outputs or {"": self}

    def of(self, rows: np.ndarray) -> "Scores":
        """Keep some rows.

        Args:
            rows: Shape (rows,), true for each row to keep.
        """
        weight = None if self.weight is None else self.weight[rows]
        slices = self.slices.filter(pa.array(rows))
        return Scores.of_outputs(
            {
                output: Scores(
                    one.label[rows],
                    {name: values[rows] for name, values in one.predictions.items()},
                    weight,
                    slices,
                )
                for output, one in self.by_output.items()
            }
        )
