"""The envelope in which Pub/Sub pushes a message."""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..types import Message


class EnvelopeError(Exception):
    """A request that holds no message; the text says why.

    Attributes:
        kind: Which form of a message it was taken for: `envelope`, `cloudevent` or `scheduler`.
    """

    def __init__(self, text: str, kind: str = "envelope") -> None:
        super().__init__(text)
        self.kind = kind


def parse_push(body: bytes) -> Message:
    """Read a push request's body.

    Raises:
        EnvelopeError: If it is none.
    """
    return read_envelope(read_json(body))


def read_json(body: bytes) -> dict[str, Any]:
    """Read a request's body as a JSON object.

    Raises:
        EnvelopeError: If it is none.
    """
    try:
        # A body is decoded strictly; json.loads would let broken surrogates through.
        content = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise EnvelopeError("the body is not JSON") from error
    if not isinstance(content, dict):
        raise EnvelopeError("the body is not a JSON object")
    return content


def read_envelope(envelope: Mapping[str, Any]) -> Message:
    """Read the envelope of a push.

    Args:
        envelope: `{"message": {"data": <base64>, "attributes", "messageId", "publishTime"}, "subscription",
            "deliveryAttempt"}`; Pub/Sub sends some keys in snake_case, too.

    Returns:
        The message.

    Raises:
        EnvelopeError: If it is not that.
    """
    content = envelope.get("message")
    if not isinstance(content, dict):
        raise EnvelopeError("the body has no 'message'")
    attempt = envelope.get("deliveryAttempt", envelope.get("delivery_attempt", 0))
    return Message(
        message_id=_text(content, "messageId", "message_id"),
        data=_data(content.get("data", "")),
        attributes=_attributes(content.get("attributes")),
        published=_time(_text(content, "publishTime", "publish_time")),
        delivery_attempt=attempt if isinstance(attempt, int) else 0,
    )


def _text(content: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = content.get(name)
        if isinstance(value, str) and value:
            return value
    raise EnvelopeError(f"the message has no '{names[0]}'")


def _data(value: Any) -> bytes:
    if not isinstance(value, str):
        raise EnvelopeError("the message's 'data' is no text")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EnvelopeError("the message's 'data' is not base64") from error


def _attributes(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise EnvelopeError("the message's 'attributes' are not texts by name")
    return value


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise EnvelopeError("the message's 'publishTime' is no time") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)
