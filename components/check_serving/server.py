"""The process that a model is checked in: started, asked and ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROCESS_FILE = Path(__file__).with_name("server_process.py")
# Set for a task whose runner has started the process: its socket, the file of what it prints, and its id.
VARIABLE = "RETRAINER_SERVER_PROCESS"
# What this process has imported or set must not help a model load.
_LEFT_OUT = ("PYTHON", "TF_", "KERAS_", "RETRAINER_", "_KFP_")


class ServerError(Exception):
    """The process gave no answer; the message says why."""


@dataclass
class Server:
    """A process with TensorFlow alone, which serves one model and ends.

    It ends with its owner, too, who holds the other end of its socket.

    Attributes:
        connection: The socket.
        errors: Descriptor of the file of what the process prints.
        pid: Its id.
        process: It, if this process started it.
        variable: Environment variable that names it to a task.
    """

    connection: socket.socket
    errors: int
    pid: int
    process: subprocess.Popen[bytes] | None = None
    variable: str = field(default=VARIABLE, init=False)

    @classmethod
    def start(cls, environment: Mapping[str, str]) -> "Server":
        """Start the process; returns at once.

        Args:
            environment: Environment variables; those of Python, TensorFlow, Keras, kfp and retrainer are left out.
        """
        kept = {
            name: value for name, value in environment.items() if not name.startswith(_LEFT_OUT)
        }
        ours, theirs = socket.socketpair()
        with tempfile.TemporaryFile(prefix="retrainer-serving-") as printed, theirs:
            process = subprocess.Popen(
                [sys.executable, "-I", str(PROCESS_FILE)],
                stdin=theirs.fileno(),
                stdout=printed,
                stderr=printed,
                env={**kept, "TF_CPP_MIN_LOG_LEVEL": "2"},
                cwd=os.path.abspath(os.sep),
                # A signal of the terminal is its owner's to answer.
                start_new_session=True,
            )
            return cls(ours, os.dup(printed.fileno()), process.pid, process)

    @classmethod
    def open(cls) -> "Server":
        """Take the process that the runner has started for this task, or start one."""
        lent = os.environ.pop(VARIABLE, "")
        if lent:
            connection, errors, pid = map(int, lent.split(","))
            server = cls(socket.socket(fileno=connection), errors, pid)
            if server.is_waiting:
                return server
            server.close()
        return cls.start(os.environ)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The socket and the file of what the process prints: with its id, what a task needs."""
        return self.connection.fileno(), self.errors

    @property
    def is_waiting(self) -> bool:
        """Whether the process waits for a request, and has not ended."""
        try:
            self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Send the request and wait for the answer.

        Args:
            request: What `served_model.answer` takes.
            seconds: The longest time to wait.

        Raises:
            ServerError: If no answer comes in time, or the process ends without one.
        """
        # What JSON has no type for, such as a date, a server would be sent as text.
        line = json.dumps(request, default=str).encode() + b"\n"
        deadline = time.monotonic() + seconds
        received = bytearray()
        try:
            self.connection.settimeout(seconds)
            self.connection.sendall(line)
            while not received.endswith(b"\n"):
                self.connection.settimeout(max(deadline - time.monotonic(), 1e-3))
                block = self.connection.recv(1 << 16)
                if not block:
                    break
                received += block
        except TimeoutError as error:
            raise ServerError(f"no answer within {seconds:g} s") from error
        except ConnectionError:
            received.clear()
        if not received.endswith(b"\n"):
            raise ServerError(f"the server process ended{self._status()}: {self._last_line()}")
        return dict(json.loads(received))

    def close(self) -> None:
        """End the process, if it has not ended."""
        self.leave()
        # While its owner has not waited for it, its id is no other process's.
        with suppress(ProcessLookupError, PermissionError):
            if self.process is None or self.process.poll() is None:
                os.kill(self.pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def leave(self) -> None:
        """Close this process's copies of the descriptors; another process has its own."""
        self.connection.close()
        if self.errors >= 0:
            os.close(self.errors)
            self.errors = -1

    def __enter__(self) -> "Server":
        """Return the server itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.close()

    def _status(self) -> str:
        if self.process is None:
            return ""
        return f" with code {self.process.wait()}"

    def _last_line(self) -> str:
        size = os.fstat(self.errors).st_size
        printed = os.pread(self.errors, size, 0).decode(errors="replace")
        lines = [line for line in printed.splitlines() if line.strip()]
        return lines[-1].strip() if lines else "it printed nothing"
