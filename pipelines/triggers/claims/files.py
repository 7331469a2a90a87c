"""Records as files, at any URI whose file system creates a file only if there is none."""

import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from cachetools import LRUCache

from ....components.lib.errors import RetrainerError, StorageError
from ....components.lib.numbered_records import NumberedRecord, NumberedRecords
from ....components.lib.uris import filesystem, join
from ...targets.errors import UnavailableError
from .store import KEEP, Record

_SUPERSEDED = timedelta(days=2)
"""How long a record stays that has a successor. Whoever has read it and writes the next one finds that there is one;
nobody is halted for so long in between."""
_MAX_KNOWN = 1000
# The keys of ledger.py, limits.py and coalescing.py, and the files of notices.py (send.py of notify_outcome).
_RECORD = re.compile(r"((?:runs|triggers|spans)/[^/]+)/[0-9]{8,}\.json")
_NOTICE = re.compile(r"notified/[^/]+/[a-z]+-[0-9a-f]{12}-[0-9a-f]{12}\.json")
# What the file systems of fsspec call the time of the last change: local and Google's, S3's, the one in memory.
_TIMES = ("mtime", "updated", "LastModified", "created")


class FileClaims:
    """Records as files, `<uri>/<key>/<number>.json`, each created exclusively.

    Args:
        uri: A folder at any URI whose file system creates files exclusively.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._known: LRUCache[str, NumberedRecord] = LRUCache(_MAX_KNOWN)
        self._lock = Lock()

    def read(self, key: str) -> Record | None:
        """Return a key's newest record; see Claims."""
        with self._lock:
            known = self._known.get(key)
        try:
            records = self._records(key)
            found = records.newest_since(known) if known else records.newest()
        except RetrainerError:
            raise
        # Every file system has its own kinds of errors.
        except Exception as error:
            raise self._unavailable(error) from error
        return self._remember(key, found)

    def write(self, key: str, content: Mapping[str, Any], after: Record | None) -> Record | None:
        """Write a key's next record; see Claims."""
        before = NumberedRecord(after.number, after.content) if after else None
        try:
            return self._remember(key, self._records(key).append(content, before))
        except RetrainerError:
            raise
        except Exception as error:
            raise self._unavailable(error) from error

    def sweep(self, now: datetime) -> int:
        """Delete what nobody needs any more; see Claims."""
        try:
            fs, path = filesystem(self._uri)
            keys: dict[str, list[tuple[str, datetime]]] = defaultdict(list)
            for name, info in fs.find(path, detail=True).items():
                key, written = _key_of(name.removeprefix(path).strip("/")), _written(info)
                if key and written:
                    keys[key].append((name, written))
            old = [name for records in keys.values() for name in _find_old(sorted(records), now)]
            for name in old:
                fs.rm_file(name)
        except RetrainerError:
            raise
        except Exception as error:
            raise self._unavailable(error) from error
        return len(old)

    def _records(self, key: str) -> NumberedRecords:
        return NumberedRecords(join(self._uri, key), digits=8)

    def _remember(self, key: str, found: NumberedRecord | None) -> Record | None:
        if found is None:
            return None
        with self._lock:
            self._known[key] = found
        return Record(found.number, found.content)

    def _unavailable(self, error: Exception) -> UnavailableError:
        # That of a bucket names the file and the fix, in whole sentences.
        said = (
            str(error) if isinstance(error, StorageError) else f"{type(error).__name__}: {error}."
        )
        return UnavailableError(
            f"the claims at '{self._uri}' can't be read or written: {said} Check trigger_service.claims, and that this "
            "account may list, read and create files there."
        )


def _key_of(name: str) -> str:
    """Return the key that a file is a record of; empty for a file of another kind."""
    if record := _RECORD.fullmatch(name):
        return record[1]
    # A notice is a key of its own, and stays as long: it keeps its message from being sent again.
    return name if _NOTICE.fullmatch(name) else ""


def _find_old(records: list[tuple[str, datetime]], now: datetime) -> list[str]:
    """Find what may be deleted of a folder's records, in their order: whoever is interrupted leaves the newest."""
    if max(written for _, written in records) < now - KEEP:
        return [name for name, _ in records]
    return [name for name, written in records[:-1] if written < now - _SUPERSEDED]


def _written(info: Mapping[str, Any]) -> datetime | None:
    for key in _TIMES:
        time = info.get(key)
        if isinstance(time, (int, float)):
            return datetime.fromtimestamp(time, UTC)
        if isinstance(time, str):
            time = datetime.fromisoformat(time)
        if isinstance(time, datetime):
            return time if time.tzinfo else time.replace(tzinfo=UTC)
    return None
