"""Which windows of predictions a run of monitoring judges."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ..lib.predictions.prediction_sets import PREDICT_BATCH, PredictionSet
from ..lib.spans.span_patterns import span_order
from ..lib.spans.span_periods import Period, span_periods


@dataclass(frozen=True)
class Window:
    """Spans that one look judges.

    Attributes:
        current: The spans, oldest first.
        earlier: Spans before them, oldest first.
    """

    current: tuple[PredictionSet, ...]
    earlier: tuple[PredictionSet, ...]


@dataclass(frozen=True)
class Feed:
    """The spans of predictions there are, one version of each.

    Attributes:
        sets: The spans that are over, oldest first.
        open: Spans that are not over yet, or over for too short a time.
        periods: When the spans begin and end, by name, in UTC without a time zone; empty if their names are no dates.
        due: Names of periods after the newest whole span that are over and have no span; at most the first hundred.
        missing: How many of the periods between two spans have no span.
    """

    sets: tuple[PredictionSet, ...] = ()
    open: tuple[PredictionSet, ...] = ()
    periods: Mapping[str, Period] = field(default_factory=dict)
    due: tuple[Period, ...] = ()
    missing: int = 0


MOST_DUE = 100
# Earlier days or weeks that show whether there usually is a span at a time.
_CYCLES = 4
# Spans that show how long after its end one is scored.
_LAGS = 14


def read_feed(found: Sequence[PredictionSet], now: datetime, wait_seconds: float) -> Feed:
    """Find the spans that can be judged: the newest version of each, whose time is over.

    Args:
        found: All sets of predictions.
        now: The time.
        wait_seconds: How long after its end a span is judged.
    """
    newest: dict[str, PredictionSet] = {}
    for prediction_set in sorted(found, key=lambda one: (one.scored, one.version)):
        newest[prediction_set.span] = prediction_set
    names = list(newest)
    periods = span_periods(names) if names else {}
    if periods:
        names.sort(key=lambda name: periods[name].start)
    else:
        names.sort(key=span_order(names, None))
    limit = now.astimezone(UTC).replace(tzinfo=None) - timedelta(seconds=wait_seconds)
    over = [name for name in names if not periods or periods[name].end <= limit]
    left = tuple(newest[name] for name in names if name not in set(over))
    sets = tuple(newest[name] for name in over)
    late = limit - _usual_lag(found, over, periods)
    return Feed(sets, left, periods, _due(over, left, periods, late), _missing(names, periods))


def choose_windows(
    feed: Feed,
    settings: Mapping[str, Any],
    since: datetime,
    judged: Collection[str],
    version: int | None = None,
) -> list[Window]:
    """Choose the windows that a run judges, oldest first.

    Args:
        feed: The spans.
        settings: The section `monitoring.window`.
        since: When the champion came into service: what ended before is no business of its.
        judged: Names of newest spans of the windows that were judged before.
        version: Number of the champion. What it has scored is judged whenever that was, as batch prediction does.

    Returns:
        Each window since the newest that was judged, at most `catch_up` of them; the newest of all is always among
        them, since its labels may be new.
    """
    count, before = int(settings.get("spans", 1)), int(settings.get("earlier", 60))
    most = int(settings.get("catch_up", 14))
    began = since.astimezone(UTC).replace(tzinfo=None)
    names = [prediction_set.span for prediction_set in feed.sets]
    first = max((names.index(name) + 1 for name in judged if name in names), default=0)
    chosen = [
        place
        for place in range(len(names))
        if place >= first
        and (
            not feed.periods
            or feed.periods[names[place]].end > began
            or feed.sets[place].model_version == version is not None
        )
    ]
    if names and len(names) - 1 not in chosen:
        chosen.append(len(names) - 1)
    windows = []
    for place in chosen[-most:]:
        begin = max(0, place + 1 - count)
        current = feed.sets[begin : place + 1]
        windows.append(Window(tuple(current), tuple(feed.sets[max(0, begin - before) : begin])))
    return windows


def _usual_lag(
    found: Sequence[PredictionSet], over: Sequence[str], periods: Mapping[str, Period]
) -> timedelta:
    """Return how long after its end a span is scored at the latest by batch prediction, which has its own schedule.

    At most a period: spans that were scored later, such as all of the past at once, hide no missing one for longer.
    """
    if not periods or not over:
        return timedelta()
    newest = set(over[-_LAGS:])
    scored: dict[str, datetime] = {}
    for one in found:
        if one.span in newest and one.writer == PREDICT_BATCH:
            moment = datetime.fromisoformat(one.scored).astimezone(UTC).replace(tzinfo=None)
            scored[one.span] = min(moment, scored.get(one.span, moment))
    lags = [moment - periods[span].end for span, moment in scored.items()]
    last = periods[over[-1]]
    return min(max([timedelta(), *lags]), last.end - last.start)


def _due(
    over: Sequence[str],
    left: Sequence[PredictionSet],
    periods: Mapping[str, Period],
    limit: datetime,
) -> tuple[Period, ...]:
    """List the periods after the newest span that are over."""
    names = [*over, *(prediction_set.span for prediction_set in left)]
    if not periods or not names:
        return ()
    due: list[Period] = []
    following = _after(periods[names[-1]])
    while following.end <= limit and len(due) < MOST_DUE:
        due.append(following)
        following = _after(following)
    return tuple(period for period in due if _is_usual(period, periods))


def _after(period: Period) -> Period:
    """Return the period after one; months and years differ in length."""
    length = period.end - period.start
    if length < timedelta(days=28):
        return Period(period.end, period.end + length)
    if length < timedelta(days=365):
        return Period(period.end, (period.end + timedelta(days=32)).replace(day=1))
    return Period(period.end, period.end.replace(year=period.end.year + 1))


def _is_usual(period: Period, periods: Mapping[str, Period]) -> bool:
    """Return whether spans of this hour of the day, or of this day of the week, are usual."""
    length = period.end - period.start
    if length > timedelta(days=1):
        return True
    cycle = timedelta(days=1) if length < timedelta(days=1) else timedelta(days=7)
    starts = {one.start for one in periods.values()}
    oldest, newest = min(starts), max(starts)
    # What is missing since says nothing of what is usual.
    first = max(1, -((newest - period.start) // cycle))
    same = [period.start - cycle * n for n in range(first, first + _CYCLES)]
    known = [start in starts for start in same if start >= oldest]
    return len(known) < 2 or any(known)


def _missing(names: Sequence[str], periods: Mapping[str, Period]) -> int:
    if len(names) < 2 or not periods:
        return 0
    shortest = min(period.end - period.start for period in periods.values())
    between = sum(
        (periods[after].start - periods[before].end for before, after in itertools.pairwise(names)),
        timedelta(),
    )
    return max(0, round(between / shortest))
