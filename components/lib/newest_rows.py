"""The first rows of the newest evaluation span: what evaluate_model and check_serving both keep."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from .examples import EVAL, Examples, SpanPart


def newest_part(examples: Examples) -> SpanPart | None:
    """Return the newest part of the evaluation split that has rows."""
    return next((part for part in reversed(examples.splits[EVAL]) if part.rows), None)


def first_rows(part: SpanPart, rows: int, columns: Sequence[str] | None = None) -> pa.RecordBatch:
    """Read the first rows of a part, and no more of it than these need.

    Args:
        part: The part; its first file that has rows is read.
        rows: How many rows, fewer if the file has fewer.
        columns: Which columns, all if None.
    """
    batches = part.iter_batches(columns, rows)
    return next(batch for batch in batches if batch.num_rows)


def source_of(examples: Examples, part: SpanPart) -> str:
    """Name a part's rows: span, version and part."""
    return f"{part.span}/{examples.versions.get(part.span, part.uri)}/{part.part}"


def plain_cells(column: np.ndarray) -> list[Any]:
    """Return cells as values of JSON."""
    if column.dtype == object:
        return [cell.decode() for cell in column]
    cells: list[Any] = column.tolist()
    return cells
