"""Looking into the store for incidents that ask for a run, so that a message that was lost loses nothing."""

import logging
import threading
from collections.abc import Callable, Iterable

from ..types import Message
from .processing import Processor

EVERY_SECONDS = 60.0
_log = logging.getLogger(__name__)


class IncidentPoller:
    """Handles what the store asks for as if a message had come, in a thread that ends with the process.

    Args:
        messages: Returns a message for each incident that asks for a run.
        processor: Handles them.
        after: Is called after each look that handled one.
        seconds: How often the store is looked into.
    """

    def __init__(
        self,
        messages: Callable[[], Iterable[Message]],
        processor: Processor,
        after: Callable[[], None] = lambda: None,
        seconds: float = EVERY_SECONDS,
    ) -> None:
        self._messages, self._processor, self._seconds = messages, processor, seconds
        self._after = after
        self._stopped = threading.Event()
        self._failed = ""

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="incidents", daemon=True).start()

    def stop(self) -> None:
        """Begin no more."""
        self._stopped.set()

    def poll(self) -> None:
        """Look now. What can't be read is logged, once for each reason, and tried again the next time."""
        try:
            for message in self._messages():
                if self._stopped.is_set():
                    return
                self._processor.process(message)
            self._after()
        # A store has errors of many libraries, and none of them may end this thread.
        except Exception as error:
            failed = f"{type(error).__name__}: {error}"
            if failed != self._failed:
                _log.warning("incidents in the store can't be followed: %s", failed)
            self._failed = failed
        else:
            self._failed = ""

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            self.poll()
