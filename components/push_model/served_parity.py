"""Whether a server answers what evaluation judged: strict training-serving skew.

evaluate_model writes the rows that it judged and check_serving those that it served, each in a process of its own and
perhaps on a machine of its own.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..lib.saved_models.prediction_tolerance import Tolerance
from ..lib.saved_models.scored_rows import ScoredRows

_MOST_NAMED = 5


def find_skew(model: str, judged: ScoredRows, served: ScoredRows, relative: float) -> str:
    """Compare what was served with what was judged, on the rows that both have.

    Args:
        model: The folder of the SavedModel, which is asked for the column that makes a difference.
        judged: The rows of evaluate_model.
        served: The rows of check_serving.
        relative: The relative tolerance; see `Tolerance`.

    Returns:
        What is wrong; empty if predictions are equal, or the rows are not the same ones.
    """
    if judged.source != served.source:
        return ""
    rows = min(len(judged.predictions), len(served.predictions))
    expected, found = (np.asarray(one.predictions[:rows], float) for one in (judged, served))
    if expected.shape != found.shape:
        return (
            f"the server gives predictions of shape {found.shape} for {rows} rows, and evaluation judged "
            f"{expected.shape}"
        )
    tolerance = Tolerance.around(expected, relative)
    differing = tolerance.differing(found, expected)
    if not differing.size:
        return ""
    row = int(differing[0])
    gap = (
        f"the server's predictions differ from those that evaluation judged in {differing.size} of {rows} rows, by up "
        f"to {float(np.nanmax(np.abs(found - expected))):.3g} (row {row}: served {_shown(found[row])}, judged "
        f"{_shown(expected[row])}; serving.tolerance is {relative:g})"
    )
    return f"{gap}; {_cause(model, judged, served, rows, expected, tolerance)}"


def _cause(
    model: str,
    judged: ScoredRows,
    served: ScoredRows,
    rows: int,
    expected: np.ndarray,
    tolerance: Tolerance,
) -> str:
    """Find the column that makes the difference: evaluation's rows get one column of the server's at a time."""
    names = [
        name
        for name in judged.columns
        if not _same(judged.columns[name][:rows], served.columns.get(name, ())[:rows])
    ]
    if not names:
        return (
            "both were given the same cells, so the machine or the size of the batches makes the difference, or the "
            "model answers by chance"
        )
    causes = names
    if len(names) > 1:
        import pyarrow as pa

        from ..lib.saved_models.saved_model import load_model

        loaded = load_model(model, "model")

        def predict(columns: Mapping[str, Sequence[Any]]) -> np.ndarray:
            cells = {name: pa.array(list(column[:rows])) for name, column in columns.items()}
            batch = pa.RecordBatch.from_arrays(list(cells.values()), names=list(cells))
            return loaded.predict_side_by_side(batch).reshape(rows, -1)

        causes = [
            name
            for name in names
            if not tolerance.agree(
                predict({**judged.columns, name: served.columns[name]}), expected
            )
        ]
    if not causes:
        return f"no column alone makes the difference, but these together: {_quoted(names)}"
    name = causes[0]
    cells = zip(served.columns.get(name, ()), judged.columns[name], strict=False)
    row, (sent, known) = next(
        (row, pair) for row, pair in enumerate(cells) if not _same(pair[:1], pair[1:])
    )
    more = f" (and so do {_quoted(causes[1:])})" if causes[1:] else ""
    return (
        f"column '{name}' makes the difference{more}: in row {row} the server was sent {sent!r} and evaluation has "
        f"{known!r}"
    )


def _same(some: Sequence[Any], others: Sequence[Any]) -> bool:
    return len(some) == len(others) and all(
        one == other or (_is_nan(one) and _is_nan(other))
        for one, other in zip(some, others, strict=True)
    )


def _is_nan(cell: Any) -> bool:
    return isinstance(cell, float) and math.isnan(cell)


def _shown(prediction: np.ndarray) -> str:
    return ", ".join(f"{value:.6g}" for value in prediction[:_MOST_NAMED])


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
