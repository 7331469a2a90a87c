"""What a message says, read from its attributes and its body, and validated.

Cloud Storage's notifications and requests for a run are read here, alerts in alerts.py.
"""

import json
import re
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from ..types import MESSAGE_ID_ATTRIBUTE, PUBLISHED_ATTRIBUTE, InvalidMessageError, Message

MAX_BODY = 256 * 1024
"""The most that a body may have, in bytes."""
MAX_TEXT = 1024
"""The most that a text in a message may have, in characters."""
_FINALIZE = "OBJECT_FINALIZE"
_FIRST_YEAR = 2000
_AHEAD = timedelta(hours=1)
_REQUEST_KEYS = frozenset({"pipeline", "id", "parameters", "reason"})
# Control characters, and halves of surrogate pairs, which JSON can spell and nothing can encode.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SPAN_PART = re.compile(r"(?!\.{1,2}$)[^/\\{}]+")
_SPAN_DATE = re.compile(r"\d+(?:[/_.-]\d+)+")


@dataclass(frozen=True)
class WrittenObject:
    """An object that Cloud Storage has written.

    Attributes:
        uri: `gs://<bucket>/<object>`.
        generation: Its generation; empty if the message does not say.
        at: When it was written, by Google's clock.
    """

    uri: str
    generation: str
    at: datetime


@dataclass(frozen=True)
class RunAsked:
    """A run that somebody asks for.

    Attributes:
        pipeline: Name of the pipeline; empty if the request does not say.
        key: What makes two requests one.
        parameters: The pipeline's parameters.
    """

    pipeline: str
    key: str
    parameters: Mapping[str, str]


def check_text(value: Any, what: str) -> str:
    """Check a text of a message.

    Args:
        value: What the message has.
        what: What to call it in the error.

    Returns:
        The text.

    Raises:
        InvalidMessageError: If it is no text, empty, too long, or has characters that are none.
    """
    if not isinstance(value, str) or not value:
        raise InvalidMessageError(f"{what} is {show_value(value)} and must be a text.")
    if len(value) > MAX_TEXT:
        raise InvalidMessageError(
            f"{what} has {len(value):,} characters and may have {MAX_TEXT:,}."
        )
    if _UNSAFE.search(value):
        raise InvalidMessageError(f"{what} is {value!a} and has control characters in it.")
    return value


def check_span(value: Any) -> str:
    """Check a span that a message names.

    Raises:
        InvalidMessageError: If it is neither one part of a path nor a date.
    """
    span = check_text(value, "the span")
    if not _SPAN_PART.fullmatch(span) and not _SPAN_DATE.fullmatch(span):
        raise InvalidMessageError(
            f"the span is {span!r} and must be one part of a path, or a date such as 2026/01/31."
        )
    return span


