"""Raw features: the columns that the model sees, and their cells as dense arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from .errors import RetrainerError
from .uris import join

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

SCHEMA_FILE = "schema.pbtxt"
TRAINING, SERVING = "TRAINING", "SERVING"
"""The environments of a schema: which columns are there in training, and which ones a server is sent."""
INT, FLOAT, STRING = "int64", "float32", "string"
"""What a raw feature can be. A missing cell is NaN in a float32 and empty in a string; an int64 has none."""


def read_schema(path: str) -> schema_pb2.Schema:
    """Read a schema artifact.

    Args:
        path: The artifact's folder.

    Returns:
        The schema.

    Raises:
        RetrainerError: If there is none, or it can't be parsed.
    """
    # Here and below, as a task that only makes arrays needs no schema, and its start would take longer.
    from .schema_file import load_schema

    uri = join(path, SCHEMA_FILE)
    try:
        return load_schema(uri)[0]
    except FileNotFoundError as error:
        raise RetrainerError(
            f"there is no schema at '{uri}'. Schemas come from validate_examples."
        ) from error


def raw_features(schema: schema_pb2.Schema, not_features: Sequence[str]) -> dict[str, str]:
    """List the columns that may be features, with what they hold.

    A column that the schema has in training alone, or in serving alone, is none: the model needs it in both.

    Args:
        schema: The schema of the examples.
        not_features: The label, and the columns that name an example.

    Returns:
        For each column `int64` (integers that are never missing), `float32` (other numbers) or `string`.
    """
    from tensorflow_metadata.proto.v0 import schema_pb2

    kinds = {}
    for feature in schema.feature:
        if feature.name in not_features or feature.lifecycle_stage in (
            schema_pb2.DEPRECATED,
            schema_pb2.DISABLED,
        ):
            continue
        if not all(_is_in(feature, schema, environment) for environment in (TRAINING, SERVING)):
            continue
        if feature.type == schema_pb2.BYTES:
            kinds[feature.name] = STRING
        elif feature.type == schema_pb2.INT and feature.presence.min_fraction == 1:
            kinds[feature.name] = INT
        elif feature.type in (schema_pb2.INT, schema_pb2.FLOAT):
            kinds[feature.name] = FLOAT
    return kinds


def _is_in(feature: schema_pb2.Feature, schema: schema_pb2.Schema, environment: str) -> bool:
    if environment in feature.in_environment:
        return True
    if environment in feature.not_in_environment:
        return False
    # A schema that never heard of the environment keeps no column out of it.
    known = environment in schema.default_environment or any(
        environment in one.in_environment for one in schema.feature
    )
    return not known or environment in schema.default_environment


def to_arrays(
    batch: pa.RecordBatch | pa.Table, kinds: Mapping[str, str], where: str = ""
) -> dict[str, np.ndarray]:
    """Turn columns into dense arrays, the same for training, transform and evaluation.

    A column that the rows lack is empty in each of them, as a new column is in the spans of before it.

    Args:
        batch: n rows.
        kinds: The columns wanted, each `string` or the name of a number's type, such as `int64` or `float32`.
        where: What errors call the rows, such as `span 2026-01-04`.

    Returns:
        For each column an array of shape (n,): numbers, or bytes objects for text.

    Raises:
        RetrainerError: If cells are not of their column's kind, or an integer is missing.
    """
    return {
        name: to_array(column_of(batch, name), name, kind, where) for name, kind in kinds.items()
    }


def to_array(column: pa.Array, name: str, kind: str, where: str = "") -> np.ndarray:
    """Turn one column into a dense array.

    Args:
        column: n cells.
        name: The column's name, for errors.
        kind: As in `to_arrays`.
        where: As in `to_arrays`.

    Returns:
        An array of shape (n,): a missing cell is NaN as a floating-point number and empty as text.

    Raises:
        RetrainerError: As `to_arrays` does. No cell is cut off or parsed to fit.
    """
    empty = column.null_count == len(column)
    place = f" in {where}" if where else ""
    if kind == STRING:
        words, codes = to_words(column, name, where)
        return words[codes]
    _check_kind(column, name, kind, where)
    dtype = np.dtype(kind)
    if np.issubdtype(dtype, np.floating):
        if empty:
            return np.full(len(column), np.nan, dtype)
        # Rounded anyway, so integers beyond 2^53 are no reason to stop.
        return column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(dtype)
    if column.null_count:
        raise RetrainerError(
            f"column '{name}' has {column.null_count:,} missing cells{place}, and the model takes {kind}, which can't "
            "be missing. Fix the source, or allow missing cells in the schema (presence)."
        )
    try:
        return column.cast(pa.from_numpy_dtype(dtype)).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        raise RetrainerError(
            f"column '{name}' holds {column.type}{place}, and the model takes {kind}: {error}."
        ) from error


def to_words(column: pa.Array, name: str, where: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Turn a column of text into its distinct values and their places.

    Few distinct values are made into Python objects, instead of one object a row.

    Args:
        column: n cells.
        name: The column's name, for errors.
        where: As in `to_arrays`.

    Returns:
        Distinct values as bytes objects, and for each cell the index of its value; a missing cell is empty.

    Raises:
        RetrainerError: If it is no text.
    """
    _check_kind(column, name, STRING, where)
    if column.null_count == len(column):
        return np.array([b""], object), np.zeros(len(column), np.int32)
    encoded = column.cast(pa.string()).fill_null("").dictionary_encode()
    words = np.array([word.encode() for word in encoded.dictionary.to_pylist()], dtype=object)
    return words, encoded.indices.to_numpy()


