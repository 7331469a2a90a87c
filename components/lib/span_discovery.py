"""Finding spans: the files behind a pattern with `{span}` in it."""

import os
import re
import stat
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from glob import iglob
from typing import Any
from urllib.parse import unquote

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from .bigquery_tables import find_tables, is_bigquery, read_table_fingerprints
from .errors import RetrainerError
from .uris import filesystem

LATEST = "latest"
_PLACEHOLDER = re.compile(r"\{span(?::(?P<format>[^}]+))?\}")
# Holds the place of `{span}`, whose format may have slashes, while a path is taken apart.
_STAND_IN = "\x00"
# What Hive and Spark write for a missing value.
_HIVE_MISSING = "__HIVE_DEFAULT_PARTITION__"
# What a wildcard at the beginning of a path part does not match, as in a shell.
_NOT_HIDDEN = r"(?!\.)"
_DATE_FIELDS = {
    "%Y": r"\d{4}",
    "%m": r"\d{2}",
    "%d": r"\d{2}",
    "%H": r"\d{2}",
    "%M": r"\d{2}",
    "%j": r"\d{3}",
}


@dataclass(frozen=True)
class SourceFile:
    """A source file of a span, or a table.

    Attributes:
        uri: Where it is.
        size: Bytes.
        fingerprint: Changes when the file does, without reading it (size and time of change, or what an
            object store calls an ETag; of a table, its number of rows and time of change). It ends with a colon where
            nothing but the size is known.
        partitions: Columns that stand in its path, as `site=north` does, with their value; None for a missing one.
    """

    uri: str
    size: int
    fingerprint: str
    partitions: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True)
class SourceSpan:
    """One span as the source has it.

    Attributes:
        name: What stood in the place of `{span}`.
        files: Its files, sorted by name.
        whole: False if a marker was asked for and lacks beside one of the files: the span is still being written.
    """

    name: str
    files: tuple[SourceFile, ...]
    whole: bool = True


@dataclass(frozen=True)
class SpanPattern:
    """A pattern that is ready to be matched.

    Attributes:
        regex: Matches a whole name, with a group `span`.
        glob: Matches at least the names that `regex` does.
        date_format: Format of the spans' dates, None where spans are plain names.
        folders: Of each part of a path, whether a wildcard matches it that has no part of the span beside it.
    """

    regex: re.Pattern[str]
    glob: str
    date_format: str | None
    folders: tuple[bool, ...] = ()

    def partitions(self, name: str) -> tuple[tuple[str, str | None], ...]:
        """Read the columns that stand in a file's path (https://cwiki.apache.org/confluence/display/Hive/DynamicPartitions).

        Args:
            name: A path or URI that the pattern matches.

        Returns:
            Names and values, None where it is missing, of folders such as `site=north` that a wildcard of the pattern
            matches. What the pattern spells out is the same for all files, and the span's own folder is the span.
        """
        found = []
        # The last part is the file's own name.
        for open_ended, folder in zip(self.folders[:-1], name.split("/")[:-1], strict=False):
            column, is_partition, value = folder.partition("=")
            if open_ended and is_partition and column:
                missing = value == _HIVE_MISSING
                found.append((unquote(column), None if missing else unquote(value)))
        return tuple(found)

    def match(self, name: str) -> str | None:
        """Give the span that a file belongs to.

        Args:
            name: The file's path or URI, in the form that the pattern has.

        Returns:
            What stands in the place of `{span}`; None if the name does not match, or has a date that is none.
        """
        match = self.regex.fullmatch(name)
        if match is None:
            return None
        span = match["span"]
        if self.date_format:
            try:
                datetime.strptime(span, self.date_format)
            except ValueError:
                return None
        return span


