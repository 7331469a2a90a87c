"""Deleting old claims, beside the service's work."""

import logging
import threading
from datetime import UTC, datetime

from ....components.lib.errors import RetrainerError
from .store import Claims

# Not at once: a service that is restarted again and again would do nothing else.
FIRST_SECONDS = 600.0
EVERY_SECONDS = 24 * 3600.0
_log = logging.getLogger(__name__)


class Sweeper:
    """Deletes old claims once a day, in a thread that ends with the process.

    Args:
        claims: The claims.
    """

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._stopped = threading.Event()

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="sweeping", daemon=True).start()

    def stop(self) -> None:
        """Begin no more."""
        self._stopped.set()

    def sweep(self) -> None:
        """Delete old claims now. What can't be deleted is logged, and stays: nothing depends on it."""
        try:
            count = self._claims.sweep(datetime.now(UTC))
        except RetrainerError as error:
            _log.info("old claims were not deleted: %s", error)
        else:
            if count:
                _log.info("%d old claims were deleted.", count)

    def _run(self) -> None:
        pause = FIRST_SECONDS
        while not self._stopped.wait(pause):
            self.sweep()
            pause = EVERY_SECONDS
