"""Signals on the requests of a window: whether they came, how many, how late, how many failed, who answered."""

import math
from collections.abc import Iterator, Sequence
from datetime import timedelta

import numpy as np

from ...lib.monitoring.signals import Kind, Outcome, Signal
from ...lib.predictions.prediction_sets import PredictionSet
from ...lib.predictions.prediction_table import ERROR
from ...lib.words import name_spans, percent, plural
from ..look import SHADOW, Look
from ..windows import MOST_DUE

FEED, VOLUME, FAILED, LATE, CHAMPION = (
    "feed of requests",
    "number of requests",
    "failed requests",
    "late rows",
    "rows of the champion",
)
"""Subjects of the signals. They have spaces, so that hardly a column has their name."""
# With fewer spans of the same hour or weekday, all earlier ones are compared with.
_MIN_SAME_TIME, _MIN_EARLIER = 4, 3
# Spans vary by a few deviations by chance; the median absolute deviation of normal values is 0.6745 deviations.
_DEVIATIONS, _NORMAL = 4.0, 1.4826
_LEAST_FAILED = 3


def find_signals(look: Look) -> Iterator[Signal]:
    """Judge the requests of a window."""
    yield _feed(look)
    if not look.current:
        return
    yield _volume(look)
    yield _failed(look)
    yield _late(look)
    yield _champion(look)


def _feed(look: Look) -> Signal:
    due = look.feed.due
    if not look.feed.sets:
        waited = look.now - look.since
        if waited < timedelta(days=2):
            meaning = "no span of predictions is over yet"
            return Signal(Kind.DATA, FEED, Outcome.SILENT, meaning)
        meaning = (
            f"version {look.model.version} is champion for {plural(waited.days, 'day')}, and there is no span of its "
            "predictions"
        )
        return Signal(Kind.DATA, FEED, Outcome.BREACHED, meaning, evidence={"days": waited.days})
    if not look.feed.periods:
        meaning = "the names of the spans are no dates, so it is not known when one is due"
        return Signal(Kind.DATA, FEED, Outcome.SILENT, meaning)
    newest = look.feed.sets[-1].span
    if not due:
        meaning = f"span {newest} is there, and none after it is due"
        evidence = {"missing_before": look.feed.missing}
        return Signal(Kind.DATA, FEED, Outcome.OK, meaning, 0, 0, evidence=evidence)
    first, last = due[0].start, due[-1].start
    which = f"{first:%Y-%m-%d %H:%M}" + (f" to {last:%Y-%m-%d %H:%M}" if last > first else "")
    many = f"at least {len(due):,} spans" if len(due) > MOST_DUE // 2 else plural(len(due), "span")
    meaning = f"no predictions of {which} UTC: {many} {'is' if len(due) == 1 else 'are'} missing after {newest}"
    return Signal(
        Kind.DATA,
        FEED,
        Outcome.BREACHED,
        meaning,
        len(due),
        0,
        window=f"{last:%Y-%m-%dT%H:%M}",
        evidence={"newest": newest, "missing_before": look.feed.missing},
    )


def _volume(look: Look) -> Signal:
    newest = look.current[-1]
    count = look.requests(newest)
    factor = float(look.section("data").get("volume_factor", 2.0))
    if not count:
        meaning = f"span {newest.span} has no request"
        return Signal(Kind.DATA, VOLUME, Outcome.BREACHED, meaning, 0.0)
    earlier = [*look.earlier, *look.current[:-1]]
    same, cycle = _same_time(look, newest, earlier)
    usual, of = earlier, plural(len(earlier), "earlier span")
    if len(same) >= _MIN_SAME_TIME:
        usual, of = same, f"{plural(len(same), 'earlier span')} of the same {cycle}"
    known = [look.requests(prediction_set) for prediction_set in usual]
    reason = ""
    if cycle and not same:
        reason = f"no earlier span is of the same {cycle}"
    elif len(known) < _MIN_EARLIER or not any(known):
        reason = f"fewer than {_MIN_EARLIER} earlier spans show what is usual"
    if reason:
        meaning = f"{count:,.0f} requests; {reason}"
        return Signal(Kind.DATA, VOLUME, Outcome.SILENT, meaning, count)
    low, middle, high = _usual_range(known, factor)
    if usual is not same and same:
        # Too few of its weekday to say how they vary, but what they had is not unusual.
        of_time = [look.requests(prediction_set) for prediction_set in same]
        low, high = min(low, min(of_time) / factor), max(high, max(of_time) * factor)
    ok = low <= count <= high
    usually = f"the median of {of} is {middle:,.0f}"
    return Signal(
        Kind.DATA,
        VOLUME,
        Outcome.OK if ok else Outcome.BREACHED,
        f"{count:,.0f} requests; {usually}, and {low:,.0f} to {high:,.0f} are usual",
        count,
        high if count > high else low,
        evidence={"usual": [low, high], "spans": [prediction_set.span for prediction_set in usual]},
    )


