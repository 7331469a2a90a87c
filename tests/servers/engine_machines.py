"""An engine on machines that share nothing: job service, worker pools, store and submitter, a container each.

All are of retrainer's own image, without rights (`RESTRICTED`), on a network of their own that leads nowhere else.
"""

import json
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from servers import beam_engine, s3
from servers.go_programs import build
from servers.restricted import RESTRICTED, docker

PROGRAMS = Path(__file__).parent / "engine_programs"
JOB_PORT = 8073
POOL_PORT = 50000
STORE_PORT = 7070
POOLS = ("pool-1", "pool-2")
START_SECONDS = 300
WORK_SECONDS = 600
DISK = "256m"
MODULE = "shop_features"
"""A module that the submitter has, and no worker."""
ENVIRONMENT = {
    "FSSPEC_S3_ENDPOINT_URL": f"http://store:{STORE_PORT}",
    "FSSPEC_S3_KEY": s3.KEY,
    "FSSPEC_S3_SECRET": s3.SECRET,
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


class Machines:
    """The containers, within a `with`.

    Attributes:
        prism: Whether the job service is Prism, or else Beam's own in Python, with a worker in each pool for a job.
    """

    def __init__(self, image: str, scratch: Path, prism: bool = True) -> None:
        """Name what they are made of.

        Args:
            image: retrainer's image.
            scratch: An empty folder.
            prism: As the attribute.
        """
        self.prism = prism
        self._image = image
        self._scratch = scratch
        self._name = f"retrainer-engine-{secrets.token_hex(4)}"
        self._tools = f"{self._name}:tools"

    def __enter__(self) -> "Machines":
        try:
            self._build()
            _check(docker("network", "create", "--internal", self._name))
            self._start_store()
            self.start_jobs()
            for pool in POOLS:
                self.start_pool(pool)
            pools = [f"{pool}:{POOL_PORT}" for pool in POOLS]
            self.start("pools", self._image, ["python", "-c", _text("spread"), POOL_PORT, *pools])
            self.start("submitter", self._tools, _with_forward("sleep infinity"))
            for address in (f"store:{STORE_PORT}", f"jobs:{JOB_PORT}", f"pools:{POOL_PORT}"):
                self.wait_for(address)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in ("submitter", "pools", *POOLS, "jobs", "store"):
            self.remove(name)
        docker("network", "rm", self._name)
        docker("image", "rm", "--force", self._tools)

    def start(
        self, name: str, image: str, command: Sequence[object], options: Sequence[str] = RESTRICTED
    ) -> None:
        """Start a container that the others reach by its name."""
        variables = [f"--env={key}={value}" for key, value in ENVIRONMENT.items()]
        _check(
            docker(
                "run", "--detach", "--init", f"--name={self._name}-{name}", f"--hostname={name}",
                f"--network={self._name}", f"--network-alias={name}", *options, *variables, image,
                *command,
            )
        )  # fmt: skip

    def start_jobs(self) -> None:
        """Start the job service."""
        if self.prism:
            prism = ["/programs/prism", f"--job_port={JOB_PORT}", "--serve_http=false"]
            # It ends at once where its user has no name (Beam's download.go asks for the user's home).
            options = [option for option in RESTRICTED if not option.startswith("--user")]
            self.start("jobs", self._tools, prism, options)
        else:
            arguments = (JOB_PORT, "jobs", len(POOLS))
            self.start("jobs", self._image, ["python", "-c", _text("job_service"), *arguments])

    def start_pool(self, name: str) -> None:
        """Start a worker pool of `POOLS`, with a small disk."""
        module = "apache_beam.runners.worker.worker_pool_main"
        pool = f"python -m {module} --service_port={POOL_PORT}"
        disk = "--tmpfs=/tmp"
        options = [f"{disk}:size={DISK}" if option == disk else option for option in RESTRICTED]
        self.start(name, self._image, _with_forward(pool), options)

    def remove(self, name: str) -> None:
        """Kill a container, as a machine that fails, and remove it."""
        docker("rm", "--force", "--volumes", f"{self._name}-{name}")

    def logs(self, name: str) -> str:
        """Return what a container said."""
        said = docker("logs", f"{self._name}-{name}")
        return said.stdout + said.stderr

    def wait_for(self, address: str, machine: str = "submitter") -> None:
        """Wait until a machine reaches an address."""
        host, port = address.split(":")
        code = f"import socket; socket.create_connection(('{host}', {port}), 1)"
        end = time.monotonic() + START_SECONDS
        while (said := self.execute(machine, ["python", "-c", code])).returncode:
            if time.monotonic() > end:
                raise RuntimeError(f"{address} does not answer: {said.stderr}\n{self.logs(host)}")
            time.sleep(0.2)

    def execute(self, machine: str, command: Sequence[object]) -> subprocess.CompletedProcess[str]:
        """Run a command in a container."""
        return docker("exec", f"{self._name}-{machine}", *command, timeout=WORK_SECONDS)

    def work(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `engine_work.py` in the submitter."""
        return self.execute("submitter", self.work_command(*arguments))

    def start_work(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start `engine_work.py` in the submitter."""
        command = ["docker", "exec", f"{self._name}-submitter", *self.work_command(*arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def stop_store_at(self, work: "subprocess.Popen[str]") -> str:
        """Stop the store as soon as a worker starts, and wait until that worker is at the store.

        It is in the middle of its work then, until `continue_store`.

        Args:
            work: What was started in the submitter.

        Returns:
            The name of the worker's pool.
        """
        busy: list[str] = []
        while not busy:
            if work.poll() is not None:
                raise RuntimeError(f"it ended before a worker began: {work.communicate()}")
            busy = [pool for pool in POOLS if "SdkHarness" in self._processes(pool)]
        _check(docker("pause", f"{self._name}-store"))
        # In the kernel's table of connections: established, to the port of the store.
        connection = re.compile(rf":{STORE_PORT:04X} 01 ")
        while not connection.search(self.execute(busy[0], ["cat", "/proc/net/tcp"]).stdout):
            time.sleep(0.1)
        return busy[0]

    def continue_store(self) -> None:
        """Have the store answer again."""
        _check(docker("unpause", f"{self._name}-store"))

    def _processes(self, name: str) -> str:
        return docker("top", f"{self._name}-{name}", "-o", "pid,args").stdout

    @staticmethod
    def work_command(*arguments: str) -> list[str]:
        """Return the command that runs `engine_work.py`."""
        return ["python", "-W", "ignore", "/programs/engine_work.py", *arguments]

    def beam_args(self) -> list[str]:
        """Return Beam's options for the engine."""
        return beam_engine.beam_args(f"jobs:{JOB_PORT}", f"pools:{POOL_PORT}")

    def _build(self) -> None:
        """Put the programs that are not retrainer's beside it, in an image of their own."""
        folder = self._scratch / "programs"
        folder.mkdir()
        shutil.copy(build(s3.SOURCE, s3.PROGRAM), folder / "versitygw")
        if self.prism:
            shutil.copy(build(beam_engine.SOURCE, beam_engine.PROGRAM), folder / "prism")
        shutil.copy(Path(__file__).parent / "engine_work.py", folder)
        model = files("retrainer.pipelines.examples.starter").joinpath("model.py").read_text()
        (folder / f"{MODULE}.py").write_text(model)
        (folder / "Dockerfile").write_text(f"FROM {self._image}\nCOPY . /programs\n")
        _check(docker("build", "--quiet", "--tag", self._tools, folder))

    def _start_store(self) -> None:
        keys = f"ROOT_ACCESS_KEY={s3.KEY} ROOT_SECRET_KEY={s3.SECRET}"
        serve = f"/programs/versitygw --port :{STORE_PORT} posix --sidecar /tmp/notes /tmp/buckets"
        make = f"mkdir -p /tmp/buckets/{s3.BUCKET} /tmp/notes"
        self.start("store", self._tools, ["sh", "-c", f"{make}; exec env {keys} {serve}"])


def _with_forward(command: str) -> list[str]:
    """Run a command beside what leads from localhost to the job service."""
    start = f'python -c "$0" {JOB_PORT} jobs & exec {command}'
    return ["sh", "-c", start, _text("forward")]


def _text(program: str) -> str:
    return (PROGRAMS / f"{program}.py").read_text()


def _check(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)


def read_answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Read what `engine_work.py` printed."""
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-4000:]
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer
