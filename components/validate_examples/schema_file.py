"""Changing the schema's file, which is curated or was frozen in the store, by a command."""

import re
from itertools import count, takewhile

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from ..lib.uris import create_exclusive, filesystem, join, read_text, write_atomic
from .schema_claim import claimed


class SchemaMovedError(Exception):
    """Somebody else changed the schema's file since it was read."""


def rewrite(uri: str, history_uri: str, before: str, schema: schema_pb2.Schema) -> str:
    """Put a schema in the place of the one that was read, which is kept.

    Of several callers who read the same text one writes, and the others are told. The comment at the head of
    the file stays; others are in the kept file only.

    Args:
        uri: The schema's file.
        history_uri: Folder for what stood there before, `<n>.pbtxt`.
        before: The file's text as it was read.
        schema: What to write.

    Returns:
        Where the former text is kept.

    Raises:
        SchemaMovedError: If the file has another text by now.
        RetrainerError: If another command holds the claim on it, and does not end.
    """
    head = "".join(takewhile(lambda line: line.startswith("#"), before.splitlines(keepends=True)))
    with claimed(uri, history_uri):
        if read_text(uri) != before:
            raise SchemaMovedError(uri)
        kept = next(
            place
            for number in count(_newest(history_uri) + 1)
            if create_exclusive(place := join(history_uri, f"{number:06d}.pbtxt"), before)
        )
        write_atomic(uri, head + text_format.MessageToString(schema, as_utf8=True))
    return kept


def _newest(history_uri: str) -> int:
    fs, path = filesystem(history_uri)
    names = [name.rpartition("/")[2] for name in fs.ls(path, detail=False)]
    return max(
        (int(match[1]) for n in names if (match := re.fullmatch(r"(\d+)\.pbtxt", n))), default=0
    )
