"""Sending one message over several channels: each once, within a bounded time, whatever becomes of the others."""

import json
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from ..lib.network import prepare
from ..lib.uris import create_exclusive, join, remove
from .channels import Channel
from .notification import Notice
from .send_errors import MaybeSentError, NotSentError

ATTEMPT_SECONDS, ALL_SECONDS = 10.0, 40.0
_PAUSES = (1.0, 3.0)


@dataclass
class Sent:
    """What became of a message on one channel.

    Attributes:
        channel: The channel's name.
        ok: Whether it was sent, now or before.
        words: What became of it: `sent`, or why not.
        warning: What else went wrong; empty for nothing.
    """

    channel: str
    ok: bool
    words: str
    warning: str = ""


def send_all(
    channels: Sequence[Channel],
    notice: Notice,
    claims_uri: str | None,
    seconds: float = ALL_SECONDS,
    pauses: Sequence[float] = _PAUSES,
    only_claimed: bool = False,
) -> list[Sent]:
    """Send a message over channels, all at once.

    A message is sent at most once: before it is sent, a file is created exclusively in the store, named after the
    outcome, the message and the channel. Where the message was certainly not taken, the file is removed again, so that
    a later attempt can send it. Where the reply was lost, it stays. Where no file can be created (a run may fail
    because its store is out of reach), the message is sent all the same, unless `only_claimed` says otherwise.

    Args:
        channels: Where to.
        notice: What to say.
        claims_uri: Folder of those files; None to send whatever was sent before.
        seconds: How long all may take.
        pauses: Seconds before each further attempt.
        only_claimed: Whether a message is left unsent where no file can be created.

    Returns:
        What became of it on each channel, in their order.
    """
    prepare()
    deadline = time.monotonic() + seconds
    sendings = [
        _Sending(channel, notice, claims_uri, deadline, pauses, only_claimed)
        for channel in channels
    ]
    for sending in sendings:
        sending.start()
    for sending in sendings:
        sending.join(max(0.0, deadline - time.monotonic()))
    return [
        sending.result
        or Sent(
            sending.channel.name,
            False,
            f"no answer within {seconds:g} s; it is not known whether it was taken",
        )
        for sending in sendings
    ]


class _Sending(threading.Thread):
    """One channel's; a daemon, so that a server that never answers keeps no task from ending."""

    def __init__(
        self,
        channel: Channel,
        notice: Notice,
        claims_uri: str | None,
        deadline: float,
        pauses: Sequence[float],
        only_claimed: bool,
    ) -> None:
        super().__init__(name=f"notify {channel.name}", daemon=True)
        self.channel = channel
        self.result: Sent | None = None
        self._notice, self._deadline, self._pauses = notice, deadline, pauses
        self._only_claimed = only_claimed
        name = f"{notice.outcome}-{notice.id.rpartition('-')[2]}-{channel.digest}.json"
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
            self._give_claim_up()
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
                self.channel.sender.send(self._notice, min(ATTEMPT_SECONDS, max(left, 1.0)))
                return
            except NotSentError as error:
                if not error.transient or pause is None:
                    raise
                if time.monotonic() + pause >= self._deadline:
                    raise
                time.sleep(pause)

    def _create_claim(self) -> tuple[bool | None, str]:
        """Give whether this call created the file, None where that can't be said, and a warning."""
        if not self._claim:
            return None, ""
        content = {
            "channel": self.channel.name,
            "id": self._notice.id,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            return create_exclusive(self._claim, json.dumps(content, indent=2) + "\n"), ""
        except Exception as error:
            # Every file system has errors of its own.
            reason = " ".join(str(error).split()) or type(error).__name__
            return None, f"the store can't note that it was sent ({reason})"

    def _give_claim_up(self) -> None:
        if self._claim:
            # If it can't be removed, the message is not sent later on, which is said by the task's verdict now.
            with suppress(Exception):
                remove(self._claim)
