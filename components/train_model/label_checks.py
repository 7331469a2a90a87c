"""Checks before training: whether the labels suit the model's output and its loss."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ..lib.errors import RetrainerError
from ..lib.examples import TRAIN, Examples
from ..lib.features import to_arrays
from ..lib.words import did_you_mean, plural

# Different labels that are counted; more are amounts, of which the range is enough.
_MOST_COUNTED = 10_000
# Losses that compare each output with a label of its own.
_ELEMENTWISE = frozenset(
    {"mean_squared_error", "mse", "mean_absolute_error", "mae", "mean_absolute_percentage_error", "mape",
     "mean_squared_logarithmic_error", "msle", "binary_crossentropy", "binary_focal_crossentropy", "huber", "log_cosh",
     "poisson", "hinge", "squared_hinge"}
)  # fmt: skip
_BINARY = frozenset({"binary_crossentropy", "binary_focal_crossentropy"})
_ONE_HOT = frozenset({"categorical_crossentropy", "categorical_focal_crossentropy"})
_CLASSES = "sparse_categorical_crossentropy"


@dataclass(frozen=True)
class Labels:
    """The labels of the training split.

    Attributes:
        counts: Rows by label, in the order of the labels. Of an amount with many values only some are counted, with
            the least and the greatest.
        rows: How many rows there are.
    """

    counts: Mapping[float, int]
    rows: int

    @property
    def complete(self) -> bool:
        """Whether every row is counted."""
        return sum(self.counts.values()) == self.rows


def count_labels(examples: Examples, name: str = "", may_be_constant: bool = False) -> Labels:
    """Count the training rows of each label, within the memory of a batch.

    Args:
        examples: The examples.
        name: The column of labels; `label` if empty.
        may_be_constant: Whether all labels may be the same, as one of several may be.

    Returns:
        The counts.

    Raises:
        RetrainerError: If a label is missing or no number, or all are the same.
    """
    name, rows = name or examples.label, examples.rows(TRAIN)
    counts: dict[float, int] = {}
    missing = 0
    low, high = np.inf, -np.inf
    for batch in examples.iter_batches(TRAIN, [name]):
        column = to_arrays(batch, {name: "float64"})[name]
        missing += int(np.isnan(column).sum())
        values, found = np.unique(column[~np.isnan(column)], return_counts=True)
        if not len(values):
            continue
        low, high = min(low, float(values[0])), max(high, float(values[-1]))
        for value, count in zip(values.tolist(), found.tolist(), strict=True):
            if value in counts or len(counts) < _MOST_COUNTED:
                counts[value] = counts.get(value, 0) + count
    if missing:
        raise RetrainerError(
            f"the label '{name}' is missing in {missing:,} of {rows:,} training rows. ingest_spans quarantines such "
            "rows; ingest the spans again."
        )
    if low == high and not may_be_constant:
        raise RetrainerError(
            f"the label '{name}' is {low:g} in all {rows:,} training rows, so there is nothing to learn. Check how the "
            "label is made, or widen data.window."
        )
    for value in (low, high):
        counts.setdefault(value, 1)
    return Labels(dict(sorted(counts.items())), rows)


def check_outputs(predictions: Any, rows: int, names: Collection[str]) -> dict[str, int]:
    """Check what a model gives for some rows.

    Args:
        predictions: The model's output for them.
        rows: How many rows.
        names: Names of its outputs, as data.label_keys has them; of one output, an empty name.

    Returns:
        How many numbers each output gives for each row.

    Raises:
        RetrainerError: If it does not give the outputs, each a tensor with a place for each row.
    """
    if "" in names:
        return {"": _check_output(predictions, rows)}
    if not isinstance(predictions, Mapping):
        found = (
            plural(len(predictions), "output") if isinstance(predictions, list) else "one output"
        )
        raise RetrainerError(
            f"the model of build_model has {found} without a name, and data.label_keys names {', '.join(names)}. "
            f"Make it keras.Model(inputs, outputs={{'{next(iter(names))}': ..., ...}})."
        )
    for name in names:
        if name not in predictions:
            raise RetrainerError(
                f"the model of build_model has no output '{name}', which data.label_keys names."
                f"{did_you_mean(name, list(predictions), 'It has')}"
            )
    for name in predictions:
        if name not in names:
            raise RetrainerError(
                f"the model of build_model has an output '{name}', and data.label_keys no label for it. Add one, or "
                "leave the output out."
            )
    return {name: _check_output(predictions[name], rows, name) for name in names}


def _check_output(predictions: Any, rows: int, name: str = "") -> int:
    if isinstance(predictions, Mapping | list | tuple):
        names = sorted(predictions) if isinstance(predictions, Mapping) else ""
        raise RetrainerError(
            f"the model of build_model has {plural(len(predictions), 'output')}"
            + (f" ({', '.join(names)})" if names else " in a list")
            + "; it must have one, a tensor of shape (rows, k), since there is one label. Name the label of each "
            "output in data.label_keys."
        )
    shape = tuple(predictions.shape)
    if not shape or shape[0] != rows or len(shape) > 2:
        of_output = f" of output '{name}'" if name else ""
        raise RetrainerError(
            f"the model of build_model gives predictions{of_output} of shape {shape} for {rows:,} rows; it must give "
            "(rows, k). Add keras.layers.Flatten before its last layer."
        )
    return shape[1] if len(shape) == 2 else 1


def check_labels(label: str, labels: Labels, outputs: int, loss: Any) -> None:
    """Check labels against what the loss takes.

    Args:
        label: The label's column.
        labels: The labels of the training split.
        outputs: How many outputs the model gives for each row.
        loss: What the model was compiled with; one that is not Keras's own is not looked into.

    Raises:
        RetrainerError: If the loss can't take them.
    """
    name = loss_name(loss)
    if name == _CLASSES:
        _check_classes(label, labels, outputs)
    elif name in _ONE_HOT:
        raise RetrainerError(
            f"the loss {name} takes one-hot labels, and the label '{label}' is one number a row. "
            "Compile the model with sparse_categorical_crossentropy."
        )
    elif name in _ELEMENTWISE and outputs > 1:
        raise RetrainerError(
            f"the model has {outputs} outputs a row, and the loss {name} would compare each of them with the one label "
            f"'{label}'. Give the last layer one unit, or, for classes, compile with {_CLASSES}."
        )
    elif name in _BINARY:
        outside = {value: rows for value, rows in labels.counts.items() if not 0 <= value <= 1}
        if outside:
            raise RetrainerError(
                f"{_describe(label, labels, outside)}, and the loss {name} takes labels from 0 to 1. For classes 0 to "
                f"k - 1, give the last layer k units with softmax, and compile with {_CLASSES}; for amounts, take a "
                "loss such as mean_squared_error."
            )


def check_several_labels(columns: Sequence[str], outputs: int, loss: Any) -> None:
    """Check that an output and its loss take several labels a row.

    Args:
        columns: The columns of labels.
        outputs: How many numbers the output gives for each row.
        loss: What the output was compiled with.

    Raises:
        RetrainerError: If they don't.
    """
    name = loss_name(loss)
    if name == _CLASSES:
        raise RetrainerError(
            f"the loss {name} takes one class number a row, and a row has the labels {', '.join(columns)}. Compile "
            "with binary_crossentropy and end the model in a sigmoid."
        )
    if outputs != len(columns):
        raise RetrainerError(
            f"the model gives {plural(outputs, 'number')} a row for the labels {', '.join(columns)}. Give its last "
            f"layer {len(columns)} units."
        )


def loss_of(loss: Any, output: str) -> Any:
    """Return the loss of an output; an empty name is that of models with one."""
    return loss.get(output) if output and isinstance(loss, Mapping) else loss


def loss_name(loss: Any) -> str:
    """Name a loss as Keras spells it in text, such as `binary_crossentropy`."""
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    if isinstance(loss, keras.losses.Loss) and type(loss).__module__.partition(".")[0] != "keras":
        return ""
    snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    return {"kldivergence": "kl_divergence", "logcosh": "log_cosh"}.get(snake, snake)


def _check_classes(label: str, labels: Labels, outputs: int) -> None:
    counts = labels.counts
    outside = {
        value: rows
        for value, rows in counts.items()
        if not (0 <= value < outputs and float(value).is_integer())
    }
    if not outside:
        return
    said = f"{_describe(label, labels, outside)}, and the model has " + (
        f"{outputs} outputs, which are for the classes 0 to {outputs - 1}"
        if outputs > 1
        else "one output, where the loss sparse_categorical_crossentropy takes one for each class"
    )
    if any(not float(value).is_integer() for value in outside):
        fix = "Number the classes 0, 1, 2 at the source, or take a loss for amounts."
    elif min(counts) >= 1 and max(counts) == outputs and outputs > 1:
        fix = (
            f"Number the classes from 0 at the source, or give the last layer {outputs + 1} units."
        )
    elif min(counts) < 0:
        fix = "Number the classes from 0 at the source."
    else:
        fix = f"Give the last layer {int(max(counts)) + 1} units, or leave such rows out at the source."
    raise RetrainerError(f"{said}. {fix}")


def _describe(label: str, labels: Labels, outside: Mapping[float, int]) -> str:
    if not labels.complete:
        return f"the label '{label}' runs from {min(labels.counts):g} to {max(labels.counts):g}"
    values = [f"{value:g}" for value in outside]
    shown = ", ".join(values[:3]) + (
        f" and {len(values) - 3} other values" if len(values) > 3 else ""
    )
    rows = sum(outside.values())
    return f"the label '{label}' is {shown} in {rows:,} of {labels.rows:,} training rows"


def features_with_gaps(features: Mapping[str, Any]) -> dict[str, int]:
    """Count the rows in which a transformed feature is NaN or infinite.

    Args:
        features: Transformed features of some rows.

    Returns:
        Rows by feature, of those that have any.
    """
    found = {}
    for name, tensor in features.items():
        values = np.asarray(getattr(tensor, "values", getattr(tensor, "flat_values", tensor)))
        if values.dtype.kind != "f" or not len(values):
            continue
        bad = int(np.count_nonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1)))
        if bad:
            found[name] = bad
    return found
