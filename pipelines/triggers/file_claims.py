"""Records as files, at any URI whose file system creates a file only if there is none."""

from collections.abc import Mapping
from typing import Any

from ...components.lib.errors import RetrainerError
from ...components.lib.files import join
from ...components.lib.numbered_records import NumberedRecord, NumberedRecords
from ..targets.interface import UnavailableError
from .claims import Record


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
            return _to_record(self._records(key).newest())
        except RetrainerError:
            raise
        # Every file system has its own kinds of errors.
        except Exception as error:
            raise self._unavailable(error) from error

    def write(self, key: str, content: Mapping[str, Any], after: Record | None) -> Record | None:
        """Write a key's next record; see Claims."""
        before = NumberedRecord(after.number, after.content) if after else None
        try:
            return _to_record(self._records(key).append(content, before))
        except RetrainerError:
            raise
        except Exception as error:
            raise self._unavailable(error) from error

    def _records(self, key: str) -> NumberedRecords:
        return NumberedRecords(join(self._uri, key), digits=8)

    def _unavailable(self, error: Exception) -> UnavailableError:
        return UnavailableError(
            f"the claims at '{self._uri}' can't be read or written: {type(error).__name__}: {error}. Check "
            "trigger_service.claims, and that this account may list, read and create files there."
        )


def _to_record(found: NumberedRecord | None) -> Record | None:
    return Record(found.number, found.content) if found else None
