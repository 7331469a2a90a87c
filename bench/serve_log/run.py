"""Bench of `retrainer serve-log`: what it adds to latency on one core, with its store down for half of the time.

`python bench/serve_log/run.py` takes a good minute, and exits with 1 if a promise does not hold. Go is needed. One
core is the proxy's; load generator, model server and store share the others. Requests through the proxy and requests
straight to the server are sent in the same minute.

As root, everything runs at real-time priority, and the latencies leave out the requests that met a moment when the
machine itself took a core (taken_cores.py), since such moments come by themselves: where this was written they are 9 ms
each second, which is 1 % of the requests and so decides the 99th percentile. How many were left out is a figure, and
latencies of all requests stand beside it.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from servers.go_programs import build_or_exit  # noqa: E402
from servers.service_process import ServiceProcess  # noqa: E402
from servers.storage import StorageServer  # noqa: E402
from taken_cores import TakenCores, real_time  # noqa: E402

ADDED_MS = 2.0
GROWN_MIB = 10.0
BUFFER_MIB = 4
OUT = ROOT / "bench" / "out" / "serve_log.json"
PATH = "/v1/models/flights:predict"


def main() -> int:
    """Run the bench.

    Returns:
        The exit code: 1 if a promise does not hold.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=2000, help="requests a second by the proxy")
    parser.add_argument("--direct-rate", type=float, default=200, help="requests a second past it")
    parser.add_argument("--seconds", type=float, default=60, help="how long they come")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("this bench needs two cores: one is the proxy's")
    with ExitStack() as stack:
        os.sched_setaffinity(0, cores[1:])
        granted = stack.enter_context(real_time())
        binary = build_or_exit(HERE / "load")
        server = stack.enter_context(model_server(binary))
        storage = stack.enter_context(StorageServer())
        storage.keeps_requests = False
        proxy = stack.enter_context(start_proxy(server, storage.url, cores[0]))
        taken = TakenCores(cores, granted)
        figures = measure(binary, proxy, server, storage, taken, arguments)
    show(figures)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    broken = check(figures)
    for line in broken:
        print(f"broken promise: {line}", file=sys.stderr)
    return 1 if broken else 0


