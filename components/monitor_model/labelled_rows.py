"""The champion's labelled rows of some spans, as metrics are computed from them."""

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa

from ..lib.evaluation.eval_config import CANDIDATE
from ..lib.evaluation.list_values import slice_column
from ..lib.evaluation.scores import Scores
from ..lib.predictions.joined_sets import JoinedSet
from ..lib.predictions.joined_table import LABEL, WEIGHT, read_joined
from ..lib.predictions.prediction_table import read_columns
from .sliced_rows import read_lists

SPAN = "joined_span"
"""The column to slice by that names the span of each row."""
MOST_ROWS = 200_000
"""Of more rows so many are taken, evenly: the standard error of an AUC is then about 0.001."""


def read_scores(
    sets: Sequence[JoinedSet],
    version: int,
    slice_columns: Sequence[str],
    lists: Collection[str] = (),
) -> Scores | None:
    """Read labels, predictions, weights and slice columns of at most `MOST_ROWS` rows.

    Args:
        sets: The spans.
        version: The champion's number; rows of others are left out, and those without one count as its own.
        slice_columns: Columns to slice by; one that the predictions do not keep is left out.
        lists: Columns of lists, each cell a JSON list, or the only value.

    Returns:
        The rows; None if there are none.
    """
    every = max(1, -(-sum(joined_set.rows for joined_set in sets) // MOST_ROWS))
    parts: list[Scores] = []
    place = 0
    for joined_set in sets:
        first = next(read_joined(joined_set, batch_rows=1), None)
        if first is None:
            continue
        about = read_columns(first.schema)
        sliced = {name: about.inputs[name] for name in slice_columns if name in about.inputs}
        wanted = ["model_version", *about.predictions, LABEL, WEIGHT, *sliced.values()]
        for batch in read_joined(joined_set, list(dict.fromkeys(wanted))):
            cells = {name: batch.column(batch.schema.get_field_index(name)) for name in set(wanted)}
            own = cells["model_version"].fill_null(version).to_numpy(zero_copy_only=False)
            taken = (np.arange(place, place + batch.num_rows) % every == 0) & (own == version)
            place += batch.num_rows
            if taken.any():
                rows = {name: column.filter(pa.array(taken)) for name, column in cells.items()}
                parts.append(_scores(rows, about.predictions, sliced, lists, joined_set.span))
    if not parts:
        return None
    weights = np.concatenate([part.weight for part in parts if part.weight is not None])
    weighted = bool(len(weights)) and float(weights.min()) != float(weights.max())
    return Scores(
        np.concatenate([part.label for part in parts]),
        {CANDIDATE: np.concatenate([part.predictions[CANDIDATE] for part in parts])},
        weights if weighted else None,
        pa.concat_tables([part.slices for part in parts]),
    )


def _scores(
    rows: dict[str, pa.Array],
    predictions: Sequence[str],
    sliced: dict[str, str],
    lists: Collection[str],
    span: str,
) -> Scores:
    outputs = [_numbers(rows[name]).astype(np.float32) for name in predictions]
    columns = {
        name: read_lists(rows[column]) if name in lists else slice_column(rows[column], False)
        for name, column in sliced.items()
    }
    columns[SPAN] = pa.array([span] * len(outputs[0]), pa.string())
    return Scores(
        _numbers(rows[LABEL]),
        {CANDIDATE: outputs[0] if len(outputs) == 1 else np.stack(outputs, 1)},
        _numbers(rows[WEIGHT]),
        pa.table(columns),
    )


def _numbers(column: pa.Array) -> np.ndarray:
    return column.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
