"""The schema's file: reading it, and changing it by a command."""

import json
import os
import re
import socket
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count, takewhile

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from .errors import RetrainerError
from .moments import now_text
from .uris import create_exclusive, join, list_names, read_text, remove, write_atomic

# Whoever holds the lock compares and writes two small files, which takes less, even on a bucket.
WAIT_SECONDS = 10.0
LOCK = "lock.json"


class SchemaMovedError(Exception):
    """Somebody else changed the schema's file since it was read."""


def load_schema(uri: str) -> tuple[schema_pb2.Schema, str]:
    """Read a schema.

    Args:
        uri: A `schema.pbtxt`.

    Returns:
        The schema, and its text.

    Raises:
        FileNotFoundError: If there is none.
        RetrainerError: If it is not a schema, has no column, or has one twice.
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
        # Every column would be new to it, and no data could fail.
        raise RetrainerError(
            f"'{uri}' is a schema without columns, which any data fits. Restore it from a copy, or delete it: then a "
            "schema is inferred."
        )
    name, times = counts.most_common(1)[0]
    if times > 1:
        raise RetrainerError(f"'{uri}' has the column '{name}' {times} times. Leave one of them.")
    return schema, text


def schema_versions(uri: str, history_uri: str) -> Iterator[tuple[int, str]]:
    """Read the texts that a schema had, newest first, each with its number from 1.

    Args:
        uri: The schema's file.
        history_uri: Folder of the former texts.
    """
    newest = _newest(history_uri)
    for number in range(newest + 1, 0, -1):
        with suppress(FileNotFoundError):
            place = uri if number > newest else join(history_uri, f"{number:06d}.pbtxt")
            yield number, read_text(place)


def rewrite(uri: str, history_uri: str, before: str, schema: schema_pb2.Schema) -> str:
    """Replace the schema that was read by another one, and keep the former text.

    Of several callers who read the same text one writes, and the others get an error. The comment at the head of the
    file stays; other comments are in the kept file only.

    Args:
        uri: The schema's file.
        history_uri: Folder for the former texts, `<n>.pbtxt`.
        before: The file's text as it was read.
        schema: What to write.

    Returns:
        Where the former text is kept.

    Raises:
        SchemaMovedError: If the file has another text by now.
        RetrainerError: If another command holds the lock.
    """
    head = "".join(takewhile(lambda line: line.startswith("#"), before.splitlines(keepends=True)))
    with _locked(uri, join(history_uri, LOCK)):
        if read_text(uri) != before:
            raise SchemaMovedError(uri)
        kept = next(
            file
            for number in count(_newest(history_uri) + 1)
            if create_exclusive(file := join(history_uri, f"{number:06d}.pbtxt"), before)
        )
        write_atomic(uri, head + text_format.MessageToString(schema, as_utf8=True))
    return kept


@contextmanager
def _locked(uri: str, lock: str) -> Iterator[None]:
    own = {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "since": now_text(),
        "id": uuid.uuid4().hex,
    }
    content = json.dumps(own) + "\n"
    deadline = time.monotonic() + WAIT_SECONDS
    # If the reply to a create was lost and the client sent it again, the lock that is found is our own.
    while not create_exclusive(lock, content) and _read(lock) != content:
        if time.monotonic() > deadline:
            raise RetrainerError(
                f"'{uri}' is locked by {_owner(_read(lock))}. Try again when that command has ended; if it died, "
                f"delete '{lock}'."
            )
        time.sleep(0.1)
    try:
        yield
    finally:
        # Somebody may have deleted it and locked the schema again.
        if _read(lock) == content:
            remove(lock)


def _owner(content: str) -> str:
    with suppress(ValueError, KeyError, TypeError):
        owner = json.loads(content)
        return f"process {owner['process']} on {owner['host']} since {owner['since']}"
    return "another command"


def _read(uri: str) -> str:
    try:
        return read_text(uri)
    except FileNotFoundError:
        return ""


def _newest(history_uri: str) -> int:
    matches = (re.fullmatch(r"(\d+)\.pbtxt", name) for name in list_names(history_uri))
    return max((int(match[1]) for match in matches if match), default=0)
