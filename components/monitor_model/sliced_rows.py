"""Which labelled rows lie in a slice, by evaluation's rules: a row of a list is in the slice of each of its values."""

from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa

from ..lib.canonical_text import plain_texts
from ..lib.evaluation.list_values import flatten, is_list, slice_column
from ..lib.monitoring.reference import Reference
from ..lib.source_rows.list_cells import to_lists


def read_lists(column: pa.Array) -> pa.Array:
    """Return the lists of a column, of texts: each cell a JSON list, or the only value.

    Nobody checked what clients sent: what is no list is missing.
    """
    return slice_column(to_lists(column)[0], True)


def slice_cells(column: pa.Array, has_lists: bool) -> pa.Array:
    """Return a column's cells as the values of slices are written: texts, or lists of them."""
    return read_lists(column) if has_lists else plain_texts(column)


def slice_mask(columns: Mapping[str, pa.Array], values: Mapping[str, str], rows: int) -> np.ndarray:
    """Find the rows of a slice.

    Args:
        columns: What `slice_cells` returned, by column.
        values: The slice: value by column.
        rows: How many rows there are.

    Returns:
        Whether each row is in it, shape (rows,); no row is, if a column is missing.
    """
    mask = np.ones(rows, bool)
    for name, value in values.items():
        if name not in columns:
            return np.zeros(rows, bool)
        mask &= _has(columns[name], value)
    return mask


def reference_mask(
    reference: Reference, values: Mapping[str, str], lists: Collection[str]
) -> np.ndarray | None:
    """Find the reference rows of a slice; None if the model is not sent one of its columns.

    Args:
        reference: The rows that the gate judged on.
        values: The slice: value by column.
        lists: Columns of lists.
    """
    features = reference.features
    if not set(values) <= set(features):
        return None
    table = reference.read([features[name] for name in values])
    columns = {
        name: slice_cells(pa.concat_arrays(table[features[name]].chunks), name in lists)
        for name in values
    }
    return slice_mask(columns, values, reference.rows)


def _has(column: pa.Array, value: str) -> np.ndarray:
    if not is_list(column.type):
        wanted = plain_texts(pa.array([value], pa.string()))[0].as_py()
        return np.asarray(column.to_numpy(zero_copy_only=False) == wanted)
    rows, cells = flatten(pa.chunked_array([column]))
    found = np.zeros(len(column), bool)
    found[rows[cells.to_numpy() == value]] = True
    return found
