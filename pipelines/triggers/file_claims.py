"""Records as files, at any URI whose file system creates a file only if there is none."""

import json
import re
from collections.abc import Mapping
from typing import Any

from ...components.lib.errors import RetrainerError
from ...components.lib.files import create_exclusive, filesystem, join, read_json
from ..targets.interface import UnavailableError
from .claims import Record

_RECORD_FILE = re.compile(r"(?:.*/)?(\d+)\.json")


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
