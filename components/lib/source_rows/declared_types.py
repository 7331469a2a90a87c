"""Types of columns that a schema declares."""

from tensorflow_metadata.proto.v0 import schema_pb2

from ..errors import RetrainerError
from ..schema_file import load_schema
from ..store import Store
from ..uris import exists
from .column_types import ColumnType

_OF_SCHEMA = {
    schema_pb2.INT: ColumnType.INTEGER,
    schema_pb2.FLOAT: ColumnType.NUMBER,
    schema_pb2.BYTES: ColumnType.TEXT,
}


def read_schema_types(store: str, schema_uri: str) -> dict[str, ColumnType]:
    """Read the types of columns from the schema, curated or frozen in the store.

    Args:
        store: URI of the store.
        schema_uri: The curated schema; empty for the frozen one.

    Returns:
        Types by column; none before a schema is frozen.

    Raises:
        RetrainerError: If a curated schema is not there, or the schema can't be parsed.
    """
    uri = schema_uri or Store(store).schema_uri
    if not schema_uri and not exists(uri):
        return {}
    try:
        schema, _ = load_schema(uri)
    except FileNotFoundError as error:
        raise RetrainerError(
            f"there is no schema at '{uri}' (validation.schema_uri). Put it there, or leave the setting out to "
            "have one inferred."
        ) from error
    return {
        feature.name: _OF_SCHEMA[feature.type]
        for feature in schema.feature
        if feature.type in _OF_SCHEMA
    }
