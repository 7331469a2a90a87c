"""A command of `retrainer` that serves, as a process of its own on a free port of loopback."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any, Self

import requests

from .forked import ForkedCommand


class ServiceProcess:
    """A service from its making to its end, or within a `with`.

    Forked from a process that has made its imports; `fork=False` starts an interpreter, as a user does.

    Attributes:
        lines: What it has printed, both streams.
    """

    def __init__(self, words: Sequence[str], fork: bool = True, **environment: str) -> None:
        # Without a word on credentials gcsfs asks the network for some, for many seconds where there is none.
        variables = {**os.environ, "FSSPEC_GS_TOKEN": "anon", **environment}
        self.lines: list[str] = []
        self.ports: list[int] = []
        self._listening = threading.Event()
        self.process: ForkedCommand | subprocess.Popen[str]
        if fork:
            self.process = ForkedCommand(words, variables)
        else:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "retrainer.pipelines.cli.main", *words],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=variables,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self.wait_until_listening()

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()

    @property
    def port(self) -> int:
        return self.ports[0] if self.ports else 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Its log."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def wait_until_listening(self) -> Self:
        assert self._listening.wait(60), "\n".join(self.lines)
        assert self.port, "\n".join(self.lines)
        return self

    def terminate(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end and return the exit code."""
        code = self.process.wait(60)
        self._reader.join()
        return code

    def kill(self) -> None:
        """Send SIGKILL."""
        self.process.kill()
        self.process.wait()

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=60)

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line)
            if '"port"' in line:
                self.ports.append(json.loads(line)["port"])
                self._listening.set()
        self._listening.set()
