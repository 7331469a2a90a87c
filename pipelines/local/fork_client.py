"""The runner's side of its task processes: starting, reading and ending them."""

import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...components.lib.errors import RetrainerError
from .early_processes import EarlyProcess
from .observer import Progress
from .preload import count_light, libraries_needed, quiet_environment
from .socket_messages import DisconnectedError, receive, send

GRACE_SECONDS = 3.0
TAIL_BYTES = 1 << 14


@dataclass(frozen=True)
class Exit:
    """How a task's process ended.

    Attributes:
        task: The name it was started with.
        status: Its exit status; negative for the signal that killed it, None if it is not known.
        peak_memory: The most memory it had resident, in bytes, if known.
        result: What it sent, if anything: `outputs` and `artifacts`, or `error` and `known`.
    """

    task: str
    status: int | None
    peak_memory: int | None
    result: dict[str, Any]


@dataclass
class _Process:
    result: int
    server: socket.socket
    sent: bytearray = field(default_factory=bytearray)
    pid: int | None = None


class TaskProcesses:
    """A fork server and the task processes that it forks.

    Args:
        libraries: Modules that every task finds loaded.
    """

    def __init__(self, libraries: Sequence[str]) -> None:
        self.scratch = tempfile.mkdtemp(prefix="retrainer-run-")
        self._libraries = tuple(libraries)
        self._selector = selectors.DefaultSelector()
        self._processes: dict[str, _Process] = {}
        self._started: list[str] = []
        self._exits: list[Exit] = []
        self._warming: Progress | None = None
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        # Only this process ever holds the write end: it closes when this process ends, however it
        # ends.
        alive, self._alive_write = os.pipe()
        self._connection, other = socket.socketpair()
        self._early, other_early = socket.socketpair()
        self._light = count_light(self._libraries)
        self._loaded = False
        self._environment = dict(os.environ)
        self.log = os.path.join(self.scratch, "server.log")
        with open(self.log, "wb") as log:
            self._server = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", f"{__package__}.fork_server"),
                    *(str(other.fileno()), str(alive), str(other_early.fileno())),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(other.fileno(), alive, other_early.fileno()),
                # As in a task's container: kfp leaves its client out, and our components load less.
                env=self._environment | quiet_environment() | {"_KFP_RUNTIME": "true"},
                start_new_session=True,
            )
        other.close()
        other_early.close()
        os.close(alive)
        for connection in (self._connection, self._early):
            self._selector.register(connection, selectors.EVENT_READ)
        on_main_thread = threading.current_thread() is threading.main_thread()
        setup = {
            "libraries": self._libraries,
            "light": self._light,
            "scratch": self.scratch,
            "sys_path": sys.path,
            "parent": os.getpid(),
            # The kernel ties the server to the thread that started it, and only the main one lasts.
            "die_with_parent": on_main_thread,
        }
        try:
            send(self._connection, setup)
        except OSError as error:
            raise RetrainerError(self._server_exit_message()) from error

    @property
    def usable(self) -> bool:
        """Whether the server is still there."""
        return self._server.poll() is None

    def start(
        self,
        task: str,
        request: dict[str, Any],
        log: str,
        early: bool,
        extra_env: dict[str, str],
        lent: EarlyProcess | None = None,
    ) -> None:
        """Have a task's process forked.

        Args:
            task: A name for it, unique among those that run.
            request: What to run, see `run_task`.
            log: Path of the file that gets what it prints, appended to.
            early: Whether it may be forked before any library is loaded; else it is once those that its component
                uses are.
            extra_env: Environment variables beside this process's own.
            lent: A process that was started for it; the task gets its descriptors, and this process closes its own.

        Raises:
            OSError: If the log can't be opened.
        """
        environment = dict(os.environ) | quiet_environment() | extra_env
        needed = 0 if early else libraries_needed(request["function"], self._libraries)
        server = self._connection
        if needed <= self._light < len(self._libraries) and not self._loaded:
            server = self._early
        request = request | {
            "id": task,
            "libraries": needed,
            "env": environment,
            "unset": sorted(set(self._environment) - set(environment)),
            "cwd": os.getcwd(),
            "lent": [lent.variable, lent.pid] if lent else None,
        }
        log_file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        read, write = os.pipe()
        os.set_blocking(read, False)
        self._processes[task] = _Process(read, server)
        self._selector.register(read, selectors.EVENT_READ, task)
        try:
            send(server, request, [log_file, write, *(lent.descriptors if lent else ())])
        except OSError:
            self._end(task, None, None, {"error": self._server_exit_message(), "known": True})
        finally:
            os.close(log_file)
            os.close(write)
            if lent:
                lent.leave()

    def poll(self, timeout: float) -> list[Exit]:
        """Wait for something to happen.

        Args:
            timeout: The longest wait in seconds.

        Returns:
            The tasks that have ended.
        """
        for key, _ in self._selector.select(0.0 if self._exits else timeout):
            if isinstance(key.fileobj, socket.socket):
                self._read_server(key.fileobj)
            elif key.data is None:
                os.read(self._wake_read, 1024)
            elif key.data in self._processes:
                self._read_task(key.data)
        exits, self._exits = self._exits, []
        return exits

    @property
    def has_requests(self) -> bool:
        """Whether the server was asked for tasks that it has not forked yet."""
        return any(process.pid is None for process in self._processes.values())

    def started(self) -> list[str]:
        """Return the tasks that were forked since the last call; until the libraries are loaded some wait."""
        started, self._started = self._started, []
        return started

    def wake(self) -> None:
        """End a wait in `poll`; may be called from a signal handler."""
        try:
            os.write(self._wake_write, b"!")
        except BlockingIOError:
            # Enough wake-ups are waiting there already.
            return

    def warming(self) -> Progress | None:
        """Return the newest progress of loading the libraries, once."""
        progress, self._warming = self._warming, None
        return progress

    def stop_tasks(self, grace: float = GRACE_SECONDS) -> list[Exit]:
        """End all tasks: ask them, and kill those that are still there after a while.

        Args:
            grace: Seconds that they get to clean up.

        Returns:
            The tasks that ended.
        """
        exits: list[Exit] = []
        deadline = time.monotonic() + grace
        asked: set[int] = set()
        while self._processes or self._exits:
            if not self._exits and all(process.pid is None for process in self._processes.values()):
                # The server is busy loading and will never fork them: it is about to be ended.
                break
            patient = time.monotonic() < deadline
            for process in self._processes.values():
                if process.pid is not None and (not patient or process.pid not in asked):
                    asked.add(process.pid)
                    self._signal(process.pid, signal.SIGTERM if patient else signal.SIGKILL)
            exits += self.poll(0.05)
        return exits

    def close(self) -> None:
        """End everything at once."""
        self._connection.close()
        self._early.close()
        for process in self._processes.values():
            if process.pid is not None:
                self._signal(process.pid, signal.SIGKILL)
        self._signal(self._server.pid, signal.SIGKILL)
        self._server.wait()
        for descriptor in (
            *(process.result for process in self._processes.values()),
            *(self._alive_write, self._wake_read, self._wake_write),
        ):
            os.close(descriptor)
        self._processes = {}
        self._selector.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _signal(self, pid: int, number: signal.Signals) -> None:
        try:
            os.killpg(pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def _read_server(self, connection: socket.socket) -> None:
        try:
            message, _ = receive(connection)
        except DisconnectedError:
            self._lose_server(connection)
            return
        if message["event"] == "loading":
            self._loaded = message["done"] == message["total"]
            self._warming = Progress(message["name"], message["done"], message["total"])
        elif message["event"] == "started":
            self._processes[message["id"]].pid = message["pid"]
            self._started.append(message["id"])
        else:
            result = {"error": message["error"], "known": True} if "error" in message else None
            self._end(message["id"], message["status"], message.get("peak_memory"), result)

    def _read_task(self, task: str) -> bool:
        process = self._processes[task]
        try:
            block = os.read(process.result, 1 << 16)
        except BlockingIOError:
            return False
        if not block and process.result in self._selector.get_map():
            self._selector.unregister(process.result)
        process.sent += block
        return bool(block)

    def _end(
        self, task: str, status: int | None, peak: int | None, result: dict[str, Any] | None
    ) -> None:
        while self._read_task(task):
            pass
        process = self._processes.pop(task)
        if process.result in self._selector.get_map():
            self._selector.unregister(process.result)
        os.close(process.result)
        if result is None:
            result = _parse(process.sent) or {"error": _explain(status), "known": False}
        self._exits.append(Exit(task, status, peak, result))

    def _lose_server(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        if connection is self._early:
            # Where it ends early, the other server serves its tasks, too.
            self._light = len(self._libraries)
        lost = {task: one for task, one in self._processes.items() if one.server is connection}
        if not lost:
            return
        error = self._server_exit_message()
        for task, process in lost.items():
            if process.pid is not None:
                self._signal(process.pid, signal.SIGKILL)
            self._end(task, None, None, {"error": error, "known": True})

    def _server_exit_message(self) -> str:
        try:
            status: int | None = self._server.wait(1.0)
        except subprocess.TimeoutExpired:
            status = None
        tail = "\n".join(tail_lines(self.log, 5))
        return f"the fork server {_explain(status)}\n{tail}".strip()


def _parse(sent: bytearray) -> dict[str, Any] | None:
    try:
        return json.loads(sent)
    except ValueError:
        # Nothing, or the part that it got to before it was killed.
        return None


def _explain(status: int | None) -> str:
    if status is None:
        return "ended with an unknown status."
    if status >= 0:
        return f"exited with status {status} and reported no error."
    name = signal.Signals(-status).name
    hint = " The machine may have run out of memory." if name == "SIGKILL" else ""
    return f"was killed by {name}.{hint}"


def tail_lines(path: str, count: int) -> list[str]:
    """Return a text file's last lines.

    Args:
        path: A local file.
        count: How many lines at most.

    Returns:
        The lines; none if there is no such file.
    """
    file = Path(path)
    if not file.exists():
        return []
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - TAIL_BYTES))
        lines = stream.read().decode(errors="replace").splitlines()
    return [line for line in lines if line.strip()][-count:]
