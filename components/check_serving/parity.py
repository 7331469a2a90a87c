"""Whether a client is answered what evaluation counted, on the same rows.

It runs in the process that serves: modules of TensorFlow alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..lib.saved_models.prediction_tolerance import Tolerance
from .client_rows import Columns, serialise

Predict = Callable[[Columns], np.ndarray]


def evaluation_columns(
    judged: Mapping[str, Sequence[Any]], inputs: Mapping[str, Any], served: Columns
) -> Columns:
    """Read the arrays that evaluation makes of the rows.

    Args:
        judged: Cells by column, as evaluation converts them.
        inputs: The model's inputs with their types.
        served: The arrays of a client's rows, for a column that is not in `judged`.
    """
    columns = {}
    for name, dtype in inputs.items():
        if name not in judged:
            columns[name] = served[name]
        elif served[name].dtype == object:
            columns[name] = np.array([cell.encode() for cell in judged[name]], dtype=object)
        else:
            columns[name] = np.asarray(judged[name], dtype=dtype.as_numpy_dtype)
    return columns


def compare_with_evaluation(
    predict: Predict,
    served: Columns,
    judged: Columns,
    predictions: np.ndarray,
    tolerance: Tolerance,
) -> str:
    """Compare a client's predictions with evaluation's on the same rows.

    The column that makes a difference is found by giving evaluation's rows one column of the client's at a time.

    Args:
        predict: Calls the model's named signature.
        served: The arrays that a client's rows become.
        judged: The arrays that evaluation makes of the same rows.
        predictions: What the model answers to `served`.
        tolerance: How far equal predictions may be apart.

    Returns:
        What is wrong; empty if they are equal.
    """
    expected = predict(judged)
    if tolerance.agree(predictions, expected):
        return ""
    differing = [name for name in judged if not _same_cells(served[name], judged[name])]
    if not differing:
        return "the model answers equal rows differently from call to call"
    found = [
        name
        for name in differing
        if not tolerance.agree(predict({**judged, name: served[name]}), expected)
    ]
    gap = "predictions of served rows differ from evaluation's on the same rows"
    gap += tolerance.gap(predictions, expected)
    if not found:
        return (
            f"{gap}; no column alone makes the difference, but these together: {_quoted(differing)}"
        )
    name = found[0]
    row = int(np.argmax(_differs(served[name], judged[name])))
    more = f" (and so do {_quoted(found[1:])})" if found[1:] else ""
    return (
        f"{gap}; column '{name}' makes the difference{more}: in row {row} a client sends {_cell(served[name], row)} "
        f"and evaluation has {_cell(judged[name], row)}"
    )


def compare_signatures(
    named: Predict,
    of_examples: Callable[[np.ndarray], np.ndarray],
    columns: Columns,
    tolerance: Tolerance,
) -> str:
    """Compare the answers to named columns and to serialised tf.Examples.

    The column that makes a difference is found by leaving one out at a time: of the named columns alone (the other
    signature does not read it), then of both.

    Args:
        named: Calls the signature of named columns.
        of_examples: Calls the signature of serialised tf.Examples.
        columns: The rows.
        tolerance: How far equal predictions may be apart.

    Returns:
        What is wrong; empty if they are equal.
    """
    agree = tolerance.agree
    rows = range(len(next(iter(columns.values()))))
    expected, found = named(columns), of_examples(serialise(columns, columns, rows))
    if agree(found, expected):
        return ""
    problem = "named features and serialised tf.Examples give different predictions"
    if len(columns) == 1:
        return problem
    for name, column in columns.items():
        for blank in _blanks(column):
            if agree(found, named({**columns, name: blank})):
                return f"{problem}: the signature of tf.Examples does not read '{name}'"
    for name, column in columns.items():
        blank = _blanks(column)[0]
        others = [other for other in columns if other != name]
        try:
            without = of_examples(serialise(columns, others, rows))
        except Exception:
            # Refusing an example without the feature says nothing about the difference.
            continue
        if agree(without, named({**columns, name: blank})):
            return f"{problem}: column '{name}' makes the difference"
    return problem


def _blanks(column: np.ndarray) -> list[np.ndarray]:
    """List what a column is whose cells are all missing, by the defaults that models have for it."""
    if column.dtype == object:
        return [np.full_like(column, b"")]
    defaults = (np.nan, 0, -1) if column.dtype.kind == "f" else (0, -1)
    return [np.full_like(column, default) for default in defaults]


def _differs(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    differs: np.ndarray = np.asarray(some != others)
    if some.dtype.kind == "f":
        differs &= ~(np.isnan(some) & np.isnan(others))
    return differs


def _same_cells(some: np.ndarray, others: np.ndarray) -> bool:
    return not _differs(some, others).any()


def _cell(column: np.ndarray, row: int) -> str:
    value = column[row]
    return repr(value.decode()) if isinstance(value, bytes) else str(value)


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
