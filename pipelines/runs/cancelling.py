"""Cancelling a run on this machine, as Ctrl-C in its terminal does."""

import os
import signal
import socket
import time

from ...components.lib.errors import RetrainerError
from .lock import find_holder
from .record_store import load_run, lock_path
from .records import RunRecord, RunState

PATIENCE_SECONDS = 60.0
"""How long to wait for a run to end its tasks and write its record; it kills them after a while itself."""
_POLL_SECONDS = 0.1


def cancel_here(record: RunRecord, seconds: float = PATIENCE_SECONDS) -> RunRecord:
    """End a run on this machine, and wait until it has.

    Args:
        record: The run. One that has ended already stays as it is.
        seconds: The longest wait.

    Returns:
        Its record then.

    Raises:
        RetrainerError: If it runs on another machine or under another user, or does not end in time.
    """
    if record.state != RunState.RUNNING:
        return record
    name = f"run '{record.run_id}'"
    if record.host != socket.gethostname():
        raise RetrainerError(
            f"{name} runs on '{record.host}' as process {record.pid}, and can be cancelled only there: run the same "
            f"command on '{record.host}', or 'kill {record.pid}'."
        )
    holder = find_holder(lock_path(record.store, record.pipeline_root))
    if holder and (holder.run_id, holder.pid) == (record.run_id, record.pid):
        try:
            os.kill(record.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        except PermissionError as error:
            raise RetrainerError(
                f"{name} belongs to another user (process {record.pid}); only that user can cancel it."
            ) from error
    deadline = time.monotonic() + seconds
    while (now := load_run(record.store, record.run_id)).state == RunState.RUNNING:
        if time.monotonic() > deadline:
            raise RetrainerError(
                f"{name} did not end within {seconds:g} s of SIGTERM to process {record.pid}. "
                f"To kill it: kill -9 {record.pid}"
            )
        time.sleep(_POLL_SECONDS)
    return now