def compile_pattern(pattern: str) -> SpanPattern:
    """Compile a pattern.

    Args:
        pattern: A path or URI with one `{span}`, or `{span:FORMAT}` with date fields of strptime
            (`%Y %m %d %H %M %j`). `*` and `?` match within a path part; like `{span}` they do not stand for the dot of
            a hidden file at its beginning. Or tables of BigQuery: see `find_tables`.

    Raises:
        RetrainerError: If it has not exactly one `{span}`, one whose end is open, or a format that gives no dates.
    """
    placeholders = _PLACEHOLDER.findall(pattern)
    if len(placeholders) != 1:
        raise RetrainerError(
            f"the pattern '{pattern}' has {len(placeholders)} '{{span}}' in it and needs one, as in "
            "'data/sales-{span}.csv' or 'gs://bucket/day={span:%Y-%m-%d}/*.parquet'."
        )
    date_format = placeholders[0] or None
    before, after = _PLACEHOLDER.sub(_STAND_IN, pattern).split(_STAND_IN)
    if not date_format and (before.endswith(("*", "?")) or after.startswith(("*", "?"))):
        raise RetrainerError(
            f"the pattern '{pattern}' has a '*' or '?' right beside '{{span}}', which leaves open where a span's name "
            "ends. Put a character between them, or say what the name is, as in '{span:%Y-%m-%d}*.csv'."
        )
    span_regex = _date_regex(pattern, date_format) if date_format else "[^/]+?"
    if before.endswith("/"):
        span_regex = f"{_NOT_HIDDEN}{span_regex}"
    span_glob = re.sub(r"%[a-zA-Z]", "*", date_format) if date_format else "*"
    return SpanPattern(
        re.compile(f"{_glob_regex(before)}(?P<span>{span_regex}){_glob_regex(after)}"),
        _glob(f"{before}{span_glob}{after}"),
        date_format,
        tuple(
            _STAND_IN not in part and ("*" in part or "?" in part)
            for part in f"{before}{_STAND_IN.join(span_glob.split('*'))}{_STAND_IN}{after}".split(
                "/"
            )
        ),
    )


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
    placeholder = next(_PLACEHOLDER.finditer(pattern))[0]
    _compile_marker(_PLACEHOLDER.sub(_STAND_IN, pattern), placeholder, marker)


def find_spans(pattern: str, marker: str = "") -> list[SourceSpan]:
    """Find every span behind a pattern.

    Args:
        pattern: As `compile_pattern` takes it.
        marker: Name of the file that completes a span, such as `_SUCCESS`, in each folder that has files of it. The
            span may stand in it (`{span}.done`). Empty: every span is whole. The marker itself is no data.

    Returns:
        Spans, oldest first: by date with a format, by number if all are numbers, else by name.

    Raises:
        RetrainerError: If the pattern or the marker is malformed, or nothing lies behind the pattern.
    """
    check_pattern(pattern, marker)
    if is_bigquery(pattern):
        return _find_in_bigquery(pattern, compile_pattern(pattern))
    # A protocol and a relative path are resolved before the span's part is put back in.
    placeholder = next(_PLACEHOLDER.finditer(pattern))[0]
    fs, path = filesystem(_PLACEHOLDER.sub(_STAND_IN, pattern))
    compiled = compile_pattern(path.replace(_STAND_IN, placeholder))
    marks = _compile_marker(path, placeholder, marker) if marker else None
    # Looked for before the files: who writes a file and then the marker in between is not taken for whole.
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
        files[span].append(
            SourceFile(
                name if isinstance(fs, LocalFileSystem) else fs.unstrip_protocol(name),
                info.get("size") or 0,
                _fingerprint(info),
                compiled.partitions(name),
            )
        )
    if not files:
        raise RetrainerError(
            f"no file matches '{pattern}'. Check data.pattern: '{{span}}' stands for a span's name, '*' for "
            "any characters within one path part; a relative path starts at retrain.yaml's folder."
        )
    return _in_order(files, compiled.date_format, halves)


def read_fingerprints(files: Sequence[SourceFile]) -> list[str]:
    """Look at files as they are now: what is given changes when one of them does, or goes.

    Args:
        files: The files.

    Returns:
        A text for each; empty for one that is gone.
    """
    tables = read_table_fingerprints([file.uri for file in files if is_bigquery(file.uri)])
    found = []
    for file in files:
        if is_bigquery(file.uri):
            found.append(tables.get(file.uri, ""))
            continue
        fs, path = filesystem(file.uri)
        try:
            found.append(_fingerprint(_look_at(fs, path)))
        except FileNotFoundError:
            found.append("")
    return found


