"""The reference registry of the CNCF (github.com/distribution/distribution), in Go, for the real clients to talk to."""

import hashlib
import json
import socket
import subprocess
import time
from pathlib import Path

import requests
from servers.go_programs import build

SOURCE = Path(__file__).parent / "images"
USER, PASSWORD = "ci", "secret"
# bcrypt of the password, the only kind of hash that it takes.
_HASH = "$2a$05$H/ccvfLr/xUkkSwTVkowK.eDWUDo8u/Zfc43jF5j0mpSzoi1KwQiy"
START_SECONDS = 60
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


class ReferenceRegistry:
    """The registry on loopback, within a `with`.

    Attributes:
        host: Its address, as images' names have it.
        log: What it says.
    """

    def __init__(self, folder: Path, locked: bool = False) -> None:
        """Take an empty folder.

        Args:
            folder: For its log and its users.
            locked: Whether only the user is let in.
        """
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        self.log = folder / "log"
        self._config = {
            "version": "0.1",
            "log": {"level": "warn"},
            "storage": {"inmemory": {}},
            "http": {"addr": self.host, "secret": "of-a-test"},
        }
        self._sizes: dict[str, int] = {}
        self._login = (USER, PASSWORD) if locked else None
        if locked:
            users = folder / "users"
            users.write_text(f"{USER}:{_HASH}\n")
            self._config["auth"] = {"htpasswd": {"realm": "images", "path": str(users)}}

    def __enter__(self) -> "ReferenceRegistry":
        with open(self.log, "wb") as log:
            self._process = subprocess.Popen(
                [str(build(SOURCE))], stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        assert self._process.stdin
        # YAML takes JSON.
        self._process.stdin.write(json.dumps(self._config).encode())
        self._process.stdin.close()
        host, port = self.host.split(":")
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection((host, int(port)), 1).close()
                return self
            except OSError:
                if self._process.poll() is not None or time.monotonic() > end:
                    self._process.kill()
                    said = self.log.read_text(errors="replace")
                    raise RuntimeError(f"the registry did not start: {said}") from None
                time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def push(self, repository: str, tag: str, content: str) -> str:
        """Push an image for one platform, and give its digest."""
        config = json.dumps({"architecture": "amd64", "os": "linux", "author": content}).encode()
        blob = self._put_blob(repository, config)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **blob},
            "layers": [],
        }
        return self._put_manifest(repository, tag, manifest)

    def push_index(self, repository: str, tag: str, content: str) -> str:
        """Push an image for several platforms, as buildx does, and give the list's digest."""
        images = [self.push(repository, f"{tag}-{name}", content + name) for name in ("a", "b")]
        listed = [
            {"mediaType": MANIFEST, "digest": digest, "size": self._sizes[digest]}
            for digest in images
        ]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}
        return self._put_manifest(repository, tag, index)

    def _put_blob(self, repository: str, content: bytes) -> dict[str, object]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        url = f"http://{self.host}/v2/{repository}/blobs/uploads/"
        place = requests.post(url, auth=self._login, timeout=20)
        place.raise_for_status()
        done = requests.put(
            place.headers["Location"],
            params={"digest": digest},
            data=content,
            headers={"Content-Type": "application/octet-stream"},
            auth=self._login,
            timeout=20,
        )
        done.raise_for_status()
        return {"digest": digest, "size": len(content)}

    def _put_manifest(self, repository: str, tag: str, manifest: dict[str, object]) -> str:
        text = json.dumps(manifest).encode()
        done = requests.put(
            f"http://{self.host}/v2/{repository}/manifests/{tag}",
            data=text,
            headers={"Content-Type": str(manifest["mediaType"])},
            auth=self._login,
            timeout=20,
        )
        assert done.ok, done.text
        digest = done.headers["Docker-Content-Digest"]
        self._sizes[digest] = len(text)
        return digest
