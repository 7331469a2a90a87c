"""How much each training row counts: by a column, by its class, or both."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ..lib.errors import RetrainerError
from ..lib.examples import TRAIN, Examples
from ..lib.features import FLOAT, to_arrays
from .label_checks import Labels

# More values than this are amounts, not classes.
_MOST_CLASSES = 1_000


@dataclass(frozen=True)
class RowWeights:
    """Weights of rows.

    Attributes:
        column: Column of weights; empty if rows weigh the same.
        classes: Weight by label; a label that is not in it weighs 1.
    """

    column: str = ""
    classes: Mapping[float, float] = field(default_factory=dict)

    @property
    def given(self) -> bool:
        """Whether rows weigh differently at all."""
        return bool(self.column or self.classes)

    def of(self, table: pa.Table, labels: np.ndarray) -> np.ndarray:
        """Weigh rows.

        Args:
            table: Rows with the column of weights.
            labels: Their labels, shape (rows,).

        Returns:
            float32, shape (rows,).
        """
        weights = np.ones(len(labels), np.float32)
        if self.column:
            weights = to_arrays(table, {self.column: FLOAT})[self.column]
        for label, weight in self.classes.items():
            weights = np.where(labels == np.float32(label), weights * np.float32(weight), weights)
        return weights


def choose_weights(
    examples: Examples,
    labels: Labels,
    column: str,
    class_weights: Mapping[str, float],
    balance: bool,
) -> RowWeights:
    """Read the settings of weights.

    Args:
        examples: The examples, whose column of weights is looked at.
        labels: The labels of the training split.
        column: Column of weights; empty: all weigh the same.
        class_weights: Weight by class, the class as text.
        balance: Weigh classes so that each counts as much as any other: rows / (classes * rows of the class).

    Returns:
        The weights.

    Raises:
        RetrainerError: If the column is missing or holds what is no weight, or the classes are not those of the label.
    """
    if column:
        _check_column(examples, column)
    if balance and class_weights:
        raise RetrainerError(
            "model.balance_classes makes the weights of classes itself; leave out model.class_weights."
        )
    if balance:
        _check_classes(labels, examples.label)
        share = labels.rows / len(labels.counts)
        return RowWeights(column, {label: share / count for label, count in labels.counts.items()})
    classes = {_class(name): float(weight) for name, weight in class_weights.items()}
    negative = [f"{name:g}" for name, weight in classes.items() if not 0 <= weight < np.inf]
    if negative:
        raise RetrainerError(
            f"model.class_weights gives the class {negative[0]} a weight that is negative or not a number. Weights are "
            "0 or more."
        )
    if classes and not set(classes) & set(labels.counts):
        known = ", ".join(f"{label:g}" for label in list(labels.counts)[:10])
        raise RetrainerError(
            f"model.class_weights names none of the values of the label '{examples.label}', which are {known}."
        )
    return RowWeights(column, classes)


def _check_classes(labels: Labels, label: str) -> None:
    counts = labels.counts
    if len(counts) > _MOST_CLASSES or any(not float(value).is_integer() for value in counts):
        raise RetrainerError(
            f"model.balance_classes is for classes, and the label '{label}' holds amounts, from {min(counts):g} to "
            f"{max(counts):g}. Leave it out."
        )


def _class(name: str) -> float:
    try:
        return float(name)
    except ValueError as error:
        raise RetrainerError(
            f'model.class_weights has the key \'{name}\'; keys are values of the label, such as "0" and "1".'
        ) from error


def _check_column(examples: Examples, column: str) -> None:
    rows, bad, largest = 0, 0, 0.0
    found = False
    for batch in examples.iter_batches(TRAIN, [column]):
        found = found or column in batch.schema.names
        weights = to_arrays(batch, {column: "float64"})[column]
        valid = np.isfinite(weights) & (weights >= 0)
        rows, bad = rows + len(weights), bad + int((~valid).sum())
        largest = max(largest, float(weights[valid].max(initial=0.0)))
    if not found:
        raise RetrainerError(
            f"evaluation.example_weight_key names the column '{column}', and the training spans have none of that name."
        )
    if bad:
        raise RetrainerError(
            f"the weight '{column}' (evaluation.example_weight_key) is missing, negative or not a number in {bad:,} of "
            f"{rows:,} training rows. Correct it at the source; rows without a weight are quarantined when they are "
            "ingested."
        )
    if not largest:
        raise RetrainerError(
            f"the weight '{column}' (evaluation.example_weight_key) is 0 in all {rows:,} training rows, so nothing "
            "would be learned."
        )
