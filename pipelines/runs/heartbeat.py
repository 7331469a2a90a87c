"""The heartbeat of a run whose store is a bucket: other machines can't see its process or its lock.

The file's time is that of the service that keeps it, so that the clock of the machine that runs does not matter.
"""

import threading
from contextlib import suppress
from datetime import UTC, datetime

from ...components.lib.uris import filesystem, join, write_atomic

BEAT_SECONDS = 60.0
"""How often a run that works says so."""
SILENCE_SECONDS = 600.0
"""A run that was silent for so long is dead. Ten beats: a bucket may be out of reach for minutes, clocks may differ."""
_FILE = "heartbeat"


class Heartbeat:
    """Writes a heartbeat into a run's folder while it is entered; failures are ignored.

    Args:
        run_uri: The run's folder in the store.
        seconds: How often.
    """

    def __init__(self, run_uri: str, seconds: float = BEAT_SECONDS) -> None:
        self._uri = join(run_uri, _FILE)
        self._seconds = seconds
        self._stopped = threading.Event()
        # It ends with the process: nothing waits for a bucket that does not answer.
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> "Heartbeat":
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; a write that is on its way is not waited for."""
        self._stopped.set()

    def _beat(self) -> None:
        while True:
            # A store has errors of many libraries, and a run that falls silent is taken for dead elsewhere.
            with suppress(Exception):
                write_atomic(self._uri, datetime.now(UTC).isoformat() + "\n")
            if self._stopped.wait(self._seconds):
                return


def last_heard(run_uri: str, record_uri: str) -> datetime:
    """Return when a run last wrote a heartbeat.

    Args:
        run_uri: The run's folder in the store.
        record_uri: The run's record.

    Returns:
        When the service that keeps the store got its last heartbeat or its record, whichever is newer.

    Raises:
        OSError: If the store can't be asked.
    """
    moments = []
    for uri in (join(run_uri, _FILE), record_uri):
        fs, path = filesystem(uri)
        with suppress(FileNotFoundError):
            moments.append(fs.modified(path))
    return max(
        (one if one.tzinfo else one.replace(tzinfo=UTC) for one in moments),
        default=datetime.min.replace(tzinfo=UTC),
    )
