"""From a message to at most one run for each cause."""

import time
from collections.abc import Callable, Mapping

from ..targets.interface import Target
from ..trigger_config import TriggerConfig
from .interface import Message, Outcome
from .ledger import Ledger


class Dispatcher:
    """Decides what a message starts, and starts it. All methods may be called from several threads at once.

    Args:
        pipeline: The pipeline's name, which run ids start with.
        triggers: The triggers by name.
        default_pattern: `data.pattern`, for storage triggers without a pattern of their own.
        target: Where runs go.
        ledger: Where runs are claimed and counted; None where nothing needs it (see `needs_ledger`).
        clock: Gives the time in seconds since 1970.

    Raises:
        RetrainerError: If a trigger can't work: a pattern that is not on `gs://`, a marker beside no span.
    """

    def __init__(
        self,
        pipeline: str,
        triggers: Mapping[str, TriggerConfig],
        default_pattern: str,
        target: Target,
        ledger: Ledger | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        raise NotImplementedError

    def handle(self, message: Message) -> Outcome:
        """Start what a message asks for, unless that was started before. Waits for the network."""
        raise NotImplementedError

    def glance(self, message: Message) -> Outcome | None:
        """Give the outcome of a message if that needs no network, in well under a millisecond; else None."""
        raise NotImplementedError
