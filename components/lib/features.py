"""Raw features: the columns that the model sees, and their cells as dense arrays."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import schema_pb2

from .errors import RetrainerError
from .files import join
from .schema_file import load_schema

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


def to_arrays(batch: pa.RecordBatch | pa.Table, kinds: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Turn columns into dense arrays.

    Args:
        batch: n rows.
        kinds: The columns wanted, each `int64`, `float32` or `string`.

    Returns:
        For each column an array of shape (n,): numbers, or bytes objects for text.

    Raises:
        RetrainerError: If a column is missing, or its cells are not of its kind.
    """
    arrays = {}
    for name, kind in kinds.items():
        if name not in batch.schema.names:
            raise RetrainerError(
                f"the examples have no column '{name}', which the model takes. They have: "
                f"{', '.join(batch.schema.names)}."
            )
        arrays[name] = _to_array(batch.column(name), name, kind)
    return arrays


def _to_array(column: pa.Array | pa.ChunkedArray, name: str, kind: str) -> np.ndarray:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks)
    try:
        if kind == STRING:
            filled = pc.fill_null(column.cast(pa.string()), "")
            return filled.cast(pa.binary()).to_numpy(zero_copy_only=False)
        if kind == FLOAT:
            # Rounded anyway, so integers beyond 2^53 are no reason to stop.
            numbers = column.cast(pa.float64(), safe=False)
            return numbers.to_numpy(zero_copy_only=False).astype(np.float32)
        if column.null_count:
            raise RetrainerError(
                f"column '{name}' has {column.null_count:,} missing cells, and by its schema it has none. "
                "Mend the source, or allow missing cells in the schema (presence)."
            )
        return column.cast(pa.int64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        raise RetrainerError(
            f"column '{name}' holds {column.type}, and the model takes {kind}: {error}."
        ) from error
