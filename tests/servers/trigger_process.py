"""`retrainer trigger` as a process of its own, and the messages that it is sent."""

import base64
import json
from pathlib import Path

import requests
from servers.small_project import MODEL

from .service_process import ServiceProcess

BUCKET = "acme-ml-data"
CONFIG = """\
name: orders
image: europe-west1-docker.pkg.dev/acme-ml/images/retrainer@sha256:{digest}
store: gs://acme-ml-store/orders
data:
  pattern: gs://{bucket}/day={{span}}/*.parquet
  label: returned
evaluation:
  metrics_specs:
    - metrics: [{{class_name: AUC}}]
targets:
  vertex:
    project: acme-ml
    region: europe-west1
    pipeline_root: gs://acme-ml-store/pipeline_root
    endpoint: {endpoint}
triggers:
  new-data:
    kind: storage
    marker: _SUCCESS
    parameters: {{span: "{{span}}"}}
  asked:
    kind: request
    attributes: {{origin: people}}
    allow: [span]
"""
_PUBLISHED = "2026-11-21T10:00:00Z"


def write_project(folder: Path, endpoint: str) -> Path:
    """Write a retrain.yaml with triggers, and the model beside it."""
    file = folder / "retrain.yaml"
    file.write_text(CONFIG.format(digest="0" * 64, bucket=BUCKET, endpoint=endpoint))
    (folder / "model.py").write_text(MODEL)
    return file


def storage_message(name: str, generation: int = 1) -> tuple[bytes, dict[str, str]]:
    """Return the data and the attributes of a message that Cloud Storage wrote an object."""
    attributes = {
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
        "bucketId": BUCKET,
        "objectId": name,
        "objectGeneration": str(generation),
        "eventTime": _PUBLISHED,
    }
    data = {"kind": "storage#object", "name": name, "bucket": BUCKET, "timeCreated": _PUBLISHED}
    return json.dumps(data).encode(), attributes


def envelope(message_id: str, data: bytes, attributes: dict[str, str]) -> str:
    """Wrap a message as Pub/Sub pushes it (cloud.google.com/pubsub/docs/push#receive_push)."""
    message = {
        "data": base64.b64encode(data).decode(),
        "attributes": attributes,
        "messageId": message_id,
        "message_id": message_id,
        "publishTime": _PUBLISHED,
        "publish_time": _PUBLISHED,
    }
    return json.dumps(
        {"message": message, "subscription": "projects/acme-ml/subscriptions/trigger"}
    )


class TriggerProcess(ServiceProcess):
    """A `retrainer trigger`."""

    def __init__(
        self,
        command: str,
        file: Path,
        *arguments: str,
        to: str = "vertex",
        fork: bool = True,
        **environment: str,
    ) -> None:
        own = ["--to", to, "--listen", "127.0.0.1", "--port", "0"]
        words = ["trigger", command, str(file), *own, *arguments]
        super().__init__(words, fork, **environment)

    def push(self, body: str, token: str = "") -> int:
        """Push a message and return the status, 0 if there was no answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            return requests.post(
                f"{self.url}/push", data=body.encode(), headers=headers, timeout=60
            ).status_code
        except requests.ConnectionError:
            return 0
