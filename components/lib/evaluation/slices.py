"""Which rows lie in which slice, by TFMA's own slicing rules."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.slicer import slice_accessor, slicer_lib

from .list_values import flatten, is_list

SliceKey = tuple[tuple[str, Any], ...]
OVERALL = "overall"
"""What the slice of all rows is called."""


def slice_name(key: SliceKey) -> str:
    """Write a slice's key in words, such as `carrier = UA`."""
    return ", ".join(f"{column} = {value}" for column, value in key) or OVERALL


def slice_rows(
    table: pa.Table, specs: Sequence[config_pb2.SlicingSpec]
) -> dict[SliceKey, np.ndarray | slice]:
    """Find the rows of each slice.

    TFMA's slicer is asked once for each combination of values that occurs, not once for each row.

    Args:
        table: The columns that the specs name. A null is in no slice of its column. A row of a column of lists is in
            the slice of each of its values, once, however often its list has the value; an empty list is in none.
        specs: What to slice by; an empty spec is the overall slice.

    Returns:
        Row numbers by TFMA's slice key, the overall slice first, then by key. `slice(None)` means
        all rows.
    """
    overall: dict[SliceKey, np.ndarray | slice] = {}
    found: dict[SliceKey, np.ndarray] = {}
    for spec in specs:
        columns = sorted([*spec.feature_keys, *spec.feature_values])
        if not columns:
            overall[()] = slice(None)
            continue
        if not set(columns) <= set(table.column_names):
            continue
        single = slicer_lib.SingleSliceSpec(spec=spec)
        for values, rows in _combinations(table, columns):
            features = {name: _feature(value) for name, value in values.items()}
            accessor = slice_accessor.SliceAccessor([features])
            for key in single.generate_slices(accessor):
                # Two specs may name the same slice; a row counts once in it.
                found[key] = np.union1d(found[key], rows) if key in found else rows
    return {**overall, **{key: found[key] for key in sorted(found, key=_order)}}


def _combinations(
    table: pa.Table, columns: Sequence[str]
) -> list[tuple[dict[str, Any], np.ndarray]]:
    """List each combination of values that occurs, with its rows in ascending order."""
    rows, encoded = _encode_columns(table, columns)
    code: np.ndarray | None = None
    complete = np.ones(table.num_rows if rows is None else len(rows), bool)
    for words, indices in encoded:
        complete &= indices >= 0
        if code is None:
            code = indices
        else:
            # Renumbered at every column, so that many columns of many values can't overflow.
            both = code.astype(np.int64) * (len(words) + 1) + indices
            _, code = np.unique(both, return_inverse=True)
    assert code is not None
    if code.max(initial=0) <= np.iinfo(np.int16).max:
        # NumPy sorts these in linear time.
        code = code.astype(np.int16)
    order = np.argsort(code, kind="stable")
    if not complete.all():
        order = order[complete[order]]
    starts = np.flatnonzero(np.diff(code[order], prepend=-1)) if len(order) else np.array([], int)
    return [
        (
            {
                name: words[indices[part[0]]]
                for name, (words, indices) in zip(columns, encoded, strict=True)
            },
            part if rows is None else rows[part],
        )
        for part in np.split(order, starts[1:])
        if len(part)
    ]


_Encoded = tuple[list[Any], np.ndarray]
"""A column's values, and for each row the index of its value (-1 for null)."""


def _encode_columns(
    table: pa.Table, columns: Sequence[str]
) -> tuple[np.ndarray | None, list[_Encoded]]:
    """Number the values of columns; a row of several values becomes several.

    Returns:
        The row that each entry is of, None where each row has one; and each column by entry.
    """
    rows: np.ndarray | None = None
    encoded: list[_Encoded] = []
    for name in columns:
        if not is_list(table[name].type):
            words, indices = _encode(table[name])
            encoded.append((words, indices if rows is None else indices[rows]))
            continue
        words, indices, counts = _encode_lists(table[name])
        starts = np.cumsum(counts) - counts
        if rows is None:
            rows = np.arange(table.num_rows)
        times = counts[rows]
        repeated = np.repeat(np.arange(len(rows)), times)
        # The place of each entry among those of its row.
        place = np.arange(len(repeated)) - np.repeat(np.cumsum(times) - times, times)
        rows = rows[repeated]
        encoded = [(known, of_rows[repeated]) for known, of_rows in encoded]
        encoded.append((words, indices[starts[rows] + place]))
    return rows, encoded


def _encode_lists(column: pa.ChunkedArray) -> tuple[list[Any], np.ndarray, np.ndarray]:
    """Number the values of lists: the values, the indices of each row's distinct ones, and how many it has."""
    row, values = flatten(column)
    words, indices = _encode(values)
    row, indices = row[indices >= 0], indices[indices >= 0]
    base = max(len(words), 1)
    row, indices = np.divmod(np.unique(row * base + indices), base)
    return words, indices, np.bincount(row, minlength=len(column))


def _encode(column: pa.ChunkedArray) -> _Encoded:
    """Number a column's values."""
    if pa.types.is_null(column.type):
        return [], np.full(len(column), -1, np.int32)
    encoded = column.dictionary_encode()
    chunks = encoded.unify_dictionaries().chunks
    if not chunks:
        return [], np.array([], np.int32)
    indices = np.concatenate(
        [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in chunks]
    )
    return chunks[0].dictionary.to_pylist(), indices


def _feature(value: Any) -> np.ndarray:
    # The slicer sees text as bytes, as it lies in TFMA's features.
    return np.array([value.encode()], object) if isinstance(value, str) else np.array([value])


def _order(key: SliceKey) -> list[tuple[str, bool, Any]]:
    return [(name, isinstance(value, str), value) for name, value in key]
