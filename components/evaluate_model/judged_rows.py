"""The rows that a server must answer as they were judged."""

import numpy as np

from ..lib.examples import EVAL, Examples
from ..lib.saved_models.newest_rows import first_rows, newest_part, plain_cells, source_of
from ..lib.saved_models.saved_model import Model
from ..lib.saved_models.scored_rows import MOST_ROWS, ScoredRows


def judged_rows(
    examples: Examples, model: Model, predictions: np.ndarray | None
) -> ScoredRows | None:
    """Return the first rows of the newest evaluation span with what the model predicts for them.

    Args:
        examples: The examples.
        model: The challenger.
        predictions: Its predictions of the whole evaluation split, as they are judged; None where a Beam engine has
            them, or it has several outputs: then the model is asked here.

    Returns:
        The rows; None without an evaluation row.
    """
    part = newest_part(examples)
    if part is None:
        return None
    batch = first_rows(part, MOST_ROWS, model.columns)
    cells = {
        name: plain_cells(tensor.numpy().reshape(-1))
        for name, tensor in model.tensors(batch).items()
    }
    if predictions is None:
        predictions = model.predict_side_by_side(batch)
    else:
        # The parts behind it have no rows.
        start = examples.rows(EVAL) - part.rows
        predictions = predictions[start : start + batch.num_rows]
    return ScoredRows.of(source_of(examples, part), cells, predictions)
