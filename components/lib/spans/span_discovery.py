"""Finding spans: the files and tables that a pattern with `{span}` matches."""

import os
import stat
from collections import defaultdict
from collections.abc import Collection, Sequence
from glob import iglob
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from ..bigquery.bigquery_tables import find_tables, is_bigquery, read_table_fingerprints
from ..errors import RetrainerError
from ..source_files import SourceFile, SourceSpan
from ..uris import filesystem
from .span_patterns import PLACEHOLDER, STAND_IN, SpanPattern, compile_pattern, span_order

# Where a file system keeps what changes with a file.
_CHANGE_KEYS = ("etag", "ETag", "md5Hash", "generation", "mtime", "LastModified", "updated")


class NoSpansError(RetrainerError):
    """Nothing matches a pattern."""


def check_pattern(pattern: str, marker: str = "") -> None:
    """Check a pattern and a marker without looking for files.

    Args:
        pattern: As `compile_pattern` takes it.
        marker: As `find_spans` takes it.

    Raises:
        RetrainerError: If one is malformed, or they do not go together.
    """
    compile_pattern(pattern)
    if not marker:
        return
    if is_bigquery(pattern):
        raise RetrainerError(
            f"the marker is '{marker}', and tables of BigQuery have none beside them. Leave data.marker out, and start "
            "runs when a span's table is complete."
        )
    placeholder = next(PLACEHOLDER.finditer(pattern))[0]
    _compile_marker(PLACEHOLDER.sub(STAND_IN, pattern), placeholder, marker)


def find_spans(pattern: str, marker: str = "") -> list[SourceSpan]:
    """Find every span that a pattern matches.

    Args:
        pattern: As `compile_pattern` takes it.
        marker: Name of the file that completes a span, such as `_SUCCESS`, in each folder that has files of it. The
            span may stand in it (`{span}.done`). Empty: every span is whole. The marker is no data file.

    Returns:
        Spans, oldest first: by date with a format, by number if all are numbers, else by name.

    Raises:
        NoSpansError: If nothing matches the pattern.
        RetrainerError: If the pattern or the marker is malformed.
    """
    check_pattern(pattern, marker)
    if is_bigquery(pattern):
        return _find_in_bigquery(pattern, compile_pattern(pattern))
    # A protocol and a relative path are resolved before the span's part is put back in.
    placeholder = next(PLACEHOLDER.finditer(pattern))[0]
    fs, path = filesystem(PLACEHOLDER.sub(STAND_IN, pattern))
    compiled = compile_pattern(path.replace(STAND_IN, placeholder))
    marks = _compile_marker(path, placeholder, marker) if marker else None
    # Before the files: a file and its marker may be written between the two listings.
    marked = _find_marked(fs, marks) if marks else set()

    files: dict[str, list[SourceFile]] = defaultdict(list)
    halves = set()
    for name, info in sorted(_list_files(fs, compiled).items()):
        span = compiled.match(name)
        if span is None:
            continue
        if info.get("size") == 0 and name.endswith("/"):
            # Object stores keep a folder as an empty object of its name.
            continue
        if marks:
            if marks.match(name) is not None:
                continue
            if (name.rpartition("/")[0], span) not in marked:
                halves.add(span)
        fingerprint, dated = _fingerprint(info)
        files[span].append(
            SourceFile(
                name if isinstance(fs, LocalFileSystem) else fs.unstrip_protocol(name),
                info.get("size") or 0,
                fingerprint,
                compiled.partitions(name),
                dated,
            )
        )
    if not files:
        raise NoSpansError(
            f"no file matches '{pattern}'. Check data.pattern: '{{span}}' stands for a span's name, '*' for "
            "any characters within one path part; a relative path starts at retrain.yaml's folder."
        )
    return _in_order(files, compiled.date_format, halves)


def find_files(pattern: str) -> list[SourceFile]:
    """Find the files that a pattern without `{span}` matches.

    Args:
        pattern: A path or URI; `*`, `**` and `?` are those of fsspec's glob.

    Returns:
        The files by name; none if nothing matches.
    """
    fs, path = filesystem(pattern)
    if not isinstance(fs, LocalFileSystem):
        # Other processes write here, too, which a cached listing would not show.
        fs.invalidate_cache()
    files = []
    for name, info in sorted(fs.glob(path, detail=True).items()):
        if info["type"] == "directory" or name.rpartition("/")[2].startswith((".", "_")):
            continue
        local = isinstance(fs, LocalFileSystem)
        fingerprint, dated = _fingerprint(_look_at(fs, name) if local else info)
        uri = name if local else fs.unstrip_protocol(name)
        files.append(SourceFile(uri, info.get("size") or 0, fingerprint, (), dated))
    return files


