"""Rows as clients send them: JSON by column name, and serialised tf.Examples.

It runs in the process that serves: modules of TensorFlow alone.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from tensorflow.core.example import feature_pb2
from tensorflow.python.framework import dtypes

Columns = dict[str, np.ndarray]
# Field 1 of tf.Example, `features`, and its wire type for bytes.
_FEATURES_TAG = b"\x0a"


class RefusedError(Exception):
    """What the model asks for and the rows can't give."""


def can_be_missing(dtype: Any) -> bool:
    """Report whether an input of this type has a value for a missing cell: NaN, or empty text."""
    return bool(dtype == dtypes.string or dtype.is_floating)


def is_missing(cell: Any) -> bool:
    """Report whether a cell is missing: null, or NaN, which Python's JSON has."""
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def convert_rows(inputs: Mapping[str, Any], instances: Sequence[Mapping[str, Any]]) -> Columns:
    """Convert rows of JSON to arrays.

    Args:
        inputs: The model's inputs with their types.
        instances: Rows by column name; a missing key is the same as null.

    Raises:
        RefusedError: If cells are not of their input's type, or an integer is missing.
    """
    columns = {}
    for name, dtype in inputs.items():
        if not can_be_missing(dtype) and not any(name in instance for instance in instances):
            raise RefusedError(f"the model takes a feature '{name}' that the rows don't have")
        values: list[Any] = [instance.get(name) for instance in instances]
        if dtype == dtypes.string:
            texts = ["" if value is None else str(value) for value in values]
            columns[name] = np.array([text.encode() for text in texts], dtype=object)
        elif any(isinstance(value, str) for value in values):
            raise RefusedError(f"the model takes '{name}' as {dtype.name}, and the rows have text")
        elif dtype.is_floating:
            filled = [np.nan if value is None else value for value in values]
            columns[name] = np.asarray(filled).astype(dtype.as_numpy_dtype)
        else:
            if missing := sum(map(is_missing, values)):
                raise RefusedError(
                    f"the model takes '{name}' as {dtype.name}, which has no missing value, and it is missing in "
                    f"{missing} of {len(values)} rows"
                )
            if any(value != int(value) for value in values):
                raise RefusedError(
                    f"the model takes '{name}' as {dtype.name}, and the rows have fractions"
                )
            columns[name] = np.asarray(values).astype(dtype.as_numpy_dtype)
    return columns


def to_json(columns: Columns, rows: int) -> dict[str, list[Any]]:
    """Return the first rows of arrays as values of JSON."""
    return {
        name: [cell.decode() for cell in column[:rows]]
        if column.dtype == object
        else column[:rows].tolist()
        for name, column in columns.items()
    }


def serialise(columns: Columns, names: Iterable[str], rows: Iterable[int]) -> np.ndarray:
    """Write rows as serialised tf.Examples.

    Args:
        columns: Arrays by column.
        names: The features to write, in this order.
        rows: The rows to write.

    Returns:
        A bytes object for each row.
    """
    order = list(names)
    return np.array([_example(columns, order, row) for row in rows], dtype=object)


def _example(columns: Columns, names: Sequence[str], row: int) -> bytes:
    # An entry at a time: protocol buffers would choose the order of a map.
    entries = b"".join(
        feature_pb2.Features(feature={name: _feature(columns[name], row)}).SerializeToString()
        for name in names
    )
    return _FEATURES_TAG + _varint(len(entries)) + entries


def _feature(column: np.ndarray, row: int) -> feature_pb2.Feature:
    value = column[row]
    if column.dtype == object:
        return feature_pb2.Feature(bytes_list=feature_pb2.BytesList(value=[value]))
    if column.dtype.kind == "f":
        return feature_pb2.Feature(float_list=feature_pb2.FloatList(value=[value]))
    return feature_pb2.Feature(int64_list=feature_pb2.Int64List(value=[value]))


def _varint(number: int) -> bytes:
    """Encode a length as protocol buffers do: groups of seven bits, the lowest first."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)