def _find_in_bigquery(pattern: str, compiled: SpanPattern) -> list[SourceSpan]:
    files: dict[str, list[SourceFile]] = defaultdict(list)
    for span, table in find_tables(pattern, compiled.match):
        files[span].append(SourceFile(*table))
    if not files:
        raise RetrainerError(
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
    marker_name = _PLACEHOLDER.sub(_STAND_IN, marker)
    if any(character in marker_name for character in "/*?"):
        raise RetrainerError(
            f"the marker is '{marker}' and must be a file's name, such as '_SUCCESS' (data.marker)."
        )
    folder = path.rpartition("/")[0]
    place = f"{folder}/{marker_name}"
    if place.count(_STAND_IN) != 1:
        raise RetrainerError(
            f"the marker '{marker}' in the folder '{folder.replace(_STAND_IN, placeholder)}' can't tell which span it "
            "completes: keep each span in a folder of its own (data.pattern), or name the span in the marker, as "
            f"'{{span}}{marker}' (data.marker), but not in both."
        )
    return compile_pattern(place.replace(_STAND_IN, placeholder))


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
                    f"'{name}' is a link to '{os.readlink(name)}', which is not there. Mend or remove the link."
                ) from error
            # It went since it was listed.
            continue
        if info["type"] == "file":
            files[name] = info
    return files


def _look_at(fs: AbstractFileSystem, path: str) -> dict[str, Any]:
    if not isinstance(fs, LocalFileSystem):
        info: dict[str, Any] = fs.info(path)
        return info
    # Of a symbolic link, fsspec tells when the link was made, and not when the file changed.
    status = os.stat(path)
    kind = "file" if stat.S_ISREG(status.st_mode) else "other"
    return {"type": kind, "size": status.st_size, "mtime": status.st_mtime}


def _date_regex(pattern: str, date_format: str) -> str:
    fields = re.findall(r"%.", date_format)
    unknown = [field for field in fields if field not in _DATE_FIELDS]
    twice = [field for field in fields if fields.count(field) > 1]
    # The 29th of February is a day of some years, and none can be ordered without its year.
    yearless = {"%m", "%d"} <= set(fields) and "%Y" not in fields
    if unknown or twice or yearless or not fields:
        if unknown:
            problem = f"the field {unknown[0]!r}"
        elif yearless:
            problem = "a day without its year (which may be a folder: '{span:%Y/%m-%d}')"
        else:
            problem = f"the field {twice[0]!r} twice" if twice else "no date field"
        raise RetrainerError(
            f"'{{span:{date_format}}}' in the pattern '{pattern}' has {problem}; use some of "
            f"{' '.join(_DATE_FIELDS)}, each once, as in '{{span:%Y-%m-%d}}'."
        )
    parts = re.split(r"(%.)", date_format)
    return "".join(_DATE_FIELDS.get(part) or re.escape(part) for part in parts)


def _glob(text: str) -> str:
    # A bracket is a file's own, and two stars side by side would mean something else.
    return re.sub(r"\*{2,}", "*", text.replace("[", "[[]"))


def _glob_regex(text: str) -> str:
    parts = []
    for before, character in zip(f" {text}", text, strict=False):
        wildcard = {"*": "[^/]*", "?": "[^/]"}.get(character)
        parts.append(_NOT_HIDDEN * (wildcard is not None and before == "/"))
        parts.append(wildcard or re.escape(character))
    return "".join(parts)


def span_order(names: Sequence[str], date_format: str | None) -> Callable[[str], Any]:
    """Give what spans are sorted by: by date with a format, by number if all are numbers, else by name.

    Args:
        names: All names to sort.
        date_format: Format of their dates, None if they have none.
    """
    if date_format:
        return lambda name: datetime.strptime(name, date_format)
    if all(re.fullmatch(r"\d+", name) for name in names):
        return int
    return str


def _fingerprint(info: dict) -> str:
    changed = next(
        (
            info[key]
            for key in ("etag", "ETag", "md5Hash", "generation", "mtime", "LastModified", "updated")
            if info.get(key)
        ),
        "",
    )
    return f"{info.get('size')}:{changed}"
