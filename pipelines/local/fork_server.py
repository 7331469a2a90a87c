"""The process that loads the libraries once and forks a process for every task.

Why not `multiprocessing`'s forkserver: it runs the caller's `__main__` again in every child, can't
say when its preload is done, starts nothing until then, and has no public way to end it.

Run as `python -m retrainer.pipelines.local.fork_server SOCKET ALIVE EARLY`, three inherited file descriptors.
On the socket it takes messages (a `Setup`, then requests to run tasks, each with the descriptors of
the task's log and result pipe) and sends `loading`, `started` and `ended`. It ends with its runner,
and so do its tasks.

Importing TensorFlow takes a second in which no task can be forked. So before the first library that takes long the
server forks another, which serves requests on the socket EARLY in the same way, with what is loaded by then.
"""

import ctypes
import gc
import os
import select
import shutil
import signal
import socket
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from .preload import load_libraries
from .socket_messages import DisconnectedError, receive, send
from .task_process import run_task

PR_SET_PDEATHSIG = 1


class Server:
    """Forks tasks, and reports their end.

    Args:
        connection: The socket to the runner.
        alive: Read end of a pipe that the runner keeps open as long as it lives.
        early: The socket of the server that is forked before long imports, if there is to be one.
    """

    def __init__(
        self, connection: socket.socket, alive: int, early: socket.socket | None = None
    ) -> None:
        self._connection = connection
        self._alive = alive
        self._early = early
        self._tasks: dict[int, str] = {}
        self._waiting: list[tuple[dict[str, Any], list[int]]] = []
        self._loaded = 0
        self._scratch = ""
        self._busy = False
        self._child_ended = False

    def serve(self) -> NoReturn:
        """Load the libraries, then serve requests until the runner is gone."""
        setup, _ = receive(self._connection)
        self._scratch = setup["scratch"]
        if setup["die_with_parent"]:
            _set_death_signal(signal.SIGKILL)
        if os.getppid() != setup["parent"]:
            self.end()
        sys.path[:] = setup["sys_path"]
        signal.signal(signal.SIGCHLD, lambda *_: self.note_child_end())
        # Native code that is being loaded need not know that a task has ended.
        signal.siginterrupt(signal.SIGCHLD, False)
        started = time.monotonic()
        libraries = setup["libraries"]

        def before(done: int, name: str) -> None:
            self._loaded = done
            if self._early is not None and done >= setup["light"]:
                self._fork_early()
            self._send({"event": "loading", "done": done, "total": len(libraries), "name": name})
            self._receive(0.0)
            self._start_waiting()

        # Importing makes a million objects that stay; looking at them again and again takes a third of the time.
        gc.disable()
        load_libraries(libraries, before)
        # Else each task that looks for an earlier result reads the metadata of two hundred distributions.
        from ...components.lib.user_code.installed_packages import library_versions

        library_versions()
        # Python 3.12 and later warn of what this process is for; the threads that they mean are
        # pools of BLAS and Arrow, which know forks.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        self._loaded = len(libraries)
        # From here on the socket reports the runner's end, and leaves time to clean up.
        _set_death_signal(0)
        total = len(libraries)
        seconds = time.monotonic() - started
        self._send(
            {"event": "loading", "done": total, "total": total, "name": "", "seconds": seconds}
        )
        self._serve_requests()

    def _serve_requests(self) -> NoReturn:
        while True:
            self._start_waiting()
            self._receive(None)

    def _fork_early(self) -> None:
        early, self._early = self._early, None
        assert early is not None
        gc.freeze()
        with self._undisturbed():
            pid = os.fork()
            if pid == 0:
                self._connection.close()
                for _, descriptors in self._waiting:
                    for descriptor in descriptors:
                        os.close(descriptor)
                server = Server(early, self._alive)
                server._scratch, server._loaded = self._scratch, self._loaded
                signal.signal(signal.SIGCHLD, lambda *_: server.note_child_end())
                signal.siginterrupt(signal.SIGCHLD, False)
                # Never back into the import that goes on in the other process.
                try:
                    server._serve_requests()
                except DisconnectedError:
                    server.end()
                finally:
                    os._exit(1)
        early.close()

    def note_child_end(self) -> None:
        """Report tasks that have ended: now, or when the current step is done."""
        self._child_ended = True
        if not self._busy:
            self._reap()

    def end(self) -> NoReturn:
        """Kill the tasks, clean up and exit."""
        for pid in self._tasks:
            _kill_group(pid)
        shutil.rmtree(self._scratch, ignore_errors=True)
        os._exit(0)

    def _receive(self, timeout: float | None) -> None:
        while select.select([self._connection], [], [], timeout)[0]:
            self._waiting.append(receive(self._connection))
            timeout = 0.0

    def _start_waiting(self) -> None:
        for waiting in list(self._waiting):
            request, descriptors = waiting
            if self._loaded >= request["libraries"]:
                self._waiting.remove(waiting)
                self._start(request, descriptors)

    def _start(self, request: dict[str, Any], descriptors: list[int]) -> None:
        # What is buffered here would be written again by the child.
        sys.stdout.flush()
        sys.stderr.flush()
        # What is loaded stays: without this the first collection in every task would copy all of its pages.
        gc.freeze()
        # A task that ends at once must not be reaped before it is known.
        with self._undisturbed():
            try:
                pid = os.fork()
            except OSError as error:
                end = {"event": "ended", "id": request["id"], "status": None, "error": str(error)}
                self._send(end)
            else:
                if pid == 0:
                    self._become_task(request, descriptors)
                # Set on both sides, so that the group is there before anybody signals it.
                _make_group(pid)
                self._tasks[pid] = request["id"]
                self._send({"event": "started", "id": request["id"], "pid": pid})
            for descriptor in descriptors:
                os.close(descriptor)

    def _become_task(self, request: dict[str, Any], descriptors: list[int]) -> NoReturn:
        log, result, *lent = descriptors
        # What a task of its own holds open must end with that task alone.
        for _, theirs in self._waiting:
            for descriptor in theirs:
                os.close(descriptor)
        if request.get("lent"):
            variable, pid = request["lent"]
            request["env"][variable] = ",".join(map(str, (*lent, pid)))
        _make_group(os.getpid())
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._connection.close()
        gc.enable()
        run_task(request, log, result, self._alive)

    def _reap(self) -> None:
        while self._child_ended:
            self._child_ended = False
            self._busy = True
            for pid in list(self._tasks):
                ended, status, usage = os.wait4(pid, os.WNOHANG)
                if ended == 0:
                    continue
                # Whatever the task started and left behind goes with it, as it would with a
                # container.
                _kill_group(pid)
                self._send(
                    {
                        "event": "ended",
                        "id": self._tasks.pop(pid),
                        "status": os.waitstatus_to_exitcode(status),
                        "peak_memory": _bytes(usage.ru_maxrss),
                    }
                )
            self._busy = False

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Keep the handler of SIGCHLD waiting.

        A signal mask can't: the kernel gives the signal to a thread of some native library then,
        and Python runs the handler on the main thread all the same.
        """
        before, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = before
        if not self._busy:
            self._reap()

    def _send(self, message: dict[str, Any]) -> None:
        with self._undisturbed():
            try:
                send(self._connection, message)
            except OSError:
                self.end()


def _bytes(maximum_resident: int) -> int:
    # Linux counts in KiB, macOS in bytes.
    return maximum_resident if sys.platform == "darwin" else maximum_resident * 1024


def _make_group(pid: int) -> None:
    try:
        os.setpgid(pid, pid)
    except (ProcessLookupError, PermissionError):
        # It has set it itself already, or ended.
        return


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _set_death_signal(number: int) -> None:
    """Have the kernel send this process a signal when its runner ends, or none.

    For the time of loading: a process that is busy with that reads no socket. Linux alone can do
    it; elsewhere the process ends when it has loaded everything.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def main() -> NoReturn:
    """Serve on the socket and the pipe whose descriptors stand on the command line."""
    connection, alive, early = (int(descriptor) for descriptor in sys.argv[1:])
    server = Server(socket.socket(fileno=connection), alive, socket.socket(fileno=early))
    try:
        server.serve()
    except DisconnectedError:
        server.end()


if __name__ == "__main__":
    main()