def show_value(value: Any) -> str:
    """Show a value of a message in an error, shortened for a line of a log."""
    shown = "missing" if value is None else ascii(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def read_body(message: Message) -> dict[str, Any]:
    """Read a message's body as a JSON object.

    Raises:
        InvalidMessageError: If it is none, or too large.
    """
    if len(message.data) > MAX_BODY:
        raise InvalidMessageError(
            f"the body has {len(message.data):,} bytes and may have {MAX_BODY:,}."
        )
    try:
        # Decoded here, because json.loads would take UTF-16, too.
        body = json.loads(message.data.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise InvalidMessageError(
            f"the body is not UTF-8: {error.reason} at byte {error.start}."
        ) from error
    except RecursionError as error:
        raise InvalidMessageError("the body is JSON that is nested too deeply.") from error
    except ValueError as error:
        raise InvalidMessageError(f"the body is not JSON: {error}.") from error
    if not isinstance(body, dict):
        raise InvalidMessageError(f"the body is {show_value(body)} and must be a JSON object.")
    return body


def is_storage(message: Message) -> bool:
    """Return whether a message is a notification of Cloud Storage, of whatever event."""
    attributes = message.attributes
    return (
        "bucketId" in attributes
        or "objectId" in attributes
        or attributes.get("eventType", "").startswith("OBJECT_")
    )


def restore(message: Message) -> Message:
    """Restore the first id and time of a message that is replayed from the dead letters.

    Whatever is derived from them (the slot of a schedule, the key of a request without an id) is then what it was, and
    a run that was started meanwhile is found.

    Args:
        message: The message as it arrived.

    Returns:
        The message without the attributes that say so; a time that is none, or later than the message itself, is not
        taken over.
    """
    queued = message.queued or message.published
    names = (MESSAGE_ID_ATTRIBUTE, PUBLISHED_ATTRIBUTE)
    first_id, first_time = (message.attributes.get(name, "") for name in names)
    if not first_id and not first_time:
        return replace(message, queued=queued)
    published = parse_time(first_time) or message.published
    # Of their own kind: where they came as headers, their names are compared without regard to case.
    attributes: Any = copy(message.attributes)
    for name in names:
        attributes.pop(name, None)
    return replace(
        message,
        message_id=first_id or message.message_id,
        attributes=attributes,
        published=min(published, message.published),
        queued=queued,
    )


def parse_time(text: str) -> datetime | None:
    """Read a time as RFC 3339 says; None if it is none, or has no offset."""
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else None
    except (ValueError, OverflowError):
        return None


def find_written(message: Message) -> str | None:
    """Find which object a notification of Cloud Storage says was written. Its attributes say it, whatever the payload.

    The name is not checked: it may be anybody's, of whatever characters Cloud Storage allows.

    Returns:
        `gs://<bucket>/<object>`; None for another event, and for the empty object that stands for a folder.

    Raises:
        InvalidMessageError: If an attribute is missing.
    """
    attributes = message.attributes
    if not attributes.get("eventType"):
        raise InvalidMessageError("the attribute 'eventType' is missing and must be a text.")
    if attributes["eventType"] != _FINALIZE:
        return None
    for key in ("bucketId", "objectId"):
        if not attributes.get(key):
            raise InvalidMessageError(f"the attribute '{key}' is missing and must be a text.")
    name = attributes["objectId"]
    return None if name.endswith("/") else f"gs://{attributes['bucketId']}/{name}"


def read_written(message: Message) -> WrittenObject:
    """Read a notification that an object was written, for a trigger that listens to it.

    Raises:
        InvalidMessageError: If an attribute is wrong.
    """
    attributes = message.attributes
    bucket = check_text(attributes.get("bucketId"), "the attribute 'bucketId'")
    name = check_text(attributes.get("objectId"), "the attribute 'objectId'")
    generation = attributes.get("objectGeneration", "")
    if generation and not re.fullmatch(r"[0-9]{1,20}", generation):
        raise InvalidMessageError(
            f"the attribute 'objectGeneration' is {show_value(generation)} and must be a number."
        )
    return WrittenObject(f"gs://{bucket}/{name}", generation, _read_event_time(message))


def read_request(message: Message, body: Mapping[str, Any]) -> RunAsked:
    """Read a request for a run.

    Args:
        message: The message, whose id stands in for a request's that has none.
        body: Its body: `{"pipeline", "id", "parameters", "reason"}`, none of which must be there.

    Raises:
        InvalidMessageError: If a key is unknown or a value is wrong.
    """
    for key in body:
        if key not in _REQUEST_KEYS:
            raise InvalidMessageError(
                f"the request has the key {show_value(key)}, and may have only: {', '.join(sorted(_REQUEST_KEYS))}."
            )
    parameters = body.get("parameters", {})
    if not isinstance(parameters, dict):
        raise InvalidMessageError(
            f"the request's 'parameters' is {show_value(parameters)} and must be a JSON object."
        )
    for text in ("pipeline", "reason"):
        if text in body:
            check_text(body[text], f"the request's '{text}'")
    return RunAsked(
        body.get("pipeline", ""),
        check_text(body.get("id", message.message_id), "the request's 'id'"),
        {
            # A flag may come as JSON's own true, and parameters are text.
            check_text(key, "a parameter's name"): str(value).lower()
            if isinstance(value, bool)
            else check_text(value, f"the parameter {key!a}")
            for key, value in parameters.items()
        },
    )


def _read_event_time(message: Message) -> datetime:
    text = message.attributes.get("eventTime")
    if not text:
        return message.published
    at = parse_time(text)
    if at is None:
        raise InvalidMessageError(
            f"the attribute 'eventTime' is {show_value(text)} and must be a time such as 2026-01-31T12:00:00Z."
        )
    if at.year < _FIRST_YEAR or at - message.published > _AHEAD:
        raise InvalidMessageError(
            f"the attribute 'eventTime' is {text}, and the message was published at {message.published.isoformat()}."
        )
    return at


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
