"""Bench of the trigger service: its latency under load, and that each cause is one run though a replica is killed.

`python bench/trigger/run.py` takes some minutes, and exits with 1 if a promise does not hold. Go is needed.
"""

import argparse
import json
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import traffic
from rich.console import Console
from rich.table import Table
from servers.go_programs import build_or_exit
from servers.google_tokens import ACCOUNT, AUDIENCE, CertificateServer, SigningKey
from servers.trigger_process import TriggerProcess, write_project

LIMIT_MS = 50.0
TEMPLATE = f"https://europe-west1-kfp.pkg.dev/acme-ml/templates/orders/sha256:{'0' * 64}"
OUT = traffic.ROOT / "bench" / "out" / "trigger.json"


def main() -> int:
    """Run the bench.

    Returns:
        The exit code: 1 if a promise does not hold.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=1000, help="messages a second")
    parser.add_argument("--seconds", type=float, default=60, help="how long they come")
    parser.add_argument("--messages", type=int, default=10_000, help="over three replicas")
    parser.add_argument("--replica-rate", type=float, default=200, help="messages a second")
    parser.add_argument(
        "--template", action="store_true", help="name a pushed template in place of the spec"
    )
    arguments = parser.parse_args()
    options = ("--template", TEMPLATE) if arguments.template else ()
    with tempfile.TemporaryDirectory(prefix="retrainer-bench-") as name:
        folder = Path(name)
        binary = build_or_exit(traffic.HERE / "load")
        loaded = measure_load(binary, folder, arguments.rate, arguments.seconds, options)
        show("one service under load", loaded)
        killed = measure_killed(binary, folder, arguments.replica_rate, arguments.messages, options)
        show("three replicas, one killed", killed)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"load": loaded, "killed": killed}, indent=2) + "\n")
    broken = [*check(loaded, LIMIT_MS), *check(killed, None)]
    for line in broken:
        print(f"broken promise: {line}", file=sys.stderr)
    return 1 if broken else 0


def measure_load(
    binary: Path, folder: Path, rate: float, seconds: float, options: tuple[str, ...]
) -> dict[str, Any]:
    """Send spans of ten files and a marker to one service, a tenth of the messages twice.

    Args:
        binary: The load generator.
        folder: Scratch.
        rate: Messages a second.
        seconds: How long they come.
        options: Options of the service.

    Returns:
        The figures.
    """
    messages = traffic.make_traffic(round(rate * seconds), traffic.FILES_PER_SPAN, 0.1)
    with ExitStack() as stack:
        vertex = stack.enter_context(traffic.vertex_process())
        key = SigningKey("bench")
        (service,) = start(stack, folder, vertex, key, 1, options)
        watch = traffic.MemoryWatch(service.process.pid, min(10.0, seconds / 2))
        sent = traffic.send(binary, folder, messages, rate, [f"{service.url}/push"], key.token())
        memory = {"memory_10s_mib": watch.early, "memory_end_mib": watch.read()}
        return {**sent, **memory, "causes": messages.causes, **runs(vertex)}


def measure_killed(
    binary: Path, folder: Path, rate: float, count: int, options: tuple[str, ...]
) -> dict[str, Any]:
    """Send markers to three replicas, of which one is killed half-way, three in ten messages twice.

    Args:
        binary: The load generator.
        folder: Scratch.
        rate: Messages a second.
        count: How many messages.
        options: Options of the services.

    Returns:
        The figures.
    """
    messages = traffic.make_traffic(count, 0, 0.3)
    with ExitStack() as stack:
        vertex = stack.enter_context(traffic.vertex_process())
        key = SigningKey("bench")
        replicas = start(stack, folder, vertex, key, 3, options)
        killer = threading.Timer(count / rate / 2, replicas[0].kill)
        killer.start()
        urls = [f"{replica.url}/push" for replica in replicas]
        sent = traffic.send(binary, folder, messages, rate, urls, key.token())
        killer.join()
        return {**sent, "causes": messages.causes, **runs(vertex)}


def start(
    stack: ExitStack,
    folder: Path,
    vertex: traffic.VertexProcess,
    key: SigningKey,
    count: int,
    options: tuple[str, ...],
) -> list[TriggerProcess]:
    """Start services that verify tokens, and wait until they are ready.

    Args:
        stack: What ends them.
        folder: Where their retrain.yaml is put.
        vertex: Where runs go.
        key: The key of tokens.
        count: How many.
        options: Their options.

    Returns:
        The services.
    """
    certificates = stack.enter_context(CertificateServer(key))
    file = write_project(folder, vertex.url)
    environment = {
        "RETRAINER_TRIGGER_CERTS_URL": certificates.certs_url,
        "RETRAINER_TRIGGER_AUDIENCE": AUDIENCE,
        "RETRAINER_TRIGGER_PUSH_ACCOUNT": ACCOUNT,
    }
    services = [
        stack.enter_context(TriggerProcess("serve", file, *options, fork=False, **environment))
        for _ in range(count)
    ]
    for service in services:
        traffic.wait_until_ready(service)
    return services


def runs(vertex: traffic.VertexProcess) -> dict[str, int]:
    """Give how many runs there are, and how often a run was asked for that was there."""
    stats = vertex.stats()
    return {"runs": stats["created"], "asked_again": stats["duplicates"]}


def check(figures: dict[str, Any], limit_ms: float | None) -> list[str]:
    """Name the promises that the figures break."""
    broken = []
    if figures["runs"] != figures["causes"]:
        broken.append(f"{figures['causes']} causes started {figures['runs']} runs")
    if figures["acknowledged"] != figures["sent"]:
        broken.append(f"{figures['sent'] - figures['acknowledged']} messages were lost")
    if limit_ms is not None and figures["p99_ms"] >= limit_ms:
        broken.append(f"p99 is {figures['p99_ms']} ms, and must be under {limit_ms:g}")
    return broken


def show(title: str, figures: dict[str, Any]) -> None:
    """Print figures as a table."""
    table = Table(title=title, show_header=False)
    achieved = {"rate": figures["sent"] / figures["seconds"]} if figures["seconds"] else {}
    for name, value in {**achieved, **figures}.items():
        table.add_row(name, f"{value:,.1f}" if isinstance(value, float) else str(value))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
