"""What the schema says that columns hold."""

from tensorflow_metadata.proto.v0 import schema_pb2

from ..lib.errors import RetrainerError
from ..lib.schema_file import load_schema
from ..lib.store import Store
from ..lib.uris import exists
from .column_types import Kind

_KINDS = {
    schema_pb2.INT: Kind.INTEGER,
    schema_pb2.FLOAT: Kind.NUMBER,
    schema_pb2.BYTES: Kind.TEXT,
}


def read_schema_kinds(store: str, schema_uri: str) -> dict[str, Kind]:
    """Read the kinds of columns from the schema, curated or frozen in the store.

    Args:
        store: URI of the store.
        schema_uri: The curated schema; empty for the frozen one.

    Returns:
        Kinds by column; none before a schema was frozen.

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
        feature.name: _KINDS[feature.type] for feature in schema.feature if feature.type in _KINDS
    }
