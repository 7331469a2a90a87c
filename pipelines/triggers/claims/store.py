"""Records that several processes change without a lock: whoever writes the next one first has it.

A key has a sequence of records, numbered from 1. A record is written as the successor of the one that its writer has
read, and refused if that one has a successor by now. Everything that replicas must agree on is built on this.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

KEEP = timedelta(days=45)
"""A key that nobody has written to for so long may be deleted: a message is kept for 31 days, a cool-down lasts 30."""


@dataclass(frozen=True)
class Record:
    """A record of a key.

    Attributes:
        number: Its place in the key's sequence, from 1.
        content: What its writer wrote, with something in it that no other writer writes.
        version: By what its store identifies it, if not the number.
    """

    number: int
    content: Mapping[str, Any]
    version: str = ""


class Claims(Protocol):
    """A store of records. UnavailableError where it can't be reached, another RetrainerError where it refuses."""

    def read(self, key: str) -> Record | None:
        """Return a key's newest record.

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

    def sweep(self, now: datetime) -> int:
        """Delete what nobody needs any more: keys that are older than KEEP, and records that have long had a successor.

        Args:
            now: The time.

        Returns:
            How many records were deleted.
        """
