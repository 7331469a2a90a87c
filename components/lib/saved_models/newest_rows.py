"""The first rows of the newest evaluation span: what evaluate_model and check_serving both keep."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import RetrainerError
from ..examples import EVAL, Examples, SpanPart
from ..parquet_reader import open_parquet, present_columns
from ..uris import join


def newest_part(examples: Examples) -> SpanPart | None:
    """Return the newest part of the evaluation split that has rows."""
    return next((part for part in reversed(examples.splits[EVAL]) if part.rows), None)


def first_rows(part: SpanPart, rows: int, columns: Sequence[str] | None = None) -> pa.RecordBatch:
    """Read the first rows of a part, and of its files one group of rows.

    Args:
        part: The part.
        rows: How many rows, fewer if its first group of rows has fewer.
        columns: Which columns, all if None.

    Raises:
        RetrainerError: If its files have no rows.
    """
    for name in part.files:
        with open_parquet(join(part.uri, name)) as file:
            for group in range(file.num_row_groups):
                if file.metadata.row_group(group).num_rows:
                    # Of all groups, Arrow reads the next one ahead.
                    batches = file.iter_batches(rows, [group], present_columns(file, columns))
                    return next(iter(batches))
    raise RetrainerError(
        f"span '{part.span}' has {part.rows:,} rows by its record, and its files at '{part.uri}' have none. Delete its "
        "folder there, and run again to ingest the span."
    )


def source_of(examples: Examples, part: SpanPart) -> str:
    """Name a part's rows: span, version and part."""
    return f"{part.span}/{examples.versions.get(part.span, part.uri)}/{part.part}"


def plain_cells(column: np.ndarray) -> list[Any]:
    """Return cells as values of JSON."""
    if column.dtype == object:
        return [cell.decode() for cell in column]
    cells: list[Any] = column.tolist()
    return cells