@contextmanager
def model_server(binary: Path) -> Iterator[str]:
    """Run a server that answers predict requests at once; yield its address."""
    process = subprocess.Popen(
        [str(binary), "-serve", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        yield f"http://{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()


def start_proxy(server: str, storage: str, core: int) -> ServiceProcess:
    """Start a proxy on one core."""
    own = ["--target", server, "--log", "gs://logs/flights", "--listen", "127.0.0.1", "--port", "0"]
    limits = ["--roll-seconds", "5", "--buffer-mib", str(BUFFER_MIB), "--model-version", "1"]
    proxy = ServiceProcess(["serve-log", *own, *limits], fork=False, STORAGE_EMULATOR_HOST=storage)
    os.sched_setaffinity(proxy.process.pid, {core})
    return proxy


def measure(
    binary: Path,
    proxy: ServiceProcess,
    server: str,
    storage: StorageServer,
    taken: TakenCores,
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """Send the load, the store being down from a quarter of the time to three quarters.

    Returns:
        The figures.
    """
    urls = f"{arguments.rate}@{proxy.url}{PATH},{arguments.direct_rate}@{server}{PATH}"
    # Connections and code are warm then, as in a proxy that runs.
    run_load(binary, urls, 2.0)
    early = MemoryProbe(proxy.process.pid, arguments.seconds / 5)
    outage = [
        threading.Timer(arguments.seconds * share, setattr, (storage, "down", down))
        for share, down in ((0.25, True), (0.75, False))
    ]
    for timer in outage:
        timer.start()
    cpu = cpu_seconds(proxy.process.pid)
    with taken:
        found = run_load(binary, urls, arguments.seconds)
    cpu = cpu_seconds(proxy.process.pid) - cpu
    memory = resident_mib(proxy.process.pid)
    failures = metric(proxy, "retrainer_log_write_failures_total")
    code = proxy.terminate()
    last = proxy.entries[-1]["message"]
    written, dropped = (int(word) for word in last.replace(",", "").split() if word.isdigit())
    through, direct = (latencies(found[f"{url}{PATH}"], taken) for url in (proxy.url, server))
    return {
        "through_proxy": through,
        "direct": direct,
        "added_p50_ms": through["p50_ms"] - direct["p50_ms"],
        "added_p99_ms": through["p99_ms"] - direct["p99_ms"],
        "added_p99_ms_of_all": through["p99_ms_of_all"] - direct["p99_ms_of_all"],
        "machine_took_ms": float(np.sum(np.diff(taken.moments)) / 1000),
        "cpu_share": cpu / arguments.seconds,
        "memory_early_mib": early.read(),
        "memory_end_mib": memory,
        "rows_written": written,
        "rows_dropped": dropped,
        "rows_in_store": rows_in(storage),
        # The two seconds before count, too.
        "requests": round(arguments.rate * (arguments.seconds + 2)),
        "failed_writes": failures,
        "exit_code": code,
        "load_average": os.getloadavg()[0],
    }


def run_load(binary: Path, urls: str, seconds: float) -> dict[str, Any]:
    """Send requests; return what the load generator reports."""
    command = [str(binary), f"-urls={urls}", f"-seconds={seconds}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


def latencies(found: dict[str, Any], taken: TakenCores) -> dict[str, Any]:
    """Return quantiles of the latencies, and what else the load generator reports of an address."""
    dues, all_of_them = (np.array(found.pop(name)) for name in ("due_us", "latency_us"))
    left = all_of_them[~taken.met(dues, dues + all_of_them)] / 1000
    quantiles = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "p999_ms": 0.999}
    return {
        "sent": len(dues),
        "left_out": len(dues) - len(left),
        **found,
        **{name: round(float(np.quantile(left, at)), 3) for name, at in quantiles.items()},
        "p99_ms_of_all": round(float(np.quantile(all_of_them, 0.99)) / 1000, 3),
        "max_ms_of_all": float(all_of_them.max()) / 1000,
    }


def rows_in(storage: StorageServer) -> int:
    """Count the rows of all log files that reached the store."""
    return sum(len(gzip.decompress(one).splitlines()) for one in storage.objects.values())


def metric(proxy: ServiceProcess, name: str) -> float:
    """Read a metric of the proxy."""
    lines = proxy.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


class MemoryProbe:
    """Reads a process's resident memory after a while."""

    def __init__(self, pid: int, seconds: float) -> None:
        self._found = 0.0
        self._timer = threading.Timer(seconds, self._read, (pid,))
        self._timer.start()

    def read(self) -> float:
        """Return the resident memory then, in MiB."""
        self._timer.join()
        return self._found

    def _read(self, pid: int) -> None:
        self._found = resident_mib(pid)


def resident_mib(pid: int) -> float:
    """Return a process's resident memory now, in MiB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return next(
        int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmRSS:")
    )


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check(figures: dict[str, Any]) -> list[str]:
    """Name the promises that the figures break."""
    broken = []
    through = figures["through_proxy"]
    if figures["added_p99_ms"] > ADDED_MS:
        broken.append(
            f"p99 is {figures['added_p99_ms']:.2f} ms longer, and may be {ADDED_MS:g} at most"
        )
    if through["wrong_answers"] or set(through["statuses"]) != {"200"}:
        broken.append(f"answers were harmed: {through['wrong_answers']}, {through['statuses']}")
    if figures["rows_written"] + figures["rows_dropped"] != figures["requests"]:
        broken.append("rows were lost and not counted")
    if figures["rows_in_store"] != figures["rows_written"]:
        broken.append("the store has other rows than were written")
    if not figures["rows_dropped"]:
        broken.append("the store was not down for long enough to have rows dropped")
    grown = figures["memory_end_mib"] - figures["memory_early_mib"]
    if grown > GROWN_MIB:
        broken.append(f"memory grew by {grown:.0f} MiB, with a buffer of {BUFFER_MIB}")
    return broken


def show(figures: dict[str, Any]) -> None:
    """Print figures as a table."""
    table = Table(
        title="serve-log on one core, its store down for half of the time", show_header=False
    )
    for name, value in figures.items():
        table.add_row(name, f"{value:,.2f}" if isinstance(value, float) else str(value))
    Console().print(table)


if __name__ == "__main__":
    started = time.monotonic()
    exit_code = main()
    print(f"{time.monotonic() - started:.0f} s")
    sys.exit(exit_code)
