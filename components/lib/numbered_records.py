"""Records that several processes change without a lock: numbered files, each created exclusively.

A sequence of records is a folder of `<number>.json`, numbered from 1. A record is written as the successor of the one
that its writer read; of several writers who read the same one, exactly one succeeds. The registry's aliases and
the triggers' claims are such sequences.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .errors import RetrainerError
from .uris import create_exclusive, join, list_names, read_json

RESTORE = "Restore it from a copy: without it, the record before it would be the newest."
"""What to do if a record is damaged."""
_FILE = re.compile(r"(\d+)\.json")


@dataclass(frozen=True)
class NumberedRecord:
    """A record.

    Attributes:
        number: Its place in the sequence, from 1.
        content: What its writer wrote.
    """

    number: int
    content: Mapping[str, Any]


@dataclass(frozen=True)
class NumberedRecords:
    """A sequence of records.

    Attributes:
        uri: Its folder, at any URI whose file system creates files exclusively.
        digits: Minimum number of digits in a file's name.
    """

    uri: str
    digits: int = 6

    def numbers(self) -> list[int]:
        """List the numbers of the records, in order; a folder that does not exist has none."""
        matches = map(_FILE.fullmatch, list_names(self.uri))
        return sorted(int(match[1]) for match in matches if match)

    def newest(self) -> NumberedRecord | None:
        """Read the newest record; None if there is none."""
        numbers = self.numbers()
        return self.get(numbers[-1]) if numbers else None

    def newest_since(self, known: NumberedRecord) -> NumberedRecord | None:
        """Read the newest record, starting from a known one: the folder, which may have thousands, is not listed.

        Args:
            known: A record that was the newest. If it is gone, the folder is listed.
        """
        try:
            newest = self.get(known.number)
        except FileNotFoundError:
            return self.newest()
        while True:
            try:
                newest = self.get(newest.number + 1)
            except FileNotFoundError:
                return newest

    def get(self, number: int) -> NumberedRecord:
        """Read one record.

        Raises:
            FileNotFoundError: If the number is unknown.
            RetrainerError: If it is damaged.
        """
        uri = self.file_uri(number)
        content = read_json(uri, RESTORE)
        if not isinstance(content, Mapping):
            raise RetrainerError(f"'{uri}' is no record that retrainer wrote. {RESTORE}")
        return NumberedRecord(number, content)

    @contextmanager
    def reading(self, record: NumberedRecord) -> Iterator[None]:
        """Name a record in the errors of code that takes it apart.

        Args:
            record: The record.

        Raises:
            RetrainerError: If the code meets a key that is missing, or a value of another type.
        """
        try:
            yield
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            fault = f"it has no {error}" if isinstance(error, KeyError) else error
            raise RetrainerError(
                f"'{self.file_uri(record.number)}' is no record that retrainer wrote: {fault}. {RESTORE}"
            ) from error

    def append(
        self, content: Mapping[str, Any], after: NumberedRecord | None
    ) -> NumberedRecord | None:
        """Write the successor of a record.

        A client that retries because the reply was lost finds the file that it created itself. So a failed create is
        checked: if the file has the same content, this call created it.

        Args:
            content: JSON values, with something unique to this writer, such as `uuid4().hex`.
            after: The newest record as it was read; None if there was none.

        Returns:
            The new record; None if another writer was first.
        """
        record = NumberedRecord(after.number + 1 if after else 1, content)
        uri = self.file_uri(record.number)
        try:
            created = create_exclusive(uri, json.dumps(content, indent=2) + "\n")
        except Exception:
            if self._holds(uri, content):
                return record
            raise
        return record if created or read_json(uri) == content else None

    def _holds(self, uri: str, content: Mapping[str, Any]) -> bool:
        try:
            return read_json(uri) == content
        # The first failure is the one to report.
        except Exception:
            return False

    def file_uri(self, number: int) -> str:
        """Return the URI of a record."""
        return join(self.uri, f"{number:0{self.digits}d}.json")
