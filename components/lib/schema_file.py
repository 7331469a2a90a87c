"""Reading a schema's file."""

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from .errors import RetrainerError
from .files import read_text


def load_schema(uri: str) -> tuple[schema_pb2.Schema, str]:
    """Read a schema.

    Args:
        uri: A `schema.pbtxt`.

    Returns:
        The schema, and its text as it stands.

    Raises:
        FileNotFoundError: If there is none.
        RetrainerError: If it is no schema.
    """
    try:
        text = read_text(uri)
        return text_format.Parse(text, schema_pb2.Schema()), text
    except (text_format.ParseError, UnicodeDecodeError) as error:
        reason = str(error).rstrip(".")
        raise RetrainerError(
            f"'{uri}' is not a schema in protobuf text format: {reason}. "
            "Mend it, or restore it from a copy."
        ) from error