def read_fingerprints(files: Sequence[SourceFile]) -> list[str]:
    """Read the fingerprints that files have now.

    Args:
        files: The files.

    Returns:
        A text for each, which changes when the file does; empty for one that is gone.
    """
    tables = read_table_fingerprints([file.uri for file in files if is_bigquery(file.uri)])
    found = []
    for file in files:
        if is_bigquery(file.uri):
            found.append(tables.get(file.uri, ""))
            continue
        fs, path = filesystem(file.uri)
        try:
            found.append(_fingerprint(_look_at(fs, path))[0])
        except FileNotFoundError:
            found.append("")
    return found


def _find_in_bigquery(pattern: str, compiled: SpanPattern) -> list[SourceSpan]:
    files: dict[str, list[SourceFile]] = defaultdict(list)
    for span, table in find_tables(pattern, compiled.match):
        files[span].append(table)
    if not files:
        raise NoSpansError(
            f"no table or partition matches '{pattern}'. Check data.pattern: '{{span}}' stands for a span's name, '*' "
            "for any characters of a table's name."
        )
    return _in_order(files, compiled.date_format)


def _in_order(
    files: dict[str, list[SourceFile]], date_format: str | None, halves: Collection[str] = ()
) -> list[SourceSpan]:
    names = sorted(files, key=span_order(list(files), date_format))
    return [SourceSpan(name, tuple(files[name]), name not in halves) for name in names]


def _compile_marker(path: str, placeholder: str, marker: str) -> SpanPattern:
    marker_name = PLACEHOLDER.sub(STAND_IN, marker)
    if any(character in marker_name for character in "/*?"):
        raise RetrainerError(
            f"the marker is '{marker}' and must be a file's name, such as '_SUCCESS' (data.marker)."
        )
    folder = path.rpartition("/")[0]
    place = f"{folder}/{marker_name}"
    if place.count(STAND_IN) != 1:
        raise RetrainerError(
            f"the marker '{marker}' in the folder '{folder.replace(STAND_IN, placeholder)}' does not say which span it "
            "completes: keep each span in a folder of its own (data.pattern), or name the span in the marker, as "
            f"'{{span}}{marker}' (data.marker), but not in both."
        )
    return compile_pattern(place.replace(STAND_IN, placeholder))


def _find_marked(fs: AbstractFileSystem, marks: SpanPattern) -> set[tuple[str, str]]:
    found = set()
    for name in _list_files(fs, marks):
        span = marks.match(name)
        if span is not None:
            found.add((name.rpartition("/")[0], span))
    return found


def _list_files(fs: AbstractFileSystem, pattern: SpanPattern) -> dict[str, dict[str, Any]]:
    """List the files that a pattern's glob matches, and what there is to know of each."""
    if not isinstance(fs, LocalFileSystem):
        found = fs.glob(pattern.glob, detail=True)
        return {name: info for name, info in found.items() if info["type"] != "directory"}
    files = {}
    # Unlike fsspec's own, it goes into folders that are symbolic links.
    for name in iglob(pattern.glob):
        if pattern.match(name) is None:
            continue
        try:
            info = _look_at(fs, name)
        except FileNotFoundError as error:
            if os.path.islink(name):
                raise RetrainerError(
                    f"'{name}' is a link to '{os.readlink(name)}', which is not there. Fix or remove the link."
                ) from error
            # It was removed after it was listed.
            continue
        if info["type"] == "file":
            files[name] = info
    return files


def _look_at(fs: AbstractFileSystem, path: str) -> dict[str, Any]:
    if not isinstance(fs, LocalFileSystem):
        info: dict[str, Any] = fs.info(path)
        return info
    # Of a symbolic link, fsspec returns when the link was made, not when the file changed.
    status = os.stat(path)
    kind = "file" if stat.S_ISREG(status.st_mode) else "other"
    return {"type": kind, "size": status.st_size, "mtime": status.st_mtime}


def _fingerprint(info: dict) -> tuple[str, bool]:
    """Return a fingerprint, and whether it has more than the size."""
    changed = next((info[key] for key in _CHANGE_KEYS if info.get(key)), "")
    return f"{info.get('size')}:{changed}", changed != ""
