"""Notifying of messages that start no run: those that wait for a limit, and invalid ones."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from cachetools import TTLCache

from ...components.lib.store import Store
from ...components.lib.uris import join
from ...components.notify_outcome.channels import parse_channel
from ...components.notify_outcome.incident_notices import notify_incidents
from ...components.notify_outcome.notification import Notification
from ...components.notify_outcome.send import send_all
from ..project.config import LoadedConfig
from .claims.backends import LEASE_SCHEME
from .types import Message, Outcome, Result

# A push request waits for it; who is not reached in this time is not waited for.
SEND_SECONDS = 8.0
# A message that was not taken is tried again, but not for each delivery of what it is about.
AGAIN_SECONDS = 3600.0
FOLDER = "notified"
"""Within the store's claims: a file for each message that was sent."""
_MAX_KNOWN = 10_000
_log = logging.getLogger(__name__)


class Notices:
    """Sends notices, each once over all replicas; may be used by several threads at once.

    A run that waits is one notice. Messages that can't start a run are one notice for each trigger in a day (UTC): a
    publisher that is wrong is wrong a thousand times.

    Args:
        pipeline: The pipeline's name.
        channels: The channels' settings, see `parse_channel`.
        claims_uri: Where replicas agree on what was sent.
        clock: Gives the time in seconds since 1970.
    """

    def __init__(
        self,
        pipeline: str,
        channels: Sequence[dict[str, Any]],
        claims_uri: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pipeline, self._claims_uri, self._clock = pipeline, claims_uri, clock
        self._channels = [parse_channel(channel) for channel in channels]
        self._known: TTLCache[str, bool] = TTLCache(_MAX_KNOWN, AGAIN_SECONDS, clock)
        self._lock = Lock()

    def send(self, message: Message, outcome: Outcome) -> None:
        """Notify of the outcome of a message, if a channel asks for it; raises nothing.

        Args:
            message: The message.
            outcome: Its outcome.
        """
        try:
            self._send(message, outcome)
        except Exception:
            # The outcome stands, whether or not anybody is notified.
            _log.exception("message %s: no channel was notified.", message.message_id)

    def send_incidents(self, store: str) -> None:
        """Notify of what incidents have come to; raises nothing.

        Args:
            store: URI of the store.
        """
        try:
            sent = notify_incidents(store, self._pipeline, self._channels, SEND_SECONDS)
        except Exception:
            _log.exception("no channel was notified of incidents.")
            return
        for one in sent:
            if not one.ok or one.warning:
                _log.warning(
                    "%s was not notified of an incident: %s",
                    one.channel,
                    one.warning or one.words,
                )

    def _send(self, message: Message, outcome: Outcome) -> None:
        for notice in self._notices(message, outcome):
            channels = [one for one in self._channels if notice.outcome in one.on]
            if self._is_new(notice.id):
                for sent in send_all(
                    channels, notice, self._claims_uri, SEND_SECONDS, only_claimed=True
                ):
                    if not sent.ok or sent.warning:
                        _log.warning(
                            "%s was not notified of '%s': %s",
                            sent.channel,
                            notice.title,
                            sent.warning or sent.words,
                        )

    def _notices(self, message: Message, outcome: Outcome) -> list[Notification]:
        today = f"{datetime.fromtimestamp(self._clock(), UTC):%Y-%m-%d}"
        about = [
            Notification(self._pipeline, run_id, "waiting", outcome.reason, subject=run_id)
            for run_id in outcome.waiting
        ]
        if outcome.result == Result.INVALID or outcome.refused:
            trigger = outcome.trigger or "no trigger"
            about.append(
                Notification(
                    self._pipeline,
                    f"message {message.message_id}",
                    "failed",
                    f"No run was started for a message to the trigger '{trigger}': {outcome.reason} Further "
                    f"messages of that kind on {today} (UTC) are in the log, the metrics and the dead letters only.",
                    subject=f"{trigger} {today}",
                )
            )
        return about

    def _is_new(self, notice_id: str) -> bool:
        with self._lock:
            if notice_id in self._known:
                # Left as it is: a key that is written again would never get old while the message comes again.
                return False
            self._known[notice_id] = True
            return True


def make_notices(loaded: LoadedConfig) -> Notices | None:
    """Make what notifies for the triggers of a retrain.yaml; None if nobody is to be notified.

    Args:
        loaded: The configuration.
    """
    config = loaded.config
    channels = config.notify.channels()
    if not channels:
        return None
    claims = config.trigger_service.claims or ""
    # Leases hold claims of runs alone, and a relative path is one in the store's place.
    if "://" not in claims or claims.startswith(LEASE_SCHEME):
        claims = Store(config.store).claims_uri
    return Notices(config.name, channels, join(claims, FOLDER, config.name))
