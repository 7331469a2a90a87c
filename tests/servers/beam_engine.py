"""A Beam engine whose workers are other processes: Prism, Beam's portable runner in Go, and Beam's worker pool.

Prism is a job service of the portable protocol, as those of Flink and Spark are. For each environment of a job it asks
the pool for one worker (`runEnvironment` in sdks/v2/go/pkg/beam/runners/prism/internal), so a job's work is done by one
worker process, however many pools there are. It has its workers and the submitter come to `localhost:<its port>`
(`Server.Endpoint` in jobservices), which in containers takes a forwarder on each of them.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from servers.go_programs import build

SOURCE = Path(__file__).parent / "prism"
PROGRAMS = Path(__file__).parent / "engine_programs"
PROGRAM = "github.com/apache/beam/sdks/v2/go/cmd/prism"
START_SECONDS = 120
STOP_SECONDS = 10
# It ends its workers when it exits, which a signal's own action would not let it do.
_POOL = """
import signal, sys
from apache_beam.runners.worker import worker_pool_main
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
worker_pool_main.main(sys.argv)
"""
Started = TypeVar("Started", bound="_Server")


class _Server:
    """A process that listens on a port of loopback, within a `with`.

    Attributes:
        address: Where it listens.
        log: The file that it writes its messages to.
    """

    def __init__(self, log: Path) -> None:
        self.address = f"localhost:{free_port()}"
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """The port."""
        return int(self.address.rpartition(":")[2])

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self._process
        return self._process.pid

    def kill(self) -> None:
        """Kill it and its children, as a machine that fails does."""
        assert self._process
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def text(self) -> str:
        """Return what it said so far."""
        return self.log.read_text(errors="replace")

    def __enter__(self: Started) -> Started:
        return self

    def __exit__(self, *_: object) -> None:
        # A pool ends its workers, and waits for them.
        if self._process and self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        self.kill()

    def _start(
        self,
        command: Sequence[str],
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        with open(self.log, "wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("localhost", self.port), 1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > end:
                    self.kill()
                    raise RuntimeError(f"{command[0]} did not start: {self.text()}") from None
                time.sleep(0.05)


class Prism(_Server):
    """Beam's portable runner: job service and engine, without workers."""

    def __enter__(self) -> "Prism":
        program = str(build(SOURCE, PROGRAM))
        self._start([program, f"--job_port={self.port}", "--serve_http=false", "--log_kind=text"])
        return self


class JobService(_Server):
    """Beam's own job service in Python, which takes several workers for a job: one in each of several pools.

    Attributes:
        pools: The address that stands for the pools.
    """

    def __init__(self, log: Path, pools: Sequence[str]) -> None:
        """Name the addresses of the pools, and the file for its messages."""
        super().__init__(log)
        self._spread = _Server(log.with_name("pools.log"))
        self._addresses = list(pools)
        self.pools = self._spread.address

    def __enter__(self) -> "JobService":
        spread, service = PROGRAMS / "spread.py", PROGRAMS / "job_service.py"
        workers = len(self._addresses)
        self._spread._start([sys.executable, str(spread), str(self._spread.port), *self._addresses])
        self._start([sys.executable, str(service), str(self.port), "localhost", str(workers)])
        return self

    def kill(self) -> None:
        self._spread.kill()
        super().kill()


class WorkerPool(_Server):
    """Beam's worker pool: it starts a worker process for each environment of a job that is sent to it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Name the places.

        Args:
            folder: An empty folder, in which its workers run.
            environment: The variables of its workers, beside PATH: nothing else is passed on.
        """
        super().__init__(folder / "log")
        self._folder = folder
        # It starts `python` from PATH, not its own interpreter (Beam's worker_pool_main.py).
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment = {"PATH": path, "HOME": str(folder), **environment}

    def __enter__(self) -> "WorkerPool":
        self._start(
            [sys.executable, "-c", _POOL, f"--service_port={self.port}"],
            self._folder,
            self._environment,
        )
        return self


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return int(free.getsockname()[1])


def beam_args(prism: str, pool: str) -> list[str]:
    """Return Beam's options for a job service and a pool.

    Args:
        prism: Address of the job service.
        pool: Address of the pool.
    """
    return [
        "--runner=PortableRunner",
        f"--job_endpoint={prism}",
        "--environment_type=EXTERNAL",
        f"--environment_config={pool}",
    ]
