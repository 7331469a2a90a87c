"""Messages as the services publish them."""

import itertools
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from retrainer.pipelines.project.sections.data import DataConfig
from retrainer.pipelines.triggers.types import Message

DATA = DataConfig(pattern="gs://acme/day={span}/*.csv", label="returned")
NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
_ids = itertools.count(1)


def message(
    data: Any = b"", published: datetime = NOON, message_id: str = "", **attributes: str
) -> Message:
    """Make a message; its body from JSON-able data, `trigger` for the attribute that names one."""
    if "trigger" in attributes:
        attributes["retrainer-trigger"] = attributes.pop("trigger")
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Message(message_id or f"m{next(_ids)}", body, attributes, published)


def written(
    name: str, at: datetime = NOON, bucket: str = "acme", generation: int = 1, **changes: str
) -> Message:
    """Cloud Storage's notification of an object (cloud.google.com/storage/docs/pubsub-notifications#format)."""
    attributes = {
        "eventType": "OBJECT_FINALIZE",
        "bucketId": bucket,
        "objectId": name,
        "objectGeneration": str(generation),
        "eventTime": at.isoformat().replace("+00:00", "Z"),
        "payloadFormat": "JSON_API_V1",
        "notificationConfig": f"projects/_/buckets/{bucket}/notificationConfigs/1",
        **changes,
    }
    body = {"kind": "storage#object", "name": name, "bucket": bucket, "size": "0"}
    return message(body, at, **{key: value for key, value in attributes.items() if value})


def incident(number: str = "0.abc", state: str = "open", policy: str = "drift") -> dict[str, Any]:
    """Cloud Monitoring's notification (cloud.google.com/monitoring/support/notification-options, "Schema example")."""
    return {
        "version": "1.2",
        "incident": {
            "incident_id": number,
            "scoping_project_id": "acme-ml",
            "state": state,
            "policy_name": policy,
            "condition_name": "above 0.2",
            "started_at": 1767225600,
            "ended_at": None,
            "summary": "drift is above the threshold",
            "url": "https://console.cloud.google.com/monitoring/alerting/incidents/0.abc",
        },
    }


def alertmanager(*alerts: tuple[str, str, str]) -> dict[str, Any]:
    """Alertmanager's notification: status, name and fingerprint of each alert.

    prometheus.io/docs/alerting/latest/configuration, "webhook_config".
    """
    return {
        "version": "4",
        "status": "firing",
        "groupKey": '{}:{alertname="Drift"}',
        "receiver": "pubsub",
        "alerts": [
            {
                "status": status,
                "labels": {"alertname": name, "severity": "page"},
                "annotations": {},
                "startsAt": "2026-03-01T11:58:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": fingerprint,
            }
            for status, name, fingerprint in alerts
        ],
    }


def eventarc(
    name: str,
    at: datetime = NOON,
    bucket: str = "acme",
    generation: int = 1,
    event: str = "finalized",
) -> tuple[dict[str, str], bytes]:
    """Eventarc's request for an event of Cloud Storage, in binary mode: headers and body.

    As in googleapis/google-cloudevents, testdata/google/events/cloud/storage/v1, and as Eventarc's documentation has
    it: cloud.google.com/eventarc/docs/cloudevents.
    """
    time = at.isoformat().replace("+00:00", "Z")
    body = {
        "kind": "storage#object",
        "id": f"{bucket}/{name}/{generation}",
        "name": name,
        "bucket": bucket,
        "generation": str(generation),
        "metageneration": "1",
        "contentType": "application/octet-stream",
        "timeCreated": time,
        "updated": time,
        "size": "0",
    }
    headers = {
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": f"{next(_ids)}",
        "ce-type": f"google.cloud.storage.object.v1.{event}",
        "ce-source": f"//storage.googleapis.com/projects/_/buckets/{bucket}",
        "ce-subject": f"objects/{quote(name)}",
        "ce-bucket": bucket,
        "ce-time": time,
    }
    return headers, json.dumps(body).encode()


def structured(headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
    """The same CloudEvent in structured mode."""
    event = {name[3:]: text for name, text in headers.items() if name.startswith("ce-")}
    event |= {"datacontenttype": "application/json", "data": json.loads(body)}
    kind = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
    return kind, json.dumps(event).encode()


def unwrapped(message: Message, metadata: bool = True) -> tuple[dict[str, str], bytes]:
    """Pub/Sub's push of a message without its envelope (cloud.google.com/pubsub/docs/payload-unwrapping).

    Names of headers are sent in lower case, as HTTP/2 does.
    """
    headers = {
        "user-agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)"
    }
    if metadata:
        headers |= {name.lower(): text for name, text in message.attributes.items()}
        headers |= {
            "x-goog-pubsub-message-id": message.message_id,
            "x-goog-pubsub-publish-time": message.published.isoformat().replace("+00:00", "Z"),
            "x-goog-pubsub-subscription-name": "projects/acme-ml/subscriptions/trigger",
        }
    return headers, message.data


def scheduled(
    slot: datetime = NOON, body: bytes = b"", **headers: str
) -> tuple[dict[str, str], bytes]:
    """Cloud Scheduler's request to an HTTP target, with headers of the job's own.

    The headers that it sets: cloud.google.com/scheduler/docs/reference/rpc/google.cloud.scheduler.v1#httptarget.
    """
    own = {
        "User-Agent": "Google-Cloud-Scheduler",
        "X-CloudScheduler": "true",
        "X-CloudScheduler-JobName": "retrain-weekly",
        "X-CloudScheduler-ScheduleTime": slot.isoformat(),
        "Content-Type": "application/octet-stream",
    }
    return {**own, **{name.replace("_", "-"): text for name, text in headers.items()}}, body
