"""Lines of JSON, an object each: what the readers of such logs share."""

import json
from collections.abc import Iterator
from typing import Any

from ..logged import CUT_OFF, NO_JSON, Unreadable
from ..opened_log import OpenedLog

ENDINGS = (".jsonl", ".ndjson", ".json", ".log")
NO_OBJECT = "its line is no JSON object"
_TEXT_KEPT = 300
# What `json.loads` uses, without its look at each text's encoding.
DECODER = json.JSONDecoder()


def read_objects(log: OpenedLog) -> Iterator[tuple[int, bytes, dict[str, Any] | Unreadable]]:
    """Read the objects of a file.

    Args:
        log: The file.

    Yields:
        Number and bytes of each line, and its object or what is wrong with it.
    """
    for number, line in log.lines():
        try:
            found = DECODER.decode(line.decode())
        except (ValueError, RecursionError) as error:
            text = line[:_TEXT_KEPT].decode(errors="replace")
            # A line that begins as an object and does not end as one was cut, as by a full disk.
            reason = CUT_OFF if line[:1] == b"{" and line[-1:] != b"}" else NO_JSON
            yield number, line, Unreadable(reason, number, None, text, str(error))
            continue
        if not isinstance(found, dict):
            text = line[:_TEXT_KEPT].decode(errors="replace")
            found = Unreadable(NO_OBJECT, number, None, text)
        yield number, line, found
