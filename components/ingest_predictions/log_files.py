"""The files of a log: which there are, and which rows of which spans each has."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from ..lib.errors import RetrainerError
from ..lib.progress import progress
from ..lib.uris import ASIDE, exists, filesystem, is_local, read_json, write_json
from .logged import LogFile
from .moments import Periods, choose_moment, read_moment
from .opened_log import CutOffError, open_log
from .readers.reader import Reader

FORMAT = 1
_MODIFIED = ("mtime", "updated", "LastModified", "last_modified", "timeModified")
_CHANGES = ("etag", "ETag", "md5Hash", "generation", *_MODIFIED)
_COMPRESSED = (".gz", ".bz2")
_DIGEST_BYTES = 16
_LOOKS_AT_ONCE = 8
_CUT_OFF = b"cut off"


@dataclass(frozen=True)
class Survey:
    """What a file has.

    Attributes:
        fingerprint: The file's fingerprint when it was read.
        spans: By the number of a span: how many records, and a digest of them.
        tails: Digest of the records shortly after a span's end, by its number, where answers of its requests may be.
        undated: Records that neither have a time nor a file that has one.
    """

    fingerprint: str
    spans: Mapping[int, tuple[int, str]] = field(default_factory=dict)
    tails: Mapping[int, str] = field(default_factory=dict)
    undated: int = 0


def list_logs(logs: str, endings: Sequence[str]) -> tuple[list[LogFile], list[str]]:
    """List the files of a log.

    Args:
        logs: A folder, with all folders in it; or a pattern with `*`.
        endings: What the names of files in a folder end in, before an ending of compression. A pattern takes any.

    Returns:
        The files by name, without empty ones and those that are being written: their names begin with `.` or `_`, or
        end in `.tmp`. And the names of others that are no files of the log, by their endings.

    Raises:
        RetrainerError: If there is no such folder on this machine.
    """
    fs, path = filesystem(logs)
    path = path.rstrip("/")
    if "*" in path or "?" in path:
        found = fs.glob(path, detail=True)
        root, endings = path[: min(path.find(one) for one in "*?" if one in path)], ()
        root = root.rpartition("/")[0]
    else:
        if not fs.exists(path):
            if is_local(logs):
                raise RetrainerError(
                    f"there is no folder '{logs}' with logs. Fix monitoring.predictions.uri, or let the server write "
                    "there."
                )
            return [], []
        found = fs.find(path, detail=True)
        root = path
    files, others = [], []
    for name, info in sorted(found.items()):
        below = name[len(root) :].lstrip("/")
        if info.get("type") == "directory" or not info.get("size") or _is_aside(below):
            continue
        if not _has_ending(below, endings):
            others.append(below)
            continue
        files.append(
            LogFile(
                name if is_local(logs) else fs.unstrip_protocol(name),
                below,
                info["size"],
                _modified(info),
                f"{info['size']}:{next((info[key] for key in _CHANGES if info.get(key)), '')}",
            )
        )
    return files, others


def survey_file(
    file: LogFile, reader: Reader, periods: Periods, tolerance: int, tail: int, whole_before: int
) -> Survey:
    """Read which records a file has of which spans.

    Args:
        file: The file.
        reader: Of its format.
        periods: Spans.
        tolerance: By how much clocks may differ, in microseconds.
        tail: How long after a span's end answers of its requests may come, in microseconds.
        whole_before: A file that was written later may be incomplete still; microseconds since 1970.

    Raises:
        FileNotFoundError: If it is gone.
    """
    rows: dict[int, int] = {}
    digests: dict[int, Any] = {}
    tails: dict[int, Any] = {}
    undated, last, fingerprint = 0, None, file.fingerprint
    with open_log(file) as log:
        try:
            for time, content in reader.read_moments(log):
                moment = choose_moment(time, file.modified, tolerance)
                if moment is None:
                    undated += 1
                    continue
                last = moment.time
                span = periods.index(last)
                if span not in digests:
                    rows[span], digests[span] = 0, _begin()
                rows[span] += 1
                digests[span].update(content)
                if reader.pairs and last - periods.start(span) < tail:
                    tails.setdefault(span - 1, _begin()).update(content)
        except CutOffError:
            # What stands before is read all the same.
            growing = file.modified is not None and file.modified > whole_before
            if growing:
                # It is read again at the next look, even if it did not grow.
                fingerprint = ""
            elif file.modified is not None:
                span = periods.index(last if last is not None else file.modified)
                rows.setdefault(span, 0)
                digests.setdefault(span, _begin()).update(_CUT_OFF)
        # Of formats whose records have no bytes of their own.
        whole = log.digest() if reader.whole else ""
    return Survey(
        fingerprint,
        {span: (count, whole or digests[span].hexdigest()) for span, count in rows.items()},
        {span: whole or one.hexdigest() for span, one in tails.items()},
        undated,
    )


def survey_logs(
    files: Sequence[LogFile], known: Mapping[str, Survey], survey: Callable[[LogFile], Survey]
) -> dict[str, Survey]:
    """Read which records files have, of those that are new or changed.

    Args:
        files: The files.
        known: What is known of files, by URI.
        survey: Reads one.

    Returns:
        What is known of each file now, by URI; those that are gone meanwhile are left out.
    """

    def look(file: LogFile) -> Survey | None:
        one = known.get(file.uri)
        if one is not None and one.fingerprint == file.fingerprint:
            return one
        try:
            return survey(file)
        except FileNotFoundError:
            return None

    found = {}
    # A bucket answers slowly, and many at once.
    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        for number, (file, one) in enumerate(zip(files, pool.map(look, files), strict=True)):
            progress("reading logs", number, len(files))
            if one is not None:
                found[file.uri] = one
    return found


def read_seen(uri: str) -> dict[str, Survey]:
    """Read what earlier looks found in files; nothing if there was none, or another format."""
    if not exists(uri):
        return {}
    content = read_json(uri)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return {}
    return {
        file: Survey(
            one["fingerprint"],
            {int(span): (rows, digest) for span, (rows, digest) in one["spans"].items()},
            {int(span): digest for span, digest in one["tails"].items()},
            one["undated"],
        )
        for file, one in content["files"].items()
    }


def write_seen(uri: str, found: Mapping[str, Survey]) -> None:
    """Keep what was found in files: only a shortcut, so the last of several writers counts."""
    write_json(
        uri, {"format": FORMAT, "files": {file: asdict(survey) for file, survey in found.items()}}
    )


def _begin() -> Any:
    return hashlib.blake2b(digest_size=_DIGEST_BYTES)


def _is_aside(name: str) -> bool:
    return name.endswith(ASIDE) or any(part.startswith((".", "_")) for part in name.split("/"))


def _has_ending(name: str, endings: Sequence[str]) -> bool:
    bare = name.lower()
    for ending in _COMPRESSED:
        bare = bare.removesuffix(ending)
    return not endings or bare.endswith(tuple(endings))


def _modified(info: Mapping[str, Any]) -> int | None:
    value = next((info[key] for key in _MODIFIED if info.get(key)), None)
    return read_moment(value) if isinstance(value, datetime | str | int | float) else None
