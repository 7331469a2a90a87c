"""One run at a time on a store: a lock that dies with its process."""

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ...components.lib.errors import RetrainerError

# A reader holds the lock shared for an instant, to see whether anybody has it; longer than that is
# a run.
PATIENCE_SECONDS = 0.5


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes:
        run_id: The run.
        pid: Its process.
    """

    run_id: str
    pid: int


class RunLock:
    """Holds a lock file for a run, as a context manager.

    The kernel releases the lock when the process ends, however it ends, so that a crash leaves
    nothing to clean up. The file itself stays.

    Args:
        path: The lock file; its folder is made.
        run_id: The run to hold it for.
    """

    def __init__(self, path: str, run_id: str) -> None:
        self._path = path
        self._run_id = run_id
        self._descriptor: int | None = None

    def __enter__(self) -> "RunLock":
        """Acquire the lock.

        Raises:
            RetrainerError: If another run has it.
        """
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._take(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(asdict(Holder(self._run_id, os.getpid()))).encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _take(self, descriptor: int) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(0.02)
                    continue
                raise RetrainerError(self._refusal()) from None
            return

    def _refusal(self) -> str:
        holder = _read(self._path)
        who = f"run '{holder.run_id}' (process {holder.pid})" if holder else "another run"
        return (
            f"{who} is running on the same store (lock '{self._path}'). "
            "Wait until it ends, or stop it with Ctrl-C; the lock ends with its process."
        )


def find_holder(path: str) -> Holder | None:
    """Return who holds a lock.

    Args:
        path: The lock file.

    Returns:
        The holder, or None if nobody holds it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(path)
    finally:
        os.close(descriptor)
    return None


def _read(path: str) -> Holder | None:
    try:
        content = json.loads(Path(path).read_text())
        return Holder(run_id=str(content["run_id"]), pid=int(content["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
