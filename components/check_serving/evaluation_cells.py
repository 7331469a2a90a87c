"""What evaluation makes of rows before it asks a model, as JSON."""

from typing import Any

import pyarrow as pa

from ..lib.errors import RetrainerError
from ..lib.features import FLOAT, INT, STRING, column_of, to_array
from ..lib.saved_models.model_signature import read_signature
from ..lib.saved_models.newest_rows import plain_cells

_KINDS = (FLOAT, INT, STRING, "float64", "int32")


def evaluation_cells(folder: str, table: pa.Table) -> dict[str, list[Any]]:
    """Convert rows as `lib/saved_models/saved_model.py` does for evaluate_model, without TensorFlow.

    Args:
        folder: The SavedModel.
        table: The rows.

    Returns:
        Cells by the column that the model takes: NaN for a missing number, empty text for missing text. Nothing of a
        column that evaluation can't convert, and nothing at all of a model whose signature can't be read: serving it
        says why.
    """
    try:
        inputs = read_signature(folder).inputs
    except RetrainerError:
        return {}
    cells = {}
    for name, kind in inputs.items():
        if kind in _KINDS:
            try:
                cells[name] = plain_cells(to_array(column_of(table, name), name, kind))
            except RetrainerError:
                continue
    return cells
