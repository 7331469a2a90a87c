"""CloudEvents as they come over HTTP, and as lines of a log.

Binary mode has the attributes in headers and the data as the body; structured and batched mode have all in JSON
(github.com/cloudevents/spec, cloudevents/bindings/http-protocol-binding.md and cloudevents/formats/json-format.md,
version 1.0). A line is the event in structured mode, as the second says.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn
from urllib.parse import unquote

_STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"
_PREFIX = "ce-"
_REQUIRED = ("id", "source", "type", "specversion")
RECEIVED = "receivedtime"
"""Extension of a line: when the event came, by the sink's clock. Others may differ, and `time` may be missing."""
_OWN_SIZE = 600


class EventError(ValueError):
    """A request that is no CloudEvent; the text says why."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as a line of the log.

    Attributes:
        attributes: Its attributes and extensions; in structured mode with its data.
        received: When it came: RFC 3339, UTC.
        body: The data in binary mode; None in structured mode.
    """

    attributes: Mapping[str, Any]
    received: str
    body: bytes | None
    length: int

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, about."""
        return _OWN_SIZE + self.length

    def line(self) -> bytes:
        """Return the event in structured mode."""
        fields: dict[str, Any] = {**self.attributes, RECEIVED: self.received}
        if self.body is not None:
            try:
                fields["data"] = json.loads(self.body.decode(), parse_constant=_refuse)
            except (ValueError, RecursionError):
                fields["data_base64"] = base64.b64encode(self.body).decode()
        return json.dumps(fields).encode()


def read_events(headers: Mapping[str, str], body: bytes) -> list[EventRow]:
    """Read the events of a request.

    Args:
        headers: Its headers, whose names are compared without regard to case.
        body: Its body.

    Returns:
        The event; in batched mode all of them, or none.

    Raises:
        EventError: If one is malformed, or of a version that is not supported.
    """
    received = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    kind = headers.get("Content-Type", "").lower()
    if kind.startswith(_BATCH):
        events = _parse(body, list, "a batch of CloudEvents")
        return [_structured(one, received, len(body) // len(events)) for one in events]
    if kind.startswith(_STRUCTURED):
        return [_structured(_parse(body, dict, "a CloudEvent"), received, len(body))]
    # What a header can't hold is percent-encoded (section 3.1.3.2 of the binding).
    attributes = {
        name.lower().removeprefix(_PREFIX): unquote(text)
        for name, text in headers.items()
        if name.lower().startswith(_PREFIX)
    }
    if content_type := headers.get("Content-Type"):
        attributes["datacontenttype"] = content_type
    _check(attributes)
    return [EventRow(attributes, received, body, len(body))]


def _structured(event: Any, received: str, length: int) -> EventRow:
    if not isinstance(event, dict):
        raise EventError("a CloudEvent of the batch is not a JSON object")
    _check(event)
    return EventRow(event, received, None, length)


def _parse(body: bytes, kind: type, name: str) -> Any:
    try:
        content = json.loads(body.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise EventError(f"the body is not JSON, and should be {name}") from error
    if not isinstance(content, kind):
        raise EventError(f"the body is not {name}, but {content!a:.100}")
    return content


def _check(event: Mapping[str, Any]) -> None:
    for name in _REQUIRED:
        value = event.get(name)
        if not isinstance(value, str) or not value:
            raise EventError(
                f"the CloudEvent has no '{name}': send it as KServe's logger does, with the headers ce-id, ce-source, "
                "ce-type and ce-specversion, or in structured mode"
            )
    if not event["specversion"].startswith("1."):
        raise EventError(
            f"the CloudEvent is of version {event['specversion']!a}, and 1.0 is supported"
        )


def _refuse(constant: str) -> NoReturn:
    """Refuse NaN and infinity, which Python reads and JSON lacks."""
    raise ValueError(constant)
