"""Messages as the services publish them."""

import itertools
import json
from datetime import UTC, datetime
from typing import Any

from retrainer.pipelines.data_config import DataConfig
from retrainer.pipelines.triggers.interface import Message

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
    """Cloud Storage's notification of an object."""
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
    """Cloud Monitoring's notification."""
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
    """Alertmanager's notification: status, name and fingerprint of each alert."""
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
