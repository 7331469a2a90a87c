"""Sending one notification over several channels: once each, in parallel, within a bounded time."""

import json
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from ..lib.messages.send_errors import MaybeSentError, NotSentError
from ..lib.moments import now_text
from ..lib.network import prepare
from ..lib.uris import create_exclusive, join, remove
from .channels import Channel
from .notification import Notification

ATTEMPT_SECONDS, ALL_SECONDS = 10.0, 40.0
_PAUSES = (1.0, 3.0)


@dataclass
class Sent:
    """The result of sending on one channel.

    Attributes:
        channel: The channel's name.
        ok: Whether it was sent, now or before.
        words: `sent`, or why not.
        warning: What else went wrong; empty for nothing.
    """

    channel: str
    ok: bool
    words: str
    warning: str = ""


def send_all(
    channels: Sequence[Channel],
    notification: Notification,
    claims_uri: str | None,
    seconds: float = ALL_SECONDS,
    pauses: Sequence[float] = _PAUSES,
    only_claimed: bool = False,
) -> list[Sent]:
    """Send a message over channels, all at once.

    A notification is sent at most once: before, a file is created exclusively in the store, named after the
    outcome, the message and the channel. Where the message was certainly not accepted, the file is removed again, so
    that a later attempt can send it. Where the reply was lost, it stays. Where no file can be created (a run may fail
    because its store is out of reach), the message is sent all the same, unless `only_claimed` says otherwise.

    Args:
        channels: Where to.
        notification: The message.
        claims_uri: Folder of those files; None to send even what was sent before.
        seconds: How long all may take.
        pauses: Seconds before each further attempt.
        only_claimed: Whether a message is left unsent where no file can be created.

    Returns:
        The result on each channel, in their order.
    """
    prepare()
    deadline = time.monotonic() + seconds
    threads = [
        _ChannelThread(channel, notification, claims_uri, deadline, pauses, only_claimed)
        for channel in channels
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [
        thread.result
        or Sent(
            thread.channel.name,
            False,
            f"no answer within {seconds:g} s; it is not known whether it was taken",
        )
        for thread in threads
    ]


class _ChannelThread(threading.Thread):
    """Sends on one channel; a daemon thread, so that a silent server does not keep the task from ending."""

    def __init__(
        self,
        channel: Channel,
        notification: Notification,
        claims_uri: str | None,
        deadline: float,
        pauses: Sequence[float],
        only_claimed: bool,
    ) -> None:
        super().__init__(name=f"notify {channel.name}", daemon=True)
        self.channel = channel
        self.result: Sent | None = None
        self._notification, self._deadline, self._pauses = notification, deadline, pauses
        self._only_claimed = only_claimed
        name = f"{notification.outcome}-{notification.id.rpartition('-')[2]}-{channel.digest}.json"
        self._claim = join(claims_uri, name) if claims_uri else None

    def run(self) -> None:
        self.result = self._send_once()

    def _send_once(self) -> Sent:
        claimed, warning = self._create_claim()
        if claimed is False:
            return Sent(self.channel.name, True, "sent before")
        if claimed is None and warning and self._only_claimed:
            return Sent(self.channel.name, False, f"not sent: {warning}")
        try:
            self._try()
        except MaybeSentError as error:
            words = f"it is not known whether it was taken: {error}"
            return Sent(self.channel.name, False, words, warning)
        except NotSentError as error:
            self._remove_claim()
            return Sent(self.channel.name, False, f"not sent: {error}", warning)
        except Exception as error:
            # A message that can't be sent fails no run. The text may hold an address that is a secret.
            words = f"it is not known whether it was taken: {type(error).__name__}"
            return Sent(self.channel.name, False, words, warning)
        return Sent(self.channel.name, True, "sent", warning)

    def _try(self) -> None:
        for pause in (*self._pauses, None):
            left = self._deadline - time.monotonic()
            try:
                self.channel.sender.send(self._notification, min(ATTEMPT_SECONDS, max(left, 1.0)))
                return
            except NotSentError as error:
                if not error.transient or pause is None:
                    raise
                if time.monotonic() + pause >= self._deadline:
                    raise
                time.sleep(pause)

    def _create_claim(self) -> tuple[bool | None, str]:
        """Return whether this call created the file (None if unknown), and a warning."""
        if not self._claim:
            return None, ""
        content = {
            "channel": self.channel.name,
            "id": self._notification.id,
            "at": now_text(),
        }
        try:
            return create_exclusive(self._claim, json.dumps(content, indent=2) + "\n"), ""
        except Exception as error:
            # Every file system has errors of its own.
            reason = " ".join(str(error).split()) or type(error).__name__
            return None, f"the claim file could not be created ({reason})"

    def _remove_claim(self) -> None:
        if self._claim:
            # If that fails, no later attempt sends it; the task's verdict reports that it was not sent.
            with suppress(Exception):
                remove(self._claim)
