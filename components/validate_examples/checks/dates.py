"""Invalid dates: in the future, later than the span of their row, or days that do not exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from ...lib.examples import Examples
from ...lib.spans.span_periods import Period, span_periods
from ...lib.words import of_spans, percent, plural
from ..date_counts import Days, read_days
from ..finding_kinds import WARNING, FindingKind
from ..findings import Finding
from ..limits import Settings
from ..window import span_parts
from .check import Check

if TYPE_CHECKING:
    from ..analysis import Analysis

FUTURE_DATE = FindingKind(
    "future_date",
    "date in the future",
    WARNING,
    "correct the source's clock or dates",
    "a text column of ISO dates, or a span's own name, has dates later than tomorrow",
)
DATE_AFTER_SPAN = FindingKind(
    "date_after_span",
    "date after its span",
    WARNING,
    "correct the source's clock or dates",
    "dates more than a day after the end of their span",
)
IMPOSSIBLE_DATE = FindingKind(
    "impossible_date",
    "invalid date",
    WARNING,
    "correct the source's dates",
    "days that do not exist, such as `2013-02-30`",
)

# Clocks and time zones differ by up to a day.
_LENIENCY = timedelta(days=1)
_NAMED_DAYS = 3


@dataclass(frozen=True)
class _Late:
    """How many of a column's dates in a span are too late.

    Attributes:
        future: How many lie in the future.
        after: How many lie after the span, those in the future included.
        latest: The latest day.
    """

    future: int
    after: int
    latest: str


def check(analysis: Analysis, settings: Settings) -> list[Finding]:
    """Report invalid dates, if the examples are known."""
    window = analysis.window
    if window.examples is None:
        return []
    periods = span_periods(window.examples.spans, window.pattern)
    return check_dates(window.examples, periods, datetime.now(UTC).date())


def check_dates(examples: Examples, periods: Mapping[str, Period], today: date) -> list[Finding]:
    """Report dates in the future, dates after the end of their span, and days that do not exist.

    Dates are compared by the day, and one day late is accepted. A column that is late in most other spans as well (a
    due date, or 9999-12-31 for "never") is not reported, and neither is an old date.

    Args:
        examples: The window. Each span is read once; its counts are kept.
        periods: When each span begins and ends; empty if spans are not dates.
        today: The day in UTC.
    """
    findings = [
        Finding(
            FUTURE_DATE,
            "",
            f"span {span}",
            f"a span that begins on {_iso(period.start.date())}, and today is {today}",
            "a date in the past",
            remedy="fix the span's name",
        )
        for span, period in periods.items()
        if period.start.date() > today + _LENIENCY
    ]
    spans = {span: read_days(span_parts(examples, span)) for span in examples.spans}
    for column in dict.fromkeys(column for columns in spans.values() for column in columns):
        own = {span: columns[column] for span, columns in spans.items() if column in columns}
        findings += _impossible(column, own)
        findings += _late_findings(column, own, periods, today)
    return findings


CHECK = Check(check, (FUTURE_DATE, DATE_AFTER_SPAN, IMPOSSIBLE_DATE))


def _impossible(column: str, spans: Mapping[str, Days]) -> list[Finding]:
    found = {span: days for span, days in spans.items() if days.impossible}
    if not found:
        return []
    named = list(dict.fromkeys(day for days in found.values() for day in days.impossible))
    cells = sum(sum(days.impossible.values()) for days in found.values())
    share = _share(cells, sum(days.present for days in found.values()))
    more = ", ..." if len(named) > _NAMED_DAYS else ""
    seen = f"{share} such as {', '.join(named[:_NAMED_DAYS])}{more}"
    return [Finding(IMPOSSIBLE_DATE, column, _where(list(found)), seen, "valid dates")]


def _late_findings(
    column: str, spans: Mapping[str, Days], periods: Mapping[str, Period], today: date
) -> list[Finding]:
    late = {span: _late(days, periods.get(span), today) for span, days in spans.items()}
    with_late = [span for span, one in late.items() if one.after]
    # Most of the other spans are late, too.
    if 2 * (len(with_late) - 1) > len(spans) - 1:
        return []
    findings = []
    future = [span for span in with_late if late[span].future]
    if future:
        cells = sum(late[span].future for span in future)
        latest = max(late[span].latest for span in future)
        share = _share(cells, sum(spans[span].present for span in future))
        expected = f"dates up to today, {today}"
        findings.append(
            Finding(FUTURE_DATE, column, _where(future), f"{share} up to {latest}", expected)
        )
    after = [span for span in with_late if late[span].after > late[span].future]
    if after:
        cells = sum(late[span].after for span in after)
        latest = max(late[span].latest for span in after)
        share = _share(cells, sum(spans[span].present for span in after))
        end = periods[after[-1]].end
        which = "the span ends" if len(after) == 1 else f"span {after[-1]} ends"
        expected = f"dates before {_iso(end.date())} {end:%H:%M}, when {which}, plus one day"
        findings.append(
            Finding(
                DATE_AFTER_SPAN,
                column,
                _where(after),
                f"{share} later, up to {latest}",
                expected,
            )
        )
    return findings


def _late(days: Days, period: Period | None, today: date) -> _Late:
    # ISO days sort as text.
    after_today = _iso(_first_late_day(datetime.combine(today, time()) + timedelta(days=1)))
    after_span = _iso(_first_late_day(period.end)) if period is not None else after_today
    late = {day: count for day, count in days.days.items() if day >= min(after_today, after_span)}
    future = sum(count for day, count in late.items() if day >= after_today)
    return _Late(future, sum(late.values()), max(late, default=""))


def _first_late_day(end: datetime) -> date:
    if end > datetime.max - 2 * _LENIENCY:
        return date.max
    day = end + _LENIENCY
    return day.date() if day.time() == time() else day.date() + timedelta(days=1)


def _iso(day: date) -> str:
    # strftime does not fill a year up to four digits everywhere.
    return day.isoformat()


def _share(count: int, present: int) -> str:
    return f"{plural(count, 'date')} ({percent(count / present)})"


def _where(spans: list[str]) -> str:
    return of_spans(spans)
