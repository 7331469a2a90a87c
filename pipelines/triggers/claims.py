"""Records that several processes change without a lock: whoever writes the next one first has it.

A key has a sequence of records, numbered from 1. A record is written as the successor of the one that its writer has
read, and refused if that one has a successor by now. Everything that replicas must agree on is built on this.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ...components.lib.errors import RetrainerError
from ...components.lib.files import create_exclusive, filesystem, join, read_json
from ..targets.interface import UnavailableError

LEASE_SCHEME = "lease://"
_RECORD_FILE = re.compile(r"(?:.*/)?(\d+)\.json")


@dataclass(frozen=True)
class Record:
    """A record of a key.

    Attributes:
        number: Its place in the key's sequence, from 1.
        content: What its writer wrote, with something in it that no other writer writes.
        version: What its store tells it from others by, if not the number.
    """

    number: int
    content: Mapping[str, Any]
    version: str = ""


class Claims(Protocol):
    """A store of records. UnavailableError where it can't be reached, another RetrainerError where it refuses."""

    def read(self, key: str) -> Record | None:
        """Give a key's newest record.

        Args:
            key: Parts of lower case letters, digits, dashes and dots, with slashes between them.
        """

    def write(self, key: str, content: Mapping[str, Any], after: Record | None) -> Record | None:
        """Write a key's next record.

        Args:
            key: As in `read`.
            content: What JSON can hold, with something in it that no other writer writes.
            after: The newest record as it was read; None if there was none.

        Returns:
            The record; None if somebody else was quicker.
        """


class FileClaims:
    """Records as files, `<uri>/<key>/<number>.json`, each created exclusively.

    Args:
        uri: A folder at any URI whose file system creates files exclusively.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def read(self, key: str) -> Record | None:
        """Give a key's newest record; see Claims."""
        try:
            numbers = self._list(key)
            if not numbers:
                return None
            return Record(numbers[-1], read_json(self._record_uri(key, numbers[-1])))
        except RetrainerError:
            raise
        # Every file system has its own kinds of errors.
        except Exception as error:
            raise self._unavailable(error) from error

    def write(self, key: str, content: Mapping[str, Any], after: Record | None) -> Record | None:
        """Write a key's next record; see Claims."""
        record = Record(after.number + 1 if after else 1, content)
        uri = self._record_uri(key, record.number)
        try:
            # A client that sends again after a lost reply meets the file that it made itself.
            ours = create_exclusive(uri, json.dumps(content)) or read_json(uri) == content
        except RetrainerError:
            raise
        except Exception as error:
            raise self._unavailable(error) from error
        return record if ours else None

    def _list(self, key: str) -> list[int]:
        fs, path = filesystem(join(self._uri, key))
        # Others write here, too, and a listing from a cache would not show it.
        fs.invalidate_cache(path)
        try:
            names = fs.ls(path, detail=False)
        except FileNotFoundError:
            return []
        return sorted(int(match[1]) for name in names if (match := _RECORD_FILE.fullmatch(name)))

    def _record_uri(self, key: str, number: int) -> str:
        return join(self._uri, key, f"{number:08d}.json")

    def _unavailable(self, error: Exception) -> UnavailableError:
        return UnavailableError(
            f"the claims at '{self._uri}' can't be read or written: {type(error).__name__}: {error}. Check "
            "trigger_service.claims, and that this account may list, read and create files there."
        )


def open_claims(uri: str) -> Claims:
    """Open a store of records, and make sure that it lets nobody write a record twice.

    Args:
        uri: A folder or URI, or `lease://<namespace>`.

    Raises:
        RetrainerError: If it can't be written, or creates a file that is there already.
    """
    if uri.startswith(LEASE_SCHEME):
        from .leases import LeaseClaims

        claims: Claims = LeaseClaims(uri.removeprefix(LEASE_SCHEME))
    else:
        claims = FileClaims(uri)
    _probe(claims, uri)
    return claims


def _probe(claims: Claims, uri: str) -> None:
    """Write a first record twice, of which one has to fail. It stays for the next probe."""
    for attempt in ("one", "another"):
        written = claims.write("probe", {"attempt": attempt}, after=None)
    if written is not None:
        raise RetrainerError(
            f"'{uri}' creates a file that is there already, so that two replicas would start the same run. Set "
            "trigger_service.claims to a local folder, a gs:// or s3:// folder, or lease://<namespace>."
        )
