"""Dates that can't be: in the future, or later than the span that their row came with.

Statistics keep no largest text, so the text columns of the newest span that hold ISO dates are read, once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from ..lib.charts import percent
from ..lib.examples import Examples, SpanPart
from ..lib.span_dates import Period
from .findings import Finding, acceptance

_ISO_DATE = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:?\d{2}.*)?$"
_HEAD_ROWS = 1024
_MIN_ISO_SHARE = 0.9
# Clocks and time zones differ by up to a day.
_LENIENCY = timedelta(days=1)
_NEVER = "~"


@dataclass(frozen=True)
class _Late:
    """How many of a column's dates are too late, and the latest.

    Attributes:
        future: How many lie in the future.
        after: How many lie after the span, those in the future included.
        present: How many cells have a value.
        latest: The latest date, as it is written.
    """

    future: int
    after: int
    present: int
    latest: str


def check_dates(examples: Examples, periods: Mapping[str, Period], today: date) -> list[Finding]:
    """Look for dates in the future, and for dates after the newest span's own end.

    Dates are compared by the day, and a day late is not late. A column that is after its span in most of the earlier
    spans as well (a due date) is so by its nature.

    Args:
        examples: The window.
        periods: When each span begins and ends; empty if spans are not dates.
        today: The day in UTC.
    """
    findings = [
        Finding(
            "future_date",
            "",
            f"span {span}",
            f"a span that begins on {period.start:%Y-%m-%d}, and today is {today}",
            "a date that has come",
            remedy=f"mend the span's name, or accept it with {acceptance('future_date')}",
        )
        for span, period in periods.items()
        if period.start.date() > today + _LENIENCY
    ]
    newest = examples.newest_span
    parts = _parts(examples, newest)
    for column in _date_columns(parts):
        late = _late(parts, column, periods.get(newest), today)
        if late.after and not _is_late_by_nature(examples, column, periods, today):
            findings += _findings(column, newest, late, periods.get(newest), today)
    return findings


def _findings(
    column: str, span: str, late: _Late, period: Period | None, today: date
) -> list[Finding]:
    findings = []
    if late.future:
        findings.append(
            Finding(
                "future_date",
                column,
                f"span {span}",
                f"{_share(late.future, late.present)}, up to '{late.latest}'",
                f"dates up to today, {today}",
                remedy=_remedy("future_date", column),
            )
        )
    if period is not None and late.after > late.future:
        findings.append(
            Finding(
                "date_after_span",
                column,
                f"span {span}",
                f"{_share(late.after, late.present)} later, up to '{late.latest}'",
                f"dates before {period.end:%Y-%m-%d %H:%M}, when the span ends, and a day at the most",
                remedy=_remedy("date_after_span", column),
            )
        )
    return findings


def _share(count: int, present: int) -> str:
    return f"{count:,} dates ({percent(count / present)})"


def _remedy(kind: str, column: str) -> str:
    return f"fix the source's clock or dates, or accept such dates with {acceptance(kind, column)}"


def _parts(examples: Examples, span: str) -> list[SpanPart]:
    found = {part: None for parts in examples.splits.values() for part in parts}
    return [part for part in found if part.span == span]


def _date_columns(parts: Sequence[SpanPart]) -> list[str]:
    """Find the text columns whose first values are ISO dates."""
    for part in parts:
        for batch in part.iter_batches(rows=_HEAD_ROWS):
            return [
                name
                for name, column in zip(batch.schema.names, batch.columns, strict=True)
                if pa.types.is_string(column.type) and _are_dates(column.drop_null())
            ]
    return []


def _are_dates(values: pa.Array) -> bool:
    if not len(values):
        return False
    dates = pc.sum(pc.match_substring_regex(values, _ISO_DATE)).as_py()
    return dates >= _MIN_ISO_SHARE * len(values)


def _late(parts: Sequence[SpanPart], column: str, period: Period | None, today: date) -> _Late:
    # ISO dates sort as text, so nothing is parsed but what is late.
    after_today = _first_late_day(datetime.combine(today, time()) + timedelta(days=1))
    after_span = _first_late_day(period.end) if period is not None else _NEVER
    first_late = min(after_today, after_span)
    future, after, present, latest = 0, 0, 0, ""
    for part in parts:
        for batch in part.iter_batches([column]):
            if not batch.num_columns or not pa.types.is_string(batch.column(0).type):
                continue
            values = batch.column(0).drop_null()
            present += len(values)
            late = values.filter(pc.greater_equal(values, first_late))
            late = late.filter(pc.match_substring_regex(late, _ISO_DATE))
            if len(late):
                after += len(late)
                future += pc.sum(pc.greater_equal(late, after_today)).as_py()
                latest = max(latest, *late.unique().to_pylist())
    return _Late(future, after, present, latest)


def _first_late_day(end: datetime) -> str:
    day = end + _LENIENCY
    return str(day.date() if day.time() == time() else day.date() + timedelta(days=1))


def _is_late_by_nature(
    examples: Examples, column: str, periods: Mapping[str, Period], today: date
) -> bool:
    earlier = examples.spans[:-1]
    if not earlier:
        return False
    late = sum(
        _late(_parts(examples, span), column, periods.get(span), today).after > 0
        for span in earlier
    )
    return 2 * late > len(earlier)