def find_fitting(column: pa.Array, kind: str) -> np.ndarray:
    """Find the cells that a model's input can take; `to_array` takes a column of such cells.

    Args:
        column: n cells.
        kind: As in `to_arrays`.

    Returns:
        For each cell whether it fits, shape (n,). A missing cell fits text and floating-point numbers. Text fits no
        number and a number no text, because a model server refuses both; a fraction fits no integer.
    """
    missing = column.is_null().to_numpy(zero_copy_only=False)
    if not missing.all() and is_text(column.type) != (kind == STRING):
        return np.zeros(len(column), bool) if _is_integer(kind) else missing
    if not _is_integer(kind):
        return np.ones(len(column), bool)
    bounds = np.iinfo(kind) if np.dtype(kind) != bool else np.iinfo(np.int8)
    if missing.all():
        return np.zeros(len(column), bool)
    if pa.types.is_floating(column.type):
        values = column.to_numpy(zero_copy_only=False)
        with np.errstate(invalid="ignore"):
            # The largest integer of 64 bits is no floating-point number; the next one is too large.
            inside = (values >= float(bounds.min)) & (values < float(bounds.max) + 1)
            return ~missing & inside & (values == np.floor(values))
    values = column.fill_null(0).to_numpy(zero_copy_only=False)
    return ~missing & (values >= bounds.min) & (values <= bounds.max)


def is_text(kind: pa.DataType) -> bool:
    """Report whether a column's type is text."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)


def _is_integer(kind: str) -> bool:
    return kind != STRING and not np.issubdtype(np.dtype(kind), np.floating)


def column_of(batch: pa.RecordBatch | pa.Table, name: str) -> pa.Array:
    """Return a column of a batch; one that it lacks is empty in each row."""
    if name not in batch.schema.names:
        return pa.nulls(batch.num_rows)
    column = batch.column(name)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks)
    return column


def _check_kind(column: pa.Array, name: str, kind: str, where: str) -> None:
    if column.null_count < len(column) and is_text(column.type) != (kind == STRING):
        place = f" in {where}" if where else ""
        raise RetrainerError(
            f"column '{name}' holds {column.type}{place}, and the model takes {kind}. Make the source agree, or say "
            "what the column is (data.types)."
        )
