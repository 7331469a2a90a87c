"""Signals of distances, and the reasons why a column can't be judged."""

from collections.abc import Sequence
from typing import Any

from ...lib.monitoring.signals import Kind, Outcome, Signal
from ...lib.statistics.dataset import Column
from ...lib.words import plural
from .judge import Distance
from .settings import DriftSettings

# A distance that has come back to this share of its bound is quiet.
_QUIET = 0.8
_MEANWHILE = "the distance from the training data is judged meanwhile"
_SOURCES = {
    "past": "clean ones lie within {bound}",
    "threshold": "the threshold is {bound}",
    "fallback": "too little is known of how clean ones vary, so {bound} is allowed",
}


def silent(kind: Kind, subject: str, reason: str, column: str = "") -> Signal:
    """Return a signal that could not be judged.

    Args:
        kind: Its kind.
        subject: Its subject.
        reason: Why.
        column: The column, if the subject is not its name.
    """
    return Signal(kind, subject, Outcome.SILENT, reason, evidence={"column": column or subject})


def distance_signal(
    kind: Kind,
    subject: str,
    column: str,
    distance: Distance,
    reference: str,
    spans: Sequence[str] = (),
) -> Signal:
    """Return the signal of a distance; silent where earlier ones vary so much that none could be beyond the bound.

    Args:
        kind: Its kind.
        subject: Its subject.
        column: The column.
        distance: What was measured.
        reference: What was compared with, in words.
        spans: Names of the reference's spans, oldest first.
    """
    if distance.source != "threshold" and distance.bound >= distance.measure.most:
        return silent(
            kind,
            subject,
            f"earlier spans of {column} differ so much that no {distance.measure.words} would be unusual. Set a bound "
            f"(monitoring.drift.thresholds.{column}), or leave the column out (monitoring.drift.ignore)",
            column,
        )
    where = " on the same weekday or hour" if distance.season else ""
    usual = _SOURCES[distance.source].format(bound=f"{distance.bound:.3g}")
    meaning = f"{column} is {distance.value:.3g} from {reference}{where} ({distance.measure.words}); {usual}"
    if distance.is_breached:
        meaning += f". Most moved: {distance.largest}"
    about: dict[str, Any] = {"column": column, **distance.evidence()}
    if spans:
        about["reference"] = {"first": spans[0], "last": spans[-1], "spans": len(spans)}
    return Signal(
        kind,
        subject,
        Outcome.BREACHED if distance.is_breached else Outcome.OK,
        meaning,
        distance.value,
        distance.bound,
        _QUIET * distance.bound,
        evidence=about,
    )


def is_comparable(
    current: Sequence[Column],
    reference: Sequence[Column],
    settings: DriftSettings,
    what: str,
) -> str:
    """Return why a column can't be compared; empty if it can.

    Args:
        current: The column in the window.
        reference: The column in what it is compared with.
        settings: The section `monitoring.drift`.
        what: What it is compared with, in words.
    """
    rows = sum(column.filled for column in current)
    if rows < settings.min_rows:
        return f"{plural(rows, 'value')} in the window, too few to judge"
    if not reference:
        return f"{what} have no values of it"
    kinds = {column.is_number for column in (*current, *reference)}
    if len(kinds) > 1:
        now = "numbers" if current[-1].is_number else "text"
        return f"the window has {now}, and {what} or a part of the window do not, so there is no distance"
    return ""


def too_short(spans: int, is_long: bool, settings: DriftSettings, threshold: float | None) -> str:
    """Return why a past is too short to show what is usual; empty if it is not. A fixed threshold needs one span.

    Args:
        spans: Number of clean spans before the window.
        is_long: Whether they show weekends, or nights.
        settings: The section `monitoring.drift`.
        threshold: Largest distance allowed, if it was set.
    """
    if threshold is not None:
        return ""
    if spans < settings.min_spans:
        return (
            f"{plural(spans, 'clean span')} before, and drift is judged from {settings.min_spans} on "
            f"(monitoring.drift.min_spans); {_MEANWHILE}"
        )
    if not is_long:
        return (
            "the spans before do not reach back two weeks of days, or two days of hours, so weekends and nights are "
            f"not known yet; {_MEANWHILE}"
        )
    return ""
