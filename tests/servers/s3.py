"""An S3 server for the real clients to talk to: Versity's gateway, in Go, over a folder.

It is another maker's than AWS. What matters here of S3: `If-None-Match: *` refuses to write over an object
(docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html), and a listing sees what was written
before (docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel).
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec.config
from servers.go_programs import build

SOURCE = Path(__file__).parent / "s3"
PROGRAM = "github.com/versity/versitygw/cmd/versitygw"
BUCKET = "acme"
KEY, SECRET = "reader", "reader-and-writer"
START_SECONDS = 60


class S3Server:
    """The server on loopback, within a `with`; what opens `s3://acme` in this process finds it there.

    Attributes:
        bucket: The folder of the bucket `acme`.
        environment: What leads another process there.
    """

    def __init__(self, folder: Path) -> None:
        """Take an empty folder, for the bucket and what the server notes of its objects."""
        self.bucket = folder / "buckets" / BUCKET
        self._notes = folder / "notes"
        self._log = folder / "log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._address = f"127.0.0.1:{free.getsockname()[1]}"
        self.environment = {
            "FSSPEC_S3_ENDPOINT_URL": f"http://{self._address}",
            "FSSPEC_S3_KEY": KEY,
            "FSSPEC_S3_SECRET": SECRET,
        }

    def __enter__(self) -> "S3Server":
        program = str(build(SOURCE, PROGRAM))
        self.bucket.mkdir(parents=True)
        self._notes.mkdir()
        # Not every file system has the extended attributes that it would else note things in.
        command = [program, "--port", self._address, "posix", "--sidecar", str(self._notes)]
        # It logs every request: a pipe that nobody reads would fill up.
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [*command, str(self.bucket.parent)],
                env={**os.environ, "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET},
                stdout=log,
                stderr=log,
            )
        self._wait()
        self._before: Any = fsspec.config.conf.get("s3")
        fsspec.config.conf["s3"] = {
            "endpoint_url": self.environment["FSSPEC_S3_ENDPOINT_URL"],
            "key": KEY,
            "secret": SECRET,
        }
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._before is None:
            del fsspec.config.conf["s3"]
        else:
            fsspec.config.conf["s3"] = self._before

    @staticmethod
    @contextmanager
    def as_somebody_else() -> Iterator[None]:
        """Have this process come with a secret that the server does not know."""
        known = fsspec.config.conf["s3"]
        fsspec.config.conf["s3"] = {**known, "secret": "made-up"}
        try:
            yield
        finally:
            fsspec.config.conf["s3"] = known

    def _wait(self) -> None:
        host, port = self._address.split(":")
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection((host, int(port)), 1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > end:
                    self._process.kill()
                    said = self._log.read_text(errors="replace")
                    raise RuntimeError(f"the S3 server did not start: {said}") from None
                time.sleep(0.05)
