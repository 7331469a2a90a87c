"""SageMaker and S3 on loopback: moto's server, with the rules that moto leaves out (`sagemaker_moto.py`)."""

import json
import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from servers import own_environment

PROGRAM = Path(__file__).with_name("sagemaker_moto.py")
REGION = "eu-central-1"
ACCOUNT = "123456789012"
BUCKET = "acme-models"
START_SECONDS = 60
_CLEAN: dict[str, Any] = {"faults": [], "calls": [], "splits": [], "failures": []}


class SageMakerServer:
    """The server, within a `with`; `environment` leads boto3 there."""

    def __init__(self, folder: Path) -> None:
        """Take a folder for its log."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        self._log = folder / "moto.log"
        self.environment = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": str(folder / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        }

    def __enter__(self) -> "SageMakerServer":
        python = own_environment.python("moto")
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [str(python), str(PROGRAM), self.url.rpartition(":")[2]],
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
            )
        self._wait()
        self.reset()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def reset(self) -> None:
        """Forget everything but the bucket, which is empty then."""
        self._request("/moto-api/reset", "POST", {})
        self.set(**_CLEAN, settles_after=1)
        self._request(f"/{BUCKET}", "PUT", None)
        self.set(calls=[])

    def set(self, **state: Any) -> None:
        """Set the state that tests hold: `faults`, `failures`, `settles_after`, `calls`, `splits`."""
        self._request("/_tests", "POST", state)

    def fail(
        self, operation: str, code: str, message: str, status: int = 400, times: int = 1
    ) -> None:
        """Have the next calls of an operation fail before it did anything."""
        fault = {"operation": operation, "kind": "error", "times": times}
        self.set(faults=[{**fault, "status": status, "code": code, "message": message}])

    def lose_reply(self, operation: str, times: int = 1) -> None:
        """Have an operation do its work, and its answer get lost."""
        self.set(faults=[{"operation": operation, "kind": "lost", "times": times}])

    def change_fails(self, reason: str) -> None:
        """Have the next change of an endpoint be accepted, and fail later."""
        self.set(failures=[reason])

    @property
    def calls(self) -> list[str]:
        """Operations that were called, in order."""
        return list(self._request("/_tests", "GET", None)["calls"])

    @property
    def splits(self) -> list[dict[str, Any]]:
        """Every split of requests that the endpoint ever had: percent by variant, and its shadow variants."""
        return list(self._request("/_tests", "GET", None)["splits"])

    def _request(self, path: str, method: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        # A bucket is made as boto3 would: the server knows the service by the signature.
        request.add_header(
            "Authorization", "AWS4-HMAC-SHA256 Credential=key/20200101/us-east-1/s3/aws4_request"
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
        return json.loads(content) if path == "/_tests" else None

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                self._request("/_tests", "GET", None)
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > end:
                    self._process.kill()
                    said = self._log.read_text(errors="replace")
                    raise RuntimeError(f"moto did not start: {said}") from None
                time.sleep(0.05)
