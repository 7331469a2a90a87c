"""The label's classes: one that became far more or less frequent, and one that is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from ...lib.words import percent
from ..confidence import wilson
from ..finding_kinds import WARNING, FindingKind
from ..findings import Finding
from ..label_classes import LabelCounts
from ..limits import Settings
from .check import Check

if TYPE_CHECKING:
    from ..analysis import Analysis

LABEL_RATE = FindingKind(
    "label_rate",
    "label rate changed",
    WARNING,
    "check how the label is computed, or raise max_label_change or max_label_factor",
    "a class of the label (integers from 0 up, at most 30 of them; of more than 0 and 1 only with `examples`) is more "
    "or less frequent than in any earlier span, by more than `max_label_change` of the rows or `max_label_factor` "
    "times, and by more than chance (three standard errors)",
)
NEW_CLASS = FindingKind(
    "new_class",
    "new label class",
    WARNING,
    "check the label; if the class is right, add an output for it to the model, and wait for spans to train on",
    "evaluation has a class of the label that no training row has",
)


@dataclass(frozen=True)
class _Band:
    """A range of rates, and its confidence bounds.

    Attributes:
        low: Its lowest rate.
        high: Its highest rate.
        surely_from: The lowest true rate that chance allows.
        surely_to: The highest true rate that chance allows.
    """

    low: float
    high: float
    surely_from: float
    surely_to: float


def check(analysis: Analysis, settings: Settings) -> list[Finding]:
    """Report classes whose frequency changed in the newest span, and classes that training lacks."""
    window = analysis.window
    index, counts = window.index, window.label_counts
    if index.newest not in counts or not counts[index.newest].rows:
        return []
    before = {span: counts[span] for span in index.earlier if span in counts}
    usual = median([one.rows for one in before.values()] or [0])
    # The rate of a few left-over rows would make any other look usual.
    enough = [one for one in before.values() if one.rows >= settings.min_rows_fraction * usual]
    new = new_classes(analysis)
    # A class that is new has no rate to compare.
    return new or check_label_rate(
        index.label, index.newest, counts[index.newest], enough, settings
    )


def new_classes(analysis: Analysis) -> list[Finding]:
    """Report classes of the label in the evaluation rows that no training row has.

    A model learns nothing about them, and has no output for them.
    """
    window = analysis.window
    index = window.index
    if index.splits_share_spans:
        return []
    train = [window.label_counts.get(span) for span in index.split_spans["train"]]
    known = {value for one in train if one is not None for value in one.counts}
    if not known or any(one is None for one in train):
        return []
    findings = []
    for span in index.split_spans["eval"]:
        counts = window.label_counts.get(span)
        new = sorted(set(counts.counts) - known) if counts is not None else []
        if counts is None or not new:
            continue
        named = ", ".join(f"{value} in {counts.counts[value]:,} rows" for value in new)
        findings.append(
            Finding(
                NEW_CLASS,
                index.label,
                f"span {span}",
                named,
                f"the classes that training has ({', '.join(map(str, sorted(known)))})",
            )
        )
    return findings


def check_label_rate(
    label: str,
    span: str,
    newest: LabelCounts,
    earlier: Sequence[LabelCounts],
    settings: Settings,
) -> list[Finding]:
    """Report a class of the label that is far more or far less frequent than in any earlier span.

    Three conditions must hold, or a clean source would warn all the time. The rate lies outside of what the
    earlier spans had, each by itself: seasons and weekdays move a rate without anything being wrong. It does so by
    more than `max_label_change` (or by more than the factor `max_label_factor`, which finds changes of a rare
    class). And it does so even at the near ends of both rates' intervals, Wilson's at three standard errors, so that
    a span of forty rows does not warn for its size.

    On the flights of 2013 the monthly rate runs from 13.2 % to 32.6 %, and the daily one from 4 % to 79 %. Against
    the mean of the last 14 days 28 % of the days move by more than 0.15, against their range 2 %, and of the months
    none.

    Args:
        label: The label's column.
        span: The newest span.
        newest: The label there.
        earlier: The label in each earlier span that has enough rows.
        settings: The limits.

    Returns:
        At most one finding, about the class that changed most.
    """
    before = [one for one in earlier if one.rows]
    if not before or not newest.rows:
        return []
    values = sorted({value for one in (newest, *before) for value in one.counts})
    if set(values) <= {0, 1}:
        # The rate of 0 mirrors it, and the factor is for a rare 1.
        values = [1]
    worst: tuple[float, str, str] | None = None
    for value in values:
        own, band = _band(value, [newest]), _band(value, before)
        change = max(own.surely_from - band.surely_to, band.surely_from - own.surely_to)
        factor = max(own.surely_from / band.surely_to, band.surely_from / own.surely_to)
        if change > settings.max_label_change:
            expected = f"a change of at most {percent(settings.max_label_change)} of the rows"
        elif factor > settings.max_label_factor:
            expected = f"at most {settings.max_label_factor:g} times as many, or as few"
        else:
            continue
        if worst is None or change > worst[0]:
            what = "rate" if values == [1] else f"class {value} in"
            worst = change, _words(what, own, band), expected
    return [Finding(LABEL_RATE, label, f"span {span}", *worst[1:])] if worst else []


CHECK = Check(check, (LABEL_RATE, NEW_CLASS))


def _words(what: str, own: _Band, band: _Band) -> str:
    earlier = percent(band.low)
    if percent(band.high) != earlier:
        earlier += f" to {percent(band.high)}"
    of = "" if what == "rate" else " of the rows"
    return f"{what} {percent(own.low)}{of}, {earlier} in the earlier spans"


def _band(value: int, spans: Sequence[LabelCounts]) -> _Band:
    rates = [span.rate(value) for span in spans]
    intervals = [wilson(rate, one.rows) for rate, one in zip(rates, spans, strict=True)]
    return _Band(
        min(rates),
        max(rates),
        min(low for low, _ in intervals),
        max(high for _, high in intervals),
    )
