"""A folder that is a bucket: gcsfuse itself over a Cloud Storage server, or its rules in a preloaded library.

On Vertex AI the artifacts of a task lie below `/gcs/`, which is such a mount. Google does not publish its settings;
these are gcsfuse's defaults.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest
import requests
from servers.go_programs import build

from retrainer.pipelines.project.starting import init_project

HERE = Path(__file__).parent
START_SECONDS = 60

# The server does not know two requests, which these settings switch off: whether a bucket has hierarchical namespace,
# and moving an object. Folders without an object of their own are seen (implicit-dirs).
_SETTINGS = """\
foreground: true
implicit-dirs: true
enable-hns: false
enable-atomic-rename-object: false
gcs-connection: {{custom-endpoint: "{server}/storage/v1/"}}
gcs-auth: {{anonymous-access: true}}
"""


class Rules:
    """A folder whose users meet gcsfuse's rules, in processes that are started with `environment`.

    Attributes:
        folder: The folder.
        environment: What preloads the rules.
    """

    def __init__(self, folder: Path) -> None:
        """Compile the rules; the test is skipped where there is no C compiler.

        Args:
            folder: An empty folder; the mount is the folder `bucket` in it.
        """
        if not shutil.which("cc"):
            pytest.skip("cc, the C compiler, is not installed")
        self.folder = folder / "bucket"
        self.folder.mkdir()
        self._refused = folder / "refused.txt"
        library = folder / "rules.so"
        source = HERE / "gcsfuse_rules.c"
        subprocess.run(
            ["cc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"],
            check=True,
        )
        self.environment = {
            "LD_PRELOAD": str(library),
            "GCSFUSE_MOUNT": str(self.folder),
            "GCSFUSE_REFUSED": str(self._refused),
        }

    def refused(self) -> list[str]:
        """List the calls that were refused, each with its path."""
        return self._refused.read_text().splitlines() if self._refused.exists() else []


@contextmanager
def mounted(folder: Path) -> Iterator[tuple[Path, str]]:
    """Mount a bucket by gcsfuse; the test is skipped where this machine does not allow that.

    Args:
        folder: An empty folder.

    Yields:
        The mount, and the URL of the bucket's objects on the server (the JSON API's list).
    """
    if os.geteuid() or not os.access("/dev/fuse", os.W_OK):
        pytest.skip("a mount needs root and /dev/fuse")
    source = HERE / "gcsfuse"
    program = build(source, "github.com/googlecloudplatform/gcsfuse/v3")
    storage = build(source, "github.com/fsouza/fake-gcs-server")
    mount = folder / "mount"
    mount.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = f"http://127.0.0.1:{port}"
    settings = folder / "gcsfuse.yaml"
    settings.write_text(_SETTINGS.format(server=server))
    where = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    names = ["-public-host", f"127.0.0.1:{port}", "-external-url", server]
    with (
        open(folder / "log", "w") as log,
        _running([storage, *where, *names], log) as objects,
    ):
        bucket = {"name": "bucket"}
        _wait(
            objects,
            lambda: requests.post(f"{server}/storage/v1/b?project=x", json=bucket, timeout=5).ok,
        )
        command = [program, "--config-file", settings, "bucket", mount]
        with _running(command, log) as process:
            try:
                _wait(process, lambda: os.path.ismount(mount))
                yield mount, f"{server}/storage/v1/b/bucket/o"
            finally:
                subprocess.run(["umount", mount], check=False)


@contextmanager
def _running(command: list[object], log: IO[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, f"{process.args} ended with {process.returncode}"
        with suppress(requests.ConnectionError):
            if ready():
                return
        time.sleep(0.05)
    raise TimeoutError(f"{process.args} is not there after {START_SECONDS} s")


def run_pipeline(folder: Path, mount: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the starter project with all artifacts below a mount, and its store beside it.

    Args:
        folder: Where to make the project.
        mount: Where `pipeline_root` is.
        environment: What the command finds in its environment beside this process's.

    Returns:
        The command, as it ended; its output is the run's record as JSON.
    """
    init_project(folder)
    file = folder / "retrain.yaml"
    file.write_text(f"{file.read_text()}pipeline_root: {mount}/root\n")
    command = [sys.executable, "-m", "retrainer.pipelines.cli.main", "run", "--json"]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
    )


# What a program may meet on a mount, by what it does; each line makes what it needs.
_CALLS = """
import json, os, sys
os.chdir(sys.argv[1])
mount = os.getcwd()

def folder(name, full=True):
    os.makedirs(f"{mount}/{name}")
    if full:
        file(f"{name}/file")

def file(name):
    with open(f"{mount}/{name}", "w") as stream:
        stream.write("content")

def append(name):
    with open(f"{mount}/{name}", "a") as stream:
        stream.write("more")

folder("full"), folder("empty", False), file("a"), file("b"), file("c")
calls = {
    "rename a folder": lambda: os.rename(f"{mount}/full", f"{mount}/full-2"),
    "rename an empty folder": lambda: os.rename(f"{mount}/empty", f"{mount}/empty-2"),
    "rename a file over another": lambda: os.replace(f"{mount}/a", f"{mount}/b"),
    "link": lambda: os.link(f"{mount}/b", f"{mount}/linked"),
    "make a pipe": lambda: os.mknod(f"{mount}/pipe", 0o010600),
    "append": lambda: append("c"),
    "create what is there": lambda: os.open(f"{mount}/c", os.O_CREAT | os.O_EXCL | os.O_WRONLY),
}
outcomes = {}
for name, call in calls.items():
    try:
        call()
        outcomes[name] = None
    except OSError as error:
        outcomes[name] = error.errno
print(json.dumps(outcomes))
"""


def outcomes(mount: Path, **environment: str) -> dict[str, int | None]:
    """Try what a mount allows, in a process of its own: by what was tried, the error's number, or None."""
    done = python(_CALLS, mount, **environment)
    found: dict[str, int | None] = json.loads(done.stdout)
    return found


def python(code: str, mount: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python code with a mount as its argument, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, mount],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
