"""What the bench of the trigger service sends, and the processes that it needs."""

import json
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from servers.trigger_process import envelope, storage_message  # noqa: E402

FILES_PER_SPAN = 10


@dataclass(frozen=True)
class Traffic:
    """Messages in the order in which they are sent.

    Attributes:
        bodies: Push requests' bodies.
        causes: How many runs they ask for.
    """

    bodies: list[str]
    causes: int


def make_traffic(count: int, files: int, share_twice: float) -> Traffic:
    """Make the messages of spans that are written one after the other: files, then the marker.

    Args:
        count: How many messages, second deliveries included.
        files: Data files in a span; 0 for markers alone.
        share_twice: Share of the messages that is a second delivery of an earlier one.

    Returns:
        The messages.
    """
    chance = random.Random(1)
    distinct = round(count * (1 - share_twice))
    bodies: list[str] = []
    causes = 0
    while len(bodies) < distinct:
        causes += 1
        names = [f"part-{number}.parquet" for number in range(files)]
        for name in [*names, "_SUCCESS"]:
            data, attributes = storage_message(f"day={causes:06}/{name}", generation=causes)
            bodies.append(envelope(str(len(bodies)), data, attributes))
    places = [(float(place), body) for place, body in enumerate(bodies)]
    for place in chance.sample(range(len(bodies)), min(count - distinct, len(bodies))):
        # Pub/Sub sends a message a second time soon after, or much later.
        places.append((place + chance.choice([0.5, 50.5, 2000.5]), bodies[place]))
    return Traffic([body for _, body in sorted(places, key=lambda item: item[0])], causes)


def send(
    binary: Path, folder: Path, traffic: Traffic, rate: float, urls: list[str], token: str
) -> dict[str, Any]:
    """Send messages at a constant rate, and again what is not acknowledged.

    Args:
        binary: The load generator.
        folder: Where messages and token are put.
        traffic: The messages.
        rate: Messages a second.
        urls: Push addresses, used in turn.
        token: What each request carries.

    Returns:
        What the load generator reports; see its source.
    """
    (folder / "messages").write_text("\n".join(traffic.bodies) + "\n")
    (folder / "token").write_text(token)
    command = [
        *(str(binary), f"-rate={rate}", f"-messages={folder / 'messages'}"),
        *(f"-urls={','.join(urls)}", f"-token-file={folder / 'token'}"),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


class VertexProcess:
    """The Vertex AI of the tests, in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def stats(self) -> dict[str, int]:
        """Ask how many runs it has created, and how often a second one of an id was asked for."""
        with urllib.request.urlopen(f"{self.url}/stats", timeout=20) as answer:
            return json.load(answer)


@contextmanager
def vertex_process() -> Iterator[VertexProcess]:
    """Run a Vertex AI that starts empty."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = ROOT / "tests" / "servers" / "vertex.py"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore::FutureWarning", str(server), "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        if not process.stdout.readline():
            sys.exit(f"{server} did not start")
        yield VertexProcess(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


class MemoryWatch:
    """Reads a process's resident memory after a while, and again when it is asked."""

    def __init__(self, pid: int, seconds: float) -> None:
        self._pid = pid
        self.early = 0.0
        self._timer = threading.Timer(seconds, self._read_early)
        self._timer.start()

    def read(self) -> float:
        """Return the resident memory now, in MiB."""
        self._timer.cancel()
        for line in Path(f"/proc/{self._pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def _read_early(self) -> None:
        self.early = self.read()


def wait_until_ready(service: Any) -> None:
    """Wait until a service says that it is ready."""
    while service.get("/readyz").status_code != 200:
        time.sleep(0.05)
