"""A lock in the store, so that one process at a time deploys to a service.

Its owner writes a sign of life every few seconds. Whoever waits takes the lock over from an owner that has written
nothing for a while by the waiter's own clock, so clocks of machines are never compared. An owner that was stopped
for so long finds out at its next `check`.
"""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ..errors import RetrainerError
from ..moments import now_text
from ..numbered_records import NumberedRecord, NumberedRecords
from ..uris import join, read_text, remove, write_atomic

# A reader that listed the folder before these were written may still ask for the ones before.
_KEPT_RECORDS = 4
_log = logging.getLogger("retrainer.serving")


class LockLostError(RetrainerError):
    """Another process took the lock over, since this one wrote no sign of life for too long."""


@dataclass(frozen=True)
class LockTiming:
    """How long things take, in seconds.

    Attributes:
        heartbeat: Between an owner's signs of life.
        stale: Without a sign of life, until others take the lock over.
        wait: Until a waiter gives up.
        poll: Between a waiter's looks.
    """

    heartbeat: float = 10.0
    stale: float = 60.0
    wait: float = 3600.0
    poll: float = 2.0


@dataclass(frozen=True)
class Lock:
    """A lock that this process holds.

    Attributes:
        records: Its owners, one after the other.
        own: The record that made this process the owner.
    """

    records: NumberedRecords
    own: NumberedRecord

    def check(self) -> None:
        """Check that this process is still the owner.

        Raises:
            LockLostError: If another process took the lock over.
        """
        newest = self.records.newest_since(self.own)
        if newest is None or newest.content.get("id") != self.own.content["id"]:
            owner = describe_owner(newest.content if newest else {})
            raise LockLostError(
                f"this process wrote nothing to the lock '{self.records.uri}' for too long, and {owner} took it over. "
                "Run 'retrainer deploy' again."
            )


@contextmanager
def hold_lock(
    uri: str,
    what: str,
    timing: LockTiming | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[Lock]:
    """Hold a lock while something is done.

    Args:
        uri: Folder of the lock.
        what: What it is for, for messages.
        timing: How long things take.
        on_wait: Called once with a sentence if another process holds it.

    Yields:
        The lock.

    Raises:
        RetrainerError: If another process holds it for longer than `timing.wait`.
        OSError: If the store can't be written.
    """
    timing = timing or LockTiming()
    records = NumberedRecords(uri)
    lock = Lock(records, _acquire(records, what, timing, on_wait))
    sign = _sign_uri(uri, lock.own.content)
    stopped = threading.Event()
    beating = threading.Thread(
        target=_beat, args=(sign, timing.heartbeat, stopped), name="lock", daemon=True
    )
    beating.start()
    try:
        yield lock
    finally:
        stopped.set()
        beating.join()
        # What is not released is taken over after a while.
        with suppress(Exception):
            _release(lock, sign)


def describe_owner(content: Mapping[str, Any]) -> str:
    """Name the owner of a lock."""
    try:
        run = f" of run '{content['run']}'" if content.get("run") else ""
        return f"process {content['process']}{run} on {content['host']}, since {content['since']}"
    except KeyError:
        return "another process"


def _acquire(
    records: NumberedRecords,
    what: str,
    timing: LockTiming,
    on_wait: Callable[[str], None] | None,
) -> NumberedRecord:
    own = {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "since": now_text(),
        "id": uuid.uuid4().hex,
    }
    started = heard = time.monotonic()
    seen: tuple[int, str] | None = None
    while True:
        newest = records.newest()
        free = newest is None or bool(newest.content.get("released"))
        if newest and not free:
            state = (newest.number, _read_sign(records.uri, newest.content))
            if state != seen:
                seen, heard = state, time.monotonic()
            free = time.monotonic() - heard >= timing.stale
        if free:
            if taken := records.append(own, newest):
                if newest and not newest.content.get("released"):
                    _log.warning(
                        "%s did not end; it is taken over.", describe_owner(newest.content)
                    )
                    remove(_sign_uri(records.uri, newest.content))
                return taken
            continue
        owner = describe_owner(newest.content if newest else {})
        if time.monotonic() - started >= timing.wait:
            raise RetrainerError(
                f"{what} is being changed by {owner}. Try again when it has ended; if it died, its lock is taken over "
                f"{timing.stale:.0f} seconds after."
            )
        if on_wait:
            on_wait(f"waiting for {owner}, which is changing {what}")
            on_wait = None
        time.sleep(timing.poll)


def _beat(sign: str, seconds: float, stopped: threading.Event) -> None:
    count = 0
    while not stopped.wait(seconds):
        count += 1
        # The store may be away for a moment; `check` says if that was too long.
        with suppress(Exception):
            write_atomic(sign, f"{count}\n", durable=False)


def _release(lock: Lock, sign: str) -> None:
    lock.records.append({"released": True, "id": lock.own.content["id"]}, lock.own)
    remove(sign)
    for number in lock.records.numbers():
        if number < lock.own.number - _KEPT_RECORDS:
            remove(join(lock.records.uri, f"{number:0{lock.records.digits}d}.json"))


def _read_sign(uri: str, owner: Mapping[str, Any]) -> str:
    try:
        return read_text(_sign_uri(uri, owner))
    except FileNotFoundError:
        return ""


def _sign_uri(uri: str, owner: Mapping[str, Any]) -> str:
    return join(uri, f"alive-{owner.get('id', '')}")
