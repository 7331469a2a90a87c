"""The report's section on evidence: each change against the champion, with its interval as a bar around zero."""

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from ...lib.report.page import Cell, Column, breakable, render_table
from ...lib.words import number, plural
from ..evidence.checks import EvidenceCheck, Kind, signed_range
from ..gate import difference

MOST_ROWS = 400
MOST_OPEN = 10
"""Slices that passed are open up to this many: the thresholds must not be a screen away from the verdict."""
WIDTH, HEIGHT = 180, 18
_TITLES = {
    Kind.NO_LOSS: "no loss",
    Kind.GAIN: "a gain",
    Kind.SLICE_LOSS: "no loss on a slice",
    Kind.GAP: "gap between slices",
}


def render_evidence(checks: Sequence[EvidenceCheck]) -> Markup:
    """Lay out the checks.

    Args:
        checks: The checks, all rows first; none if none was asked for.

    Returns:
        HTML; empty without checks.
    """
    if not checks:
        return Markup("")
    failed = [check for check in checks if check.passed is False]
    passed = [check for check in checks if check.passed]
    rest = [check for check in checks if check.passed is None]
    slices = [check for check in passed if check.kind == Kind.SLICE_LOSS]
    folded = slices if len(slices) > MOST_OPEN else []
    first = [*failed, *(check for check in passed if check not in folded)]
    columns: list[str | Column] = [
        "",
        "Metric",
        "Slice",
        Column("Rows", number=True, wide_only=True),
        Column("Change", number=True, wide_only=True),
        "Interval around 0",
        Column("Bound", number=True, wide_only=True),
    ]

    def table(some: Sequence[EvidenceCheck]) -> Markup:
        # What a metric's changes are compared by eye with: the same scale in all of its rows.
        scales = {metric: _reach(some, metric) for metric in {check.metric for check in some}}
        shown = [_row(check, scales[check.metric]) for check in some[:MOST_ROWS]]
        left = len(some) - len(shown)
        note = f"{left:,} more are in checks.json." if left else ""
        return render_table(columns, shown) + Markup('<p class="note">{}</p>').format(note)

    html = Markup("<h2>Evidence</h2>") + (table(first) if first else Markup(""))
    notes = [
        f"{len(passed):,} of {plural(len(passed) + len(failed), 'check')} passed.",
        "The red line is the bound.",
        "A slice fails only on a loss beyond it that chance does not explain." if slices else "",
    ]
    html += Markup('<p class="note">{}</p>').format(" ".join(filter(None, notes)))
    for some, words in ((folded, "on single slices passed"), (rest, "not judged")):
        if some:
            html += Markup("<details><summary>{:,} {}</summary>{}</details>").format(
                len(some), words, table(some)
            )
    return html


def _row(check: EvidenceCheck, reach: float) -> list[object]:
    css, word = {True: ("good", "passed"), False: ("bad", "failed"), None: ("soft", "not judged")}[
        check.passed
    ]
    pill = Markup('<span class="pill {}" title="{}">{}</span>').format(css, check.reason, word)
    return [
        pill,
        Markup('{} <span class="soft">{}</span>').format(
            breakable(check.metric), _TITLES[check.kind]
        ),
        breakable(check.slice),
        Cell(f"{check.rows:,}", check.rows),
        Cell(difference(check.difference), check.difference)
        if math.isfinite(check.difference)
        else "",
        _bar(check, reach),
        Cell(number(check.bound), check.bound),
    ]


def _bar(check: EvidenceCheck, reach: float) -> Markup:
    """Draw an interval, its middle, zero and the bound; on a narrow screen with the change, which has no column."""
    if check.passed is None or not math.isfinite(check.low):
        return Markup('<span class="soft">{}</span>').format(check.reason)

    def x(value: float) -> float:
        return WIDTH / 2 + max(-1.0, min(1.0, value / reach)) * (WIDTH / 2 - 6)

    middle = HEIGHT / 2
    colour = {True: "var(--train)", False: "#b3261e", None: "var(--soft)"}[check.passed]
    return Markup(
        '<svg class="interval" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img"><title>{title}</title>'
        '<path d="M{zero:.1f} 1V{low_edge}" stroke="var(--line)"/>'
        '<path d="M{bound:.1f} 1V{low_edge}" stroke="#b3261e" stroke-dasharray="2 2"/>'
        '<path d="M{left:.1f} {middle}H{right:.1f}" stroke="{colour}" stroke-width="3"/>'
        '<circle cx="{at:.1f}" cy="{middle}" r="4" fill="{colour}"/></svg>'
        '<span class="narrow-only">{change}</span>'
    ).format(
        change=difference(check.difference),
        w=WIDTH,
        h=HEIGHT,
        title=escape(signed_range(check.low, check.high)),
        zero=x(0.0),
        bound=x(check.bound),
        left=x(check.low),
        right=x(check.high),
        at=x(check.difference),
        middle=middle,
        low_edge=HEIGHT - 1,
        colour=colour,
    )


def _reach(checks: Sequence[EvidenceCheck], metric: str) -> float:
    """Return the largest size among a metric's intervals and bounds; those of slices may be cut off."""
    sizes = [
        abs(value)
        for check in checks
        if check.metric == metric
        for value in (check.low, check.high, check.bound)
        if math.isfinite(value)
    ]
    return max(sizes, default=1.0) or 1.0
