"""`retrainer trigger` as a process of its own, and the messages that it is sent."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import requests
from servers.small_project import MODEL

from .forked import ForkedCommand

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


class TriggerProcess:
    """A `retrainer trigger` on a free port of loopback, from its making to its end, or within a `with`.

    Forked from a process that has made its imports; `fork=False` starts an interpreter, as a user does.

    Attributes:
        lines: What it has printed, both streams.
    """

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
        # Without a word on credentials gcsfs asks the network for some, for many seconds where there is none.
        variables = {**os.environ, "FSSPEC_GS_TOKEN": "anon", **environment}
        self.lines: list[str] = []
        self.port = 0
        self._listening = threading.Event()
        self.process: ForkedCommand | subprocess.Popen[str]
        if fork:
            self.process = ForkedCommand(words, variables)
        else:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "retrainer.pipelines.cli.main", *words],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=variables,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "TriggerProcess":
        return self.wait_until_listening()

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Its log."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def wait_until_listening(self) -> "TriggerProcess":
        assert self._listening.wait(60), "\n".join(self.lines)
        assert self.port, "\n".join(self.lines)
        return self

    def terminate(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end and return the exit code."""
        code = self.process.wait(60)
        self._reader.join()
        return code

    def kill(self) -> None:
        """Send SIGKILL."""
        self.process.kill()
        self.process.wait()

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=60)

    def push(self, body: str, token: str = "") -> int:
        """Push a message and return the status, 0 if there was no answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            return requests.post(
                f"{self.url}/push", data=body.encode(), headers=headers, timeout=60
            ).status_code
        except requests.ConnectionError:
            return 0

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line)
            if '"port"' in line and not self.port:
                self.port = json.loads(line)["port"]
                self._listening.set()
        self._listening.set()
