"""The claim on a schema's file: one command at a time changes it, and one that died holds nobody up."""

import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from ..lib.digests import digest_value
from ..lib.errors import RetrainerError
from ..lib.uris import create_exclusive, filesystem, join, read_text, remove, write_atomic

# Whoever holds the claim compares and writes two small files, which takes no longer even on a bucket.
PATIENCE_SECONDS = 10.0
# Thirty times as long: a claim of this age has no owner any more.
STALE_SECONDS = 300.0
_CLAIM = "claim.json"


@contextmanager
def claimed(uri: str, folder: str) -> Iterator[None]:
    """Hold the claim on a file for the while.

    A claim that a killed command left is taken away where that can be decided: it names a process of this machine
    that is gone, or it is `STALE_SECONDS` old by the clock of the file system that holds it, which is the only one
    that all commands share. Of several that take it away, one does.

    Args:
        uri: The file, for the message.
        folder: URI of the folder for the claim.

    Raises:
        RetrainerError: If another command holds the claim, and does not end within `PATIENCE_SECONDS`.
    """
    claim = join(folder, _CLAIM)
    own = json.dumps({**_identity(), "id": uuid.uuid4().hex}) + "\n"
    deadline = time.monotonic() + PATIENCE_SECONDS
    # A client that sends its request again because the reply was lost finds the claim that it made itself.
    while not create_exclusive(claim, own) and _read(claim) != own:
        _take_away_if_dead(claim)
        if time.monotonic() > deadline:
            raise RetrainerError(
                f"another command has been changing '{uri}' for {PATIENCE_SECONDS:.0f} seconds "
                f"({_owner_words(_read(claim))}). Try again when it has ended; if it died, its claim '{claim}' counts "
                f"for {STALE_SECONDS / 60:.0f} minutes, or until you delete it."
            )
        time.sleep(0.1)
    try:
        yield
    finally:
        # Whoever was taken for dead has no claim to give up.
        if _read(claim) == own:
            remove(claim)


def _identity() -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "processes": _process_namespace(),
        "process": os.getpid(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _process_namespace() -> str:
    # Two containers may share a host's name, and not its process ids.
    with suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return ""


def _take_away_if_dead(claim: str) -> None:
    content = _read(claim)
    if content is None or not (_is_gone(content) or _is_stale(claim)):
        return
    right = f"{claim.removesuffix('.json')}-{digest_value(content)[:12]}.dead"
    if not create_exclusive(right, content) and not _is_stale(right):
        return
    # Nobody but the holder of this right takes away a claim with this content.
    if _read(claim) == content:
        remove(claim)
    remove(right)


def _is_gone(content: str) -> bool:
    try:
        owner = json.loads(content)
        here = _identity()
        if any(owner[name] != here[name] for name in ("host", "processes")):
            return False
        os.kill(int(owner["process"]), 0)
    except ProcessLookupError:
        return True
    except (ValueError, KeyError, TypeError, OSError):
        # It is no claim of this version, or it is another account's living process.
        return False
    return False


def _is_stale(uri: str) -> bool:
    fs, path = filesystem(uri)
    clock = f"{uri}.{uuid.uuid4().hex}.clock"
    try:
        since = fs.modified(path)
        write_atomic(clock, "")
        return (fs.modified(filesystem(clock)[1]) - since).total_seconds() > STALE_SECONDS
    except (FileNotFoundError, NotImplementedError):
        return False
    finally:
        remove(clock)


def _read(uri: str) -> str | None:
    try:
        return read_text(uri)
    except FileNotFoundError:
        return None


def _owner_words(content: str | None) -> str:
    with suppress(ValueError, KeyError, TypeError):
        owner = json.loads(content or "")
        return f"process {owner['process']} on {owner['host']}, since {owner['since']}"
    return "which one is not known"
