"""The command `retrainer` in a process of its own that needs no imports: forked from one that has made them."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import TextIO

PRELOADED = [
    "servers.forked",
    "fsspec.config",
    "retrainer.pipelines.cli.main",
    "retrainer.pipelines.project.config",
    "retrainer.pipelines.project.checks",
    "retrainer.pipelines.targets.catalog",
    "retrainer.pipelines.telemetry.loop.service",
    "retrainer.pipelines.telemetry.proxy.service",
    "retrainer.pipelines.telemetry.sink.service",
    "retrainer.pipelines.triggers.service.main",
    "retrainer.pipelines.triggers.service.pull",
]
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(PRELOADED)


class ForkedCommand:
    """A running command, with what tests need of `subprocess.Popen`.

    Attributes:
        pid: Its process.
        stdout: What it prints, both streams.
    """

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start `retrainer` with these words in this environment."""
        read, write = _FORKS.Pipe(duplex=False)
        self._process = _FORKS.Process(
            target=_run, args=(list(words), dict(environment), os.getcwd(), write)
        )
        self._process.start()
        write.close()
        assert self._process.pid is not None
        self.pid = self._process.pid
        self.stdout: TextIO = os.fdopen(os.dup(read.fileno()), encoding="utf-8")
        read.close()

    def send_signal(self, number: int) -> None:
        if self._process.is_alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit code."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("retrainer", timeout or 0.0)
        return self._process.exitcode


def _run(words: list[str], environment: dict[str, str], folder: str, output: Connection) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    output.close()
    # The streams that are there know the file that they began with, such as whether one can seek in it.
    sys.stdout, sys.stderr = (
        os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2)
    )
    from fsspec.config import conf, set_conf_env

    # fsspec reads its variables when it is imported, which was before this environment was set.
    set_conf_env(conf, environment)
    sys.argv = ["retrainer", *words]
    from retrainer.pipelines.cli.main import main

    main()