def _usual_range(known: Sequence[float], factor: float) -> tuple[float, float, float]:
    """Return the least usual number of requests, the median, and the largest usual number."""
    logs = np.log([max(one, 1.0) for one in known])
    middle = float(np.median(logs))
    spread = _NORMAL * float(np.median(np.abs(logs - middle)))
    reach = max(math.log(factor), _DEVIATIONS * spread)
    return math.exp(middle - reach), math.exp(middle), math.exp(middle + reach)


def _same_time(
    look: Look, newest: PredictionSet, earlier: Sequence[PredictionSet]
) -> tuple[list[PredictionSet], str]:
    """Return the earlier spans of the same hour or weekday, and what that is; none for longer spans."""
    periods = look.feed.periods
    own = periods.get(newest.span)
    if own is None or own.end - own.start > timedelta(days=1):
        return [], ""
    hourly = own.end - own.start < timedelta(days=1)
    same = [
        prediction_set
        for prediction_set in earlier
        if prediction_set.span in periods
        and (
            periods[prediction_set.span].start.hour == own.start.hour
            if hourly
            else periods[prediction_set.span].start.weekday() == own.start.weekday()
        )
    ]
    return same, "hour of the day" if hourly else "day of the week"


def _failed(look: Look) -> Signal:
    bound = float(look.section("data").get("max_failed", 0.05))
    total = failed = 0.0
    for prediction_set in look.current:
        for group, requests in look.counts(prediction_set).requests.items():
            if group.variant != SHADOW:
                total += requests
                failed += requests if group.status == ERROR else 0.0
    if not total:
        return Signal(Kind.DATA, FAILED, Outcome.SILENT, "the window has no request")
    share = failed / total
    breached = share > bound and failed >= _LEAST_FAILED
    meaning = f"{failed:,.0f} of {total:,.0f} requests failed, {percent(share)}; at most {percent(bound)} may"
    return Signal(
        Kind.DATA,
        FAILED,
        Outcome.BREACHED if breached else Outcome.OK,
        meaning,
        share,
        bound,
        evidence={"failed": failed, "requests": total},
    )


def _late(look: Look) -> Signal:
    bound = float(look.section("data").get("max_late", 0.05))
    worst, share, late = "", 0.0, 0
    for prediction_set in (*look.earlier, *look.current):
        before = look.judged_before.get(prediction_set.span)
        if before is None or not prediction_set.rows:
            continue
        if (prediction_set.rows - before) / prediction_set.rows > share:
            worst, late = prediction_set.span, prediction_set.rows - before
            share = late / prediction_set.rows
    if not worst:
        meaning = "no row came after its span was judged"
        return Signal(Kind.DATA, LATE, Outcome.OK, meaning, 0.0, bound)
    meaning = (
        f"{plural(late, 'row')} of span {worst}, {percent(share)}, came after it was judged; at most "
        f"{percent(bound)} may. If this is usual, raise monitoring.window.wait_seconds"
    )
    return Signal(
        Kind.DATA,
        LATE,
        Outcome.BREACHED if share > bound else Outcome.OK,
        meaning,
        share,
        bound,
        window=worst,
        evidence={"span": worst, "rows": late},
    )


def _champion(look: Look) -> Signal:
    own = sum(look.champion_rows(prediction_set) for prediction_set in look.current)
    others: dict[str, int] = {}
    failed = 0
    for prediction_set in look.current:
        for group, rows in look.counts(prediction_set).rows.items():
            if group.status == ERROR:
                failed += rows
            elif group.version not in (None, look.model.version):
                name = f"{group.version}{f' ({group.variant})' if group.variant else ''}"
                others[name] = others.get(name, 0) + rows
    spans = name_spans([prediction_set.span for prediction_set in look.current])
    of_others = ", ".join(f"{rows:,} by version {name}" for name, rows in sorted(others.items()))
    evidence = {"rows": own, "other_versions": others, "failed": failed}
    beside = f"; left out: {of_others}" if others else ""
    meaning = f"{plural(own, 'row')} of {spans} answered by version {look.model.version}{beside}"
    if own or not others:
        outcome = Outcome.OK if own else Outcome.SILENT
        return Signal(Kind.DATA, CHAMPION, outcome, meaning, own, evidence=evidence)
    periods = look.feed.periods
    began = look.since.replace(tzinfo=None)
    first = periods.get(look.current[0].span)
    if first is None or first.start < began:
        meaning = f"{meaning}; it became champion in this window"
        return Signal(Kind.DATA, CHAMPION, Outcome.SILENT, meaning, own, evidence=evidence)
    meaning = f"{meaning}. The champion does not serve: check 'retrainer deploy --status'"
    return Signal(Kind.DATA, CHAMPION, Outcome.BREACHED, meaning, own, 1, evidence=evidence)
