"""Patterns of spans: paths, URIs and names of tables with `{span}` in them."""

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from ..errors import RetrainerError

LATEST = "latest"
PLACEHOLDER = re.compile(r"\{span(?::(?P<format>[^}]+))?\}")
STAND_IN = "\x00"
"""Holds the place of `{span}`, whose format may have slashes, while a path is taken apart."""
# What Hive and Spark write for a missing value.
_HIVE_MISSING = "__HIVE_DEFAULT_PARTITION__"
# A wildcard at the beginning of a path part does not match a dot, as in a shell.
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
        """Return the span that a file belongs to.

        Args:
            name: The file's path or URI, in the form that the pattern has.

        Returns:
            The text at the place of `{span}`; None if the name does not match, or has an invalid date.
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
    placeholders = PLACEHOLDER.findall(pattern)
    if len(placeholders) != 1:
        raise RetrainerError(
            f"the pattern '{pattern}' has {len(placeholders)} '{{span}}' in it and needs one, as in "
            "'data/sales-{span}.csv' or 'gs://bucket/day={span:%Y-%m-%d}/*.parquet'."
        )
    date_format = placeholders[0] or None
    before, after = PLACEHOLDER.sub(STAND_IN, pattern).split(STAND_IN)
    if not date_format and (before.endswith(("*", "?")) or after.startswith(("*", "?"))):
        raise RetrainerError(
            f"the pattern '{pattern}' has a '*' or '?' right beside '{{span}}', which leaves open where a span's name "
            "ends. Put a character between them, or write the date format, as in '{span:%Y-%m-%d}*.csv'."
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
            STAND_IN not in part and ("*" in part or "?" in part)
            for part in f"{before}{STAND_IN.join(span_glob.split('*'))}{STAND_IN}{after}".split("/")
        ),
    )


def span_order(names: Sequence[str], date_format: str | None) -> Callable[[str], Any]:
    """Return the key that sorts spans: by date with a format, by number if all are numbers, else by name.

    Args:
        names: All names to sort.
        date_format: Format of their dates, None if they have none.
    """
    if date_format:
        return lambda name: datetime.strptime(name, date_format)
    if all(re.fullmatch(r"\d+", name) for name in names):
        return int
    return str


def _date_regex(pattern: str, date_format: str) -> str:
    fields = re.findall(r"%.", date_format)
    unknown = [field for field in fields if field not in _DATE_FIELDS]
    twice = [field for field in fields if fields.count(field) > 1]
    # The 29th of February is a day of some years, and none can be ordered without its year.
    yearless = {"%m", "%d"} <= set(fields) and "%Y" not in fields
    gap = _gap(fields)
    if unknown or twice or yearless or gap or not fields:
        if unknown:
            problem = f"the field {unknown[0]!r}"
        elif gap and not twice:
            problem = f"{gap[1]!r} without {gap[0]!r}, so that different times have one name"
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


def _gap(fields: Sequence[str]) -> tuple[str, str] | None:
    """Return the first field that is missing between coarser and finer ones, and the next finer one."""
    order = ("%Y", "%j", "%H", "%M") if "%j" in fields else ("%Y", "%m", "%d", "%H", "%M")
    there = [index for index, field in enumerate(order) if field in fields]
    for coarser, finer in itertools.pairwise(there):
        if finer - coarser > 1:
            return order[coarser + 1], order[finer]
    return None


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
