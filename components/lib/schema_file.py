"""Reading a schema's file."""

from collections import Counter

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from .errors import RetrainerError
from .uris import read_text


def load_schema(uri: str) -> tuple[schema_pb2.Schema, str]:
    """Read a schema.

    Args:
        uri: A `schema.pbtxt`.

    Returns:
        The schema, and its text as it stands.

    Raises:
        FileNotFoundError: If there is none.
        RetrainerError: If it is no schema, has no column, or has one twice.
    """
    try:
        text = read_text(uri)
        schema = text_format.Parse(text, schema_pb2.Schema())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        reason = str(error).rstrip(".")
        raise RetrainerError(
            f"'{uri}' is not a schema in protobuf text format: {reason}. "
            "Fix it, or restore it from a copy."
        ) from error
    except IsADirectoryError as error:
        raise RetrainerError(f"'{uri}' is a folder. Name the schema's file in it.") from error
    counts = Counter(feature.name for feature in schema.feature)
    if not counts:
        # Every column would be new to it, and nothing wrong with any.
        raise RetrainerError(
            f"'{uri}' is a schema without a column, which no data could fail. Restore it from a copy, or delete it to "
            "have one inferred."
        )
    name, count = counts.most_common(1)[0]
    if count > 1:
        raise RetrainerError(f"'{uri}' has the column '{name}' {count} times. Leave one of them.")
    return schema, text
