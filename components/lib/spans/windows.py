"""Windows: which of the spans behind a pattern a run uses, and whether one between them is missing."""

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from ..errors import RetrainerError
from ..source_files import SourceSpan
from ..words import plural
from .span_patterns import LATEST, compile_pattern

# More missing spans than this are named by the first ones and their number.
MOST_NAMED = 5
# From the coarsest to the finest; %j counts as a day of the year without months.
_FIELDS = ("%Y", "%m", "%d", "%H", "%M")
_DAY_OF_YEAR = "%j"
_MINUTES = {"%d": 24 * 60, "%H": 60, "%M": 1}
# As long a number as a date has that is written without separators, from %Y%m to %Y%m%d%H%M.
_DATE_LIKE = re.compile(r"(19|20)\d{4}(\d{2}){0,3}")


@dataclass(frozen=True)
class Steps:
    """How spans follow each other: by dates, or by numbers.

    Attributes:
        field: The finest date field of the spans' names, such as `%d`; empty for numbers.
        date_format: Format of the names; empty for numbers.
        digits: How many digits a number has at the least, leading zeros included.
    """

    field: str = ""
    date_format: str = ""
    digits: int = 1

    def number(self, name: str) -> int:
        """Return a span's place: names that follow each other have places that differ by 1."""
        if not self.date_format:
            return int(name)
        date = datetime.strptime(name, self.date_format)
        if self.field == "%Y":
            return date.year
        if self.field == "%m":
            return date.year * 12 + date.month - 1
        minutes = (date.toordinal() * 24 + date.hour) * 60 + date.minute
        return minutes // _MINUTES[self.field]

    def name(self, number: int) -> str:
        """Return the name of the span at a place, the inverse of `number`."""
        if not self.date_format:
            return str(number).zfill(self.digits)
        if self.field == "%Y":
            date = datetime(number, 1, 1)
        elif self.field == "%m":
            date = datetime(number // 12, number % 12 + 1, 1)
        else:
            days, minutes = divmod(number * _MINUTES[self.field], 24 * 60)
            date = datetime.fromordinal(days) + timedelta(minutes=minutes)
        return date.strftime(self.date_format)


def infer_steps(names: Sequence[str], date_format: str | None) -> Steps | None:
    """Infer how spans follow each other.

    Args:
        names: Names of the spans, at least one.
        date_format: Format of their dates, None if the pattern has none.

    Returns:
        For dates steps of the finest field, for numbers steps of 1. None for plain names, and for a format that leaves
        a field between two others out (`%Y-%d`), whose spans follow no calendar.
    """
    if date_format:
        fields = set(re.findall(r"%.", date_format))
        if _DAY_OF_YEAR in fields:
            fields = (fields - {_DAY_OF_YEAR}) | {"%m", "%d"}
        places = sorted(_FIELDS.index(field) for field in fields)
        if places != list(range(places[0], places[-1] + 1)):
            return None
        return Steps(_FIELDS[places[-1]], date_format)
    if all(re.fullmatch(r"\d+", name) for name in names):
        padded = any(name.startswith("0") for name in names)
        return Steps(digits=min(map(len, names)) if padded else 1)
    return None


def choose_window(
    spans: Sequence[SourceSpan],
    newest: str,
    window: int,
    pattern: str,
    min_spans: int = 0,
    marker: str = "",
    excluded: Collection[str] = (),
) -> list[SourceSpan]:
    """Choose the spans of a run.

    Where spans are dates or numbers, the window is `window` steps long: days, months, or 1 for numbers. Plain names
    are counted, and none between two of them can be missing. A span that is not whole is not there. An excluded span is
    stepped over: the window reaches further back instead, and has no gap there.

    Args:
        spans: All spans, oldest first.
        newest: Name of the window's newest span, or `latest`.
        window: How many spans at most.
        pattern: The pattern that they were found with.
        min_spans: With 0, the window may be shorter where the data begins, and no span may be missing between others.
            Above 0, any may be missing as long as so many are there.
        marker: What makes a span whole, for the errors; empty if nothing has to.
        excluded: Names of spans that no run may use.

    Returns:
        At most `window` whole spans, oldest first, ending with `newest`.

    Raises:
        RetrainerError: If there is no whole span of that name, one is missing, or fewer than `min_spans` are there.
    """
    there = [span for span in spans if span.name not in excluded]
    if not there:
        raise RetrainerError(
            f"every span that matches '{pattern}' is excluded. Include one again (retrainer spans include SPAN), or "
            "wait for the next one."
        )
    names = [span.name for span in there if span.whole]
    halves = [span.name for span in there if not span.whole]
    if not names or newest in halves:
        lacks = f"span '{newest}'" if newest in halves else f"each span, up to {halves[-1]},"
        raise RetrainerError(
            f"{lacks} of '{pattern}' lacks the marker '{marker}' in a folder of its files, so it is incomplete. "
            "Write the marker when the span is complete, or take another span or marker (data.marker)."
        )
    if newest != LATEST and newest not in names:
        raise RetrainerError(
            f"no span '{newest}' matches '{pattern}'. The newest are: {', '.join(names[-5:])}."
        )
    end = len(names) if newest == LATEST else names.index(newest) + 1
    whole = [span for span in there if span.whole][:end]
    steps = infer_steps([span.name for span in spans], compile_pattern(pattern).date_format)
    if steps is None:
        chosen, gap = whole[-window:], ""
    else:
        skipped = _numbers(excluded, steps)
        begin = _begin(steps.number(whole[-1].name), window, skipped)
        chosen = [span for span in whole if steps.number(span.name) >= begin]
        gap = _missing(whole, begin, steps, skipped, set(halves), marker)
    if min_spans and len(chosen) < min_spans:
        raise RetrainerError(
            f"the window of {window} that ends with {whole[-1].name} in '{pattern}' has "
            f"{plural(len(chosen), 'span')}, and min_spans is {min_spans}{f'; {gap}' if gap else ''}. "
            "Provide more spans, or lower data.min_spans."
        )
    if gap and not min_spans:
        raise RetrainerError(
            f"in the window of {window} that ends with {whole[-1].name} in '{pattern}', {gap}. Upload what is "
            "missing, or set data.min_spans to how many spans of a window are enough."
            + _date_hint(names, steps)
        )
    return chosen


def _numbers(names: Collection[str], steps: Steps) -> set[int]:
    """Return the places of the names that the pattern's spans can have."""
    numbers = set()
    for name in names:
        with suppress(ValueError):
            numbers.add(steps.number(name))
    return numbers


def _begin(newest: int, window: int, skipped: Collection[int]) -> int:
    """Return the place where a window begins that ends at a place and steps over some."""
    begin, left = newest, window - 1
    while left:
        begin -= 1
        left -= begin not in skipped
    return begin


def _missing(
    whole: Sequence[SourceSpan],
    begin: int,
    steps: Steps,
    skipped: Collection[int],
    halves: set[str],
    marker: str,
) -> str:
    there = {steps.number(span.name) for span in whole}.union(skipped)
    newest = steps.number(whole[-1].name)
    # What lies before the oldest span of all is not missing: the data begins there.
    begin = max(begin, steps.number(whole[0].name))
    count = newest - begin + 1 - sum(begin <= number <= newest for number in there)
    if not count:
        return ""
    absent = (steps.name(number) for number in range(begin, newest) if number not in there)
    named = [
        f"{name} (lacks {marker})" if name in halves else name
        for name in islice(absent, MOST_NAMED)
    ]
    more = f" and {count - len(named):,} more" if count > len(named) else ""
    return (
        f"{plural(count, 'span')} {'is' if count == 1 else 'are'} missing: {', '.join(named)}{more}"
    )


def _date_hint(names: Sequence[str], steps: Steps | None) -> str:
    if steps and not steps.date_format and all(_DATE_LIKE.fullmatch(name) for name in names):
        formats = {6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M"}
        return f" If these numbers are dates, set data.pattern: {{span:{formats[len(names[-1])]}}}."
    return ""
