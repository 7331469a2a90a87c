"""A request that starts a run, of whatever make: which one it is, and the message in it.

Everything comes by POST, to `/push` or `/`: Pub/Sub's pushes, wrapped or not, CloudEvents of Eventarc and Knative,
Cloud Scheduler's own requests, and plain JSON.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from ...project.formats.names import TRIGGER_KEY
from ..types import Message
from .alerts import is_alert
from .cloud_events import is_cloud_event, read_cloud_event
from .contents import parse_time, restore
from .pubsub_envelope import EnvelopeError, read_envelope, read_json

# cloud.google.com/pubsub/docs/payload-unwrapping: with metadata, a message's own become headers of this name, and its
# attributes headers of theirs.
_PUBSUB = "x-goog-pubsub-"
_MESSAGE_ID, _PUBLISH_TIME = f"{_PUBSUB}message-id", f"{_PUBSUB}publish-time"
# cloud.google.com/scheduler/docs/reference/rpc/google.cloud.scheduler.v1#httptarget
_SCHEDULER = "x-cloudscheduler"
_JOB, _SLOT = "X-CloudScheduler-JobName", "X-CloudScheduler-ScheduleTime"
# Headers of HTTP itself, of proxies, and of Google's front ends; they are no attributes of a message.
_NO_ATTRIBUTES = frozenset(
    (
        *(
            "accept",
            "accept-encoding",
            "authorization",
            "connection",
            "content-encoding",
            "content-length",
        ),
        *("content-type", "cookie", "forwarded", "host", "keep-alive", "traceparent", "tracestate"),
        *("transfer-encoding", "user-agent", "via"),
    )
)
_NO_ATTRIBUTE_STARTS = ("x-goog-", "x-forwarded-", "x-cloud-", "x-serverless-", "x-envoy-", "x-b3-")
_STORAGE_KIND = "storage#object"


class Form(StrEnum):
    """How a message came."""

    PUBSUB = "pubsub"
    UNWRAPPED = "unwrapped"
    CLOUD_EVENT = "cloudevent"
    SCHEDULER = "scheduler"
    PLAIN = "plain"


@dataclass(frozen=True)
class Received:
    """A message, and how it came."""

    form: Form
    message: Message


def read_request(headers: Mapping[str, str], body: bytes) -> Received:
    """Read a request.

    Args:
        headers: Its headers, whose names are compared without regard to case.
        body: Its body.

    Raises:
        EnvelopeError: If it is nothing of the kind.
    """
    if is_cloud_event(headers):
        form, message = Form.CLOUD_EVENT, read_cloud_event(headers, body)
    elif _MESSAGE_ID in headers:
        form, message = Form.UNWRAPPED, _read_unwrapped(headers, body)
    elif _SCHEDULER in headers or _JOB in headers:
        form, message = Form.SCHEDULER, _read_scheduler(headers, body)
    else:
        content = read_json(body)
        if "message" in content:
            form, message = Form.PUBSUB, read_envelope(content)
        else:
            form, message = Form.PLAIN, _read_plain(headers, content, body)
    return Received(form, restore(message))


def _read_unwrapped(headers: Any, body: bytes) -> Message:
    # A copy of the same kind compares names without regard to case, as HTTP does: `eventType` may come as `eventtype`.
    attributes = headers.copy()
    for name in list(attributes):
        if not _is_attribute(name.lower()):
            attributes.pop(name, None)
    published = parse_time(headers.get(_PUBLISH_TIME, ""))
    return Message(headers[_MESSAGE_ID], body, attributes, published or datetime.now(UTC))


def _is_attribute(name: str) -> bool:
    return name not in _NO_ATTRIBUTES and not name.startswith(_NO_ATTRIBUTE_STARTS)


def _read_scheduler(headers: Mapping[str, str], body: bytes) -> Message:
    trigger = headers.get(TRIGGER_KEY)
    if not trigger:
        raise EnvelopeError(
            f"Cloud Scheduler's request has no header '{TRIGGER_KEY}', which names the trigger it is for: set it "
            f"with --headers={TRIGGER_KEY}=<name>",
            "scheduler",
        )
    slot = parse_time(headers.get(_SLOT, "")) or datetime.now(UTC).replace(second=0, microsecond=0)
    # The same for each attempt of one slot, and for one that is made twice.
    message_id = f"{headers.get(_JOB, 'scheduler')}@{slot.isoformat()}"
    return Message(message_id, body, {TRIGGER_KEY: trigger}, slot)


def _read_plain(headers: Mapping[str, str], content: Mapping[str, Any], body: bytes) -> Message:
    """Read JSON as it is: of a push subscription that writes no metadata, of Alertmanager, or of a person."""
    now = datetime.now(UTC)
    trigger = headers.get(TRIGGER_KEY)
    attributes = {TRIGGER_KEY: trigger} if trigger else {}
    message_id = hashlib.sha256(body).hexdigest()[:32]
    if content.get("kind") == _STORAGE_KIND:
        return Message(message_id, body, {**attributes, **_storage_attributes(content)}, now)
    if is_alert(content) or isinstance(content.get("id"), str):
        return Message(message_id, body, attributes, now)
    raise EnvelopeError(
        "the body has no 'message', as Pub/Sub's pushes have, and no 'id', by which a request is known again when it "
        "comes twice. A push subscription that unwraps payloads must write metadata, too "
        "(--push-no-wrapper-write-metadata)"
    )


def _storage_attributes(content: Mapping[str, Any]) -> dict[str, str]:
    """Make a notification's attributes of the object that it is about.

    Without attributes it does not say which event it is. A new object's metadata is in its first generation, and a
    deleted one says when.
    """
    written = content.get("metageneration") in ("1", 1) and "timeDeleted" not in content
    named = {
        "eventType": "OBJECT_FINALIZE" if written else "OBJECT_METADATA_UPDATE",
        "bucketId": content.get("bucket"),
        "objectId": content.get("name"),
        "objectGeneration": content.get("generation"),
        "eventTime": content.get("timeCreated"),
    }
    return {key: str(value) for key, value in named.items() if value}
