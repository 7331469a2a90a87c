"""KServe's Python server from PyPI on loopback, with what its storage initializer copied, and its own client."""

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from servers import own_environment

_HERE = Path(__file__).parent
_START_SECONDS = 180


@contextmanager
def serving(uri: str, name: str, folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Serve what a `storageUri` names, as a pod of KServe does.

    Args:
        uri: The `storageUri`.
        name: The model's name.
        folder: An empty folder, for the copy and the log.
        environment: Variables by which the server reaches the bucket.

    Yields:
        The server's address.
    """
    python = own_environment.python("kserve")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = _HERE / "kserve_python_runtime.py"
    # Not the program's folder first: modules of it have the names of packages.
    command = [python, "-P", program, uri, folder / "model", name, port]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            list(map(str, command)),
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _is_ready(f"{url}/v2/models/{name}/ready"):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "log").read_text()[-3000:])
            time.sleep(0.2)
        yield url
    finally:
        server.kill()
        server.wait(30)


def ask(url: str, name: str, columns: Mapping[str, tuple[str, list[Any]]]) -> dict[str, Any]:
    """Have KServe's client ask a server.

    Args:
        url: The server's address.
        name: The model's name.
        columns: V2's datatype and the values, by column.

    Returns:
        The answers: `v1` and `v2`, and the `id` of V2's.
    """
    done = subprocess.run(
        [own_environment.python("kserve"), "-P", _HERE / "kserve_python_client.py", url, name],
        input=json.dumps(columns),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
