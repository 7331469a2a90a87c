"""CloudEvents over HTTP, as Eventarc and Knative deliver them.

Binary mode has the attributes in headers and the data as the body, structured mode has both in one JSON object
(github.com/cloudevents/spec, cloudevents/bindings/http-protocol-binding.md and cloudevents/formats/json-format.md,
version 1.0). Eventarc delivers in binary mode (cloud.google.com/eventarc/standard/docs/event-format).
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from ...project.formats.names import TRIGGER_KEY
from ..types import Message
from .contents import parse_time
from .pubsub_envelope import EnvelopeError, parse_push

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
TYPE_ATTRIBUTE = "ce-type"
"""Attribute that a message has if it came as a CloudEvent: the event's type."""
# github.com/googleapis/google-cloudevents, proto/google/events/cloud/storage/v1/events.proto and data.proto, and what
# Cloud Storage itself calls these events in its own notifications.
_STORAGE = {
    "google.cloud.storage.object.v1.finalized": "OBJECT_FINALIZE",
    "google.cloud.storage.object.v1.deleted": "OBJECT_DELETE",
    "google.cloud.storage.object.v1.archived": "OBJECT_ARCHIVE",
    "google.cloud.storage.object.v1.metadataUpdated": "OBJECT_METADATA_UPDATE",
}
# The same repository, proto/google/events/cloud/pubsub/v1: the data is what Pub/Sub itself pushes.
_PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"
_REQUIRED = ("id", "source", "type", "specversion")
# The extension that stands for the attribute `retrainer-trigger`: names of attributes have no dashes there.
_TRIGGER_EXTENSION = "retrainertrigger"
_KIND = "cloudevent"


def is_cloud_event(headers: Mapping[str, str]) -> bool:
    """Return whether a request is a CloudEvent, in whichever mode."""
    kind = _content_type(headers)
    return (
        "ce-type" in headers or "ce-specversion" in headers or kind.startswith((STRUCTURED, BATCH))
    )


def read_cloud_event(headers: Mapping[str, str], body: bytes) -> Message:
    """Read a CloudEvent.

    Args:
        headers: The request's headers, whose names are compared without regard to case.
        body: Its body.

    Returns:
        The message: for an event of Pub/Sub the one that was published; for one of Cloud Storage what its own
        notification would be; else the event's data, with its attributes as `ce-<name>`.

    Raises:
        EnvelopeError: If it is malformed, or of a form that is not supported.
    """
    kind = _content_type(headers)
    if kind.startswith(BATCH):
        raise EnvelopeError("a batch of CloudEvents is not supported; send each by itself", _KIND)
    if kind.startswith(STRUCTURED):
        event, data = _read_structured(body)
    else:
        event, data = _read_binary(headers, kind), body
    for name in _REQUIRED:
        if not event.get(name):
            raise EnvelopeError(f"the CloudEvent has no '{name}'", _KIND)
    if not event["specversion"].startswith("1."):
        raise EnvelopeError(
            f"the CloudEvent is of version {event['specversion']!a}, and 1.0 is supported", _KIND
        )
    time = event.get("time", "")
    published = parse_time(time) if time else datetime.now(UTC)
    if published is None:
        raise EnvelopeError(f"the CloudEvent's 'time' is {time!a}, which is not a time", _KIND)
    if event["type"] == _PUBLISHED:
        return parse_push(data)
    if event["type"] in _STORAGE:
        return _to_notification(event, data, published)
    attributes = {f"ce-{name}": text for name, text in event.items()}
    if _TRIGGER_EXTENSION in event:
        attributes[TRIGGER_KEY] = event[_TRIGGER_EXTENSION]
    # An id is unique within its source.
    return Message(f"{event['source']}#{event['id']}", data, attributes, published)


def _content_type(headers: Mapping[str, str]) -> str:
    # Compared without regard to case: RFC 9110, section 8.3.1.
    return headers.get("Content-Type", "").lower()


def _read_binary(headers: Mapping[str, str], kind: str) -> dict[str, str]:
    if kind.startswith("application/protobuf"):
        raise EnvelopeError(
            "the CloudEvent's data is in protobuf; create the Eventarc trigger with "
            "--event-data-content-type=application/json",
            _KIND,
        )
    # What a header can't hold is percent-encoded (section 3.1.3.2 of the binding).
    return {
        name.lower().removeprefix("ce-"): unquote(text)
        for name, text in headers.items()
        if name.lower().startswith("ce-")
    }


def _read_structured(body: bytes) -> tuple[dict[str, str], bytes]:
    try:
        content = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise EnvelopeError("the CloudEvent is not JSON", _KIND) from error
    if not isinstance(content, dict):
        raise EnvelopeError("the CloudEvent is not a JSON object", _KIND)
    data = _read_data(content.pop("data", None), content.pop("data_base64", None))
    return {name: text for name, text in content.items() if isinstance(text, str)}, data


def _read_data(data: Any, encoded: Any) -> bytes:
    if encoded is None:
        return b"" if data is None else json.dumps(data).encode()
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise EnvelopeError("the CloudEvent's 'data_base64' is not base64", _KIND) from error


def _to_notification(event: Mapping[str, str], data: bytes, published: datetime) -> Message:
    try:
        written = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise EnvelopeError(f"the data of {event['type']} is not JSON", _KIND) from error
    if not isinstance(written, dict):
        raise EnvelopeError(f"the data of {event['type']} is not a JSON object", _KIND)
    attributes = {
        "eventType": _STORAGE[event["type"]],
        "bucketId": written.get("bucket"),
        "objectId": written.get("name"),
        # 64 bits do not fit into JSON's numbers, and are text there; some senders write numbers all the same.
        "objectGeneration": str(written.get("generation", "")),
        "eventTime": published.isoformat(),
    }
    for name in ("bucket", "name"):
        if not isinstance(written.get(name), str):
            raise EnvelopeError(f"the data of {event['type']} has no '{name}'", _KIND)
    return Message(event["id"], data, {k: v for k, v in attributes.items() if v}, published)
