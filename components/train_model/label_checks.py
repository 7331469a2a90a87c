"""What can be said before training: whether the labels suit the model's output and its loss."""

import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..lib.errors import RetrainerError
from ..lib.examples import TRAIN, Examples
from ..lib.words import plural

# Losses that compare each output with a label of its own.
_ELEMENTWISE = frozenset(
    {"mean_squared_error", "mse", "mean_absolute_error", "mae", "mean_absolute_percentage_error", "mape",
     "mean_squared_logarithmic_error", "msle", "binary_crossentropy", "binary_focal_crossentropy", "huber", "log_cosh",
     "poisson", "hinge", "squared_hinge"}
)  # fmt: skip
_BINARY = frozenset({"binary_crossentropy", "binary_focal_crossentropy"})
_ONE_HOT = frozenset({"categorical_crossentropy", "categorical_focal_crossentropy"})
_CLASSES = "sparse_categorical_crossentropy"


def count_labels(examples: Examples) -> dict[float, int]:
    """Count the training rows of each label.

    Args:
        examples: The examples.

    Returns:
        Rows by label, in the order of the labels.

    Raises:
        RetrainerError: If a label is missing, or all are the same.
    """
    column = examples.read_table(TRAIN, [examples.label]).column(examples.label)
    rows = examples.rows(TRAIN)
    numbers = pc.cast(column, pa.float64(), safe=False)
    missing = numbers.null_count + int(pc.sum(pc.is_nan(numbers)).as_py() or 0)
    if missing:
        raise RetrainerError(
            f"the label '{examples.label}' is missing in {missing:,} of {rows:,} training rows. ingest_spans sets such "
            "rows aside; ingest the spans again."
        )
    counts = pc.value_counts(numbers)
    found = dict(
        zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    )
    if len(found) < 2:
        value = column[0].as_py() if found else None
        raise RetrainerError(
            f"the label '{examples.label}' is {value!r} in all {rows:,} training rows, so there is nothing to learn. "
            "Check how the label is made, or widen data.window."
        )
    return dict(sorted(found.items()))


def check_outputs(predictions: Any, rows: int) -> int:
    """Check what a model gives for some rows.

    Args:
        predictions: The model's output for them.
        rows: How many rows.

    Returns:
        How many outputs it gives for each row.

    Raises:
        RetrainerError: If it does not give one tensor with a place for each row.
    """
    if isinstance(predictions, Mapping | list | tuple):
        names = sorted(predictions) if isinstance(predictions, Mapping) else ""
        raise RetrainerError(
            f"the model of build_model has {plural(len(predictions), 'output')}"
            + (f" ({', '.join(names)})" if names else " in a list")
            + "; it must have one, a tensor of shape (rows, k): there is one label, and metrics are of one output. "
            "Make a model of each output, in a project of its own."
        )
    shape = tuple(predictions.shape)
    if not shape or shape[0] != rows or len(shape) > 2:
        raise RetrainerError(
            f"the model of build_model gives predictions of shape {shape} for {rows:,} rows; it must give (rows, k). "
            "Add keras.layers.Flatten before its last layer."
        )
    return shape[1] if len(shape) == 2 else 1


def check_labels(label: str, counts: Mapping[float, int], outputs: int, loss: Any) -> None:
    """Check labels against what the loss takes.

    Args:
        label: The label's column.
        counts: Rows by label.
        outputs: How many outputs the model gives for each row.
        loss: What the model was compiled with; one that is not Keras's own is not looked into.

    Raises:
        RetrainerError: If the loss can't take them.
    """
    name = loss_name(loss)
    if name == _CLASSES:
        _check_classes(label, counts, outputs)
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
        outside = {value: rows for value, rows in counts.items() if not 0 <= value <= 1}
        if outside:
            raise RetrainerError(
                f"{_say(label, counts, outside)}, and the loss {name} takes labels from 0 to 1. For classes 0 to "
                f"k - 1, give the last layer k units with softmax, and compile with {_CLASSES}; for amounts, take a "
                "loss such as mean_squared_error."
            )


def loss_name(loss: Any) -> str:
    """Name a loss as Keras spells it in text, such as `binary_crossentropy`."""
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    if isinstance(loss, keras.losses.Loss) and type(loss).__module__.partition(".")[0] != "keras":
        return ""
    snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    return {"kldivergence": "kl_divergence", "logcosh": "log_cosh"}.get(snake, snake)


def _check_classes(label: str, counts: Mapping[float, int], outputs: int) -> None:
    outside = {
        value: rows
        for value, rows in counts.items()
        if not (0 <= value < outputs and float(value).is_integer())
    }
    if not outside:
        return
    said = f"{_say(label, counts, outside)}, and the model has " + (
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


def _say(label: str, counts: Mapping[float, int], outside: Mapping[float, int]) -> str:
    rows, total = sum(outside.values()), sum(counts.values())
    values = [f"{value:g}" for value in outside]
    shown = ", ".join(values[:3]) + (
        f" and {len(values) - 3} other values" if len(values) > 3 else ""
    )
    return f"the label '{label}' is {shown} in {rows:,} of {total:,} training rows"


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
