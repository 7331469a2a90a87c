"""When spans begin and end, by their names or the pattern's date format."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .span_patterns import compile_pattern

# Names that are dates beyond doubt; a year or a year and month without a dash may be a number.
_KNOWN_FORMATS = ("%Y-%m-%dT%H", "%Y-%m-%d", "%Y-%m", "%Y/%m/%d", "%Y/%m", "%Y%m%d")


@dataclass(frozen=True)
class Period:
    """The time that a span covers.

    Attributes:
        start: Its first moment.
        end: The first moment after it.
    """

    start: datetime
    end: datetime


def span_periods(spans: Sequence[str], pattern: str = "") -> dict[str, Period]:
    """Return when spans begin and end.

    Args:
        spans: Their names.
        pattern: The pattern that they were found with, if it is known. Its date format counts before what the names
            look like.

    Returns:
        Period by span, in no time zone; empty if the spans are not dates.

    Raises:
        RetrainerError: If the pattern is malformed.
    """
    own = compile_pattern(pattern).date_format if pattern else None
    for date_format in [own] if own else _KNOWN_FORMATS:
        if "%Y" not in date_format:
            # A day of any year; Python warns of parsing it.
            continue
        starts = [_parse(span, date_format) for span in spans]
        if all(starts):
            return {
                span: Period(start, _end(start, date_format))
                for span, start in zip(spans, starts, strict=True)
                if start is not None
            }
    return {}


def _parse(span: str, date_format: str) -> datetime | None:
    try:
        start = datetime.strptime(span, date_format)
    except ValueError:
        return None
    # strptime takes '2013-4' for %Y-%m as well.
    return start if start.strftime(date_format) == span else None


def _end(start: datetime, date_format: str) -> datetime:
    try:
        return _next_start(start, date_format)
    except (OverflowError, ValueError):
        # The calendar ends with the year 9999.
        return datetime.max


def _next_start(start: datetime, date_format: str) -> datetime:
    fields = set(re.findall(r"%.", date_format))
    if "%M" in fields:
        return start + timedelta(minutes=1)
    if "%H" in fields:
        return start + timedelta(hours=1)
    if fields & {"%d", "%j"}:
        return start + timedelta(days=1)
    if "%m" in fields:
        return (start + timedelta(days=32)).replace(day=1)
    return start.replace(year=start.year + 1)
