"""Columns of lists."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def is_list(kind: pa.DataType) -> bool:
    """Report whether the cells of a column's type are lists."""
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def flatten(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.ChunkedArray]:
    """Return the values of a column of lists, one after the other, and the row of each."""
    lengths = [np.array([], np.int64), *(_lengths(chunk) for chunk in column.chunks)]
    values = pa.chunked_array(
        [pc.list_flatten(chunk) for chunk in column.chunks], column.type.value_type
    )
    return np.repeat(np.arange(len(column)), np.concatenate(lengths)), values


def without_missing_values(column: pa.Array) -> pa.Array:
    """Leave null and NaN out of lists; a null list stays null."""
    values, lengths = pc.list_flatten(column), _lengths(column)
    known = values.is_valid()
    if pa.types.is_floating(values.type):
        known = pc.fill_null(pc.invert(pc.is_nan(values)), False)
    kept = np.asarray(known)
    row = np.repeat(np.arange(len(column)), lengths)[kept]
    offsets = np.zeros(len(column) + 1, np.int32)
    np.cumsum(np.bincount(row, minlength=len(column)), out=offsets[1:])
    # ListArray.from_arrays makes a null list of a null start offset.
    missing = np.append(column.is_null().to_numpy(zero_copy_only=False), False)
    return pa.ListArray.from_arrays(pa.array(offsets, mask=missing), values.filter(known))


def slice_column(column: pa.Array, has_lists: bool) -> pa.Array:
    """Return a column as rows are sliced by it.

    A NaN becomes null, that is: in no slice. TFMA would make a slice of each single NaN, as no NaN equals another. In a
    list, both are left out.

    Args:
        column: The column.
        has_lists: Whether its cells are JSON lists.
    """
    if has_lists:
        column = lists_of_text(column)
    if is_list(column.type):
        return without_missing_values(column)
    if pa.types.is_floating(column.type):
        return pa.array(column.to_numpy(zero_copy_only=False), from_pandas=True)
    return column


def lists_of_text(column: pa.Array) -> pa.Array:
    """Read the lists that a span's files have as JSON, in a column of text.

    Args:
        column: The column; null where there is no list.

    Returns:
        Lists of text; a number is as JSON writes it.
    """
    if not pa.types.is_string(column.type):
        return pa.nulls(len(column), pa.list_(pa.string()))
    encoded = column.dictionary_encode()
    lists = [
        [
            value if isinstance(value, str | None) else json.dumps(value)
            for value in json.loads(text)
        ]
        for text in encoded.dictionary.to_pylist()
    ]
    return pa.array(lists, pa.list_(pa.string())).take(encoded.indices)


def _lengths(column: pa.Array) -> np.ndarray:
    lengths = pc.fill_null(pc.list_value_length(column), 0)
    return lengths.to_numpy(zero_copy_only=False).astype(np.int64)
