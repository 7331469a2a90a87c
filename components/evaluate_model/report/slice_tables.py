"""The report's tables of slices: the best and worst, one metric by slice, every metric of every slice."""

import math
from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from ...lib.evaluation.metric_directions import HIGHER, direction_of
from ...lib.evaluation.metric_names import ROWS
from ...lib.evaluation.metric_value import Value
from ...lib.report.page import Cell, Column, breakable, legend, render_table
from ...lib.verdicts import Champion
from ...lib.words import number, plural
from ..tfma_results import Evaluation, SliceResult
from .charts import COLOURS
from .metric_cells import Cells
from .slice_marks import bar, dots

MOST_SLICES = 1_500
MOST_CELLS = 6_000
"""More cells make a page that browsers are slow to show."""
WORST = 3
LEAST_RANKED_ROWS = 30
"""Slices with fewer rows are not ranked: their values are mostly chance."""
SEARCH_FROM = 8


def best_and_worst(
    evaluation: Evaluation,
    metric: str,
    champion: Champion,
    cells: Cells,
    directions: dict[str, int],
) -> Markup:
    """Lay out the weakest slices, and the largest losses and gains.

    Args:
        evaluation: What was computed.
        metric: The metric to rank by.
        champion: What the challenger was compared with.
        cells: Formats values.
        directions: Which way each metric is better.

    Returns:
        HTML; empty with fewer than two slices.
    """
    known = [s for s in evaluation.slices[1:] if _finite(s.challenger.get(metric))]
    slices = _large(known)
    if len(slices) < 2:
        return Markup("")
    direction = direction_of(metric, directions)
    sign, most = direction or HIGHER, min(WORST, len(slices) // 2)
    first, last = ("Weakest", "Strongest") if direction else ("Lowest", "Highest")
    ranked = sorted(slices, key=lambda s: sign * s.challenger[metric].value)
    cards = [
        (
            f"{first} in {metric}",
            [(s, cells.value(metric, s.challenger[metric])) for s in ranked[:most]],
        )
    ]
    changed = [s for s in slices if _finite(s.change.get(metric))]
    if champion.exists and direction:
        for title, factor in (("Largest losses against the champion", 1), ("Largest gains", -1)):
            by_change = sorted(changed, key=lambda s: factor * sign * s.change[metric].value)
            some = [s for s in by_change if factor * sign * s.change[metric].value < 0][:WORST]
            cards.append((title, [(s, cells.change(metric, s)) for s in some]))
    else:
        top = ranked[::-1][:most]
        cards.append(
            (f"{last} in {metric}", [(s, cells.value(metric, s.challenger[metric])) for s in top])
        )
    body = Markup("").join(
        Markup('<div class="card"><h3>{}</h3><ul class="worst">{}</ul></div>').format(
            title,
            Markup("").join(
                Markup(
                    '<li><span>{} <span class="soft nobreak">{}</span></span><span>{}</span></li>'
                ).format(
                    breakable(s.name), "" if s.rows is None else plural(s.rows, "row"), cell.shown
                )
                for s, cell in items
            )
            or Markup('<li class="soft">no slice</li>'),
        )
        for title, items in cards
    )
    left = len(known) - len(slices)
    note = (
        Markup('<p class="note">{} with fewer than {} rows omitted.</p>').format(
            plural(left, "slice"), LEAST_RANKED_ROWS
        )
        if left
        else ""
    )
    return Markup('<h2>Best and worst slices</h2><div class="cards">{}</div>{}').format(body, note)


def metric_by_slice(
    evaluation: Evaluation, metric: str, champion: Champion, cells: Cells, hidden: str
) -> Markup:
    """Lay out one metric of every slice.

    Args:
        evaluation: What was computed.
        metric: The metric.
        champion: What the challenger was compared with.
        cells: Formats values.
        hidden: Which slices are hidden, such as `fewer than 20 rows`; empty for none.

    Returns:
        HTML; empty without slices.
    """
    if len(evaluation.slices) < 2:
        return Markup("")
    shown = in_order(evaluation.slices[: MOST_SLICES + 1])
    values = [
        side[metric].value
        for s in _large(shown)
        for side in (s.challenger, s.champion)
        if _finite(side.get(metric))
    ]
    low, high = min(values, default=0.0), max(values, default=1.0)
    most = max((s.rows or 0) for s in evaluation.slices) or 1
    columns = [
        Column("Slice", css="name"),
        Column("Rows", number=True),
        Column(f"{metric}, {number(low)} to {number(high)}", wide_only=True),
        Column("Challenger", number=True),
    ]
    if champion.exists:
        columns += [Column("Champion", number=True, wide_only=True), Column("Change", number=True)]
    rows = []
    for s in shown:
        mine, theirs = s.challenger.get(metric), s.champion.get(metric)
        row: list[object] = [
            breakable(s.name),
            rows_cell(s, most),
            dots(mine.value if mine else None, theirs.value if theirs else None, low, high),
            cells.value(metric, mine),
        ]
        if champion.exists:
            row += [cells.value(metric, theirs), cells.change(metric, s)]
        rows.append(row)
    rest = len(evaluation.slices) - len(shown)
    notes = [
        f"{plural(rest, 'smaller slice')} {'is' if rest == 1 else 'are'} only in TFMA's result files."
        if rest
        else "",
        f"A slice with {hidden} is hidden (options.min_slice_size)." if hidden else "",
        "A change is coloured if it exceeds chance for the number of rows."
        if champion.exists
        else "",
    ]
    who = ("challenger", "champion") if champion.exists else ("challenger",)
    return Markup('<h2>{} by slice</h2>{}{}<p class="note">{}</p>').format(
        metric,
        legend([(name, COLOURS[name]) for name in who]),
        render_table(columns, rows, *_search(rows)),
        " ".join(filter(None, notes)),
    )


def every_metric(evaluation: Evaluation, champion: Champion, cells: Cells) -> Markup:
    """Lay out every metric of every slice, folded.

    Args:
        evaluation: What was computed.
        champion: What the challenger was compared with.
        cells: Formats values.

    Returns:
        HTML; empty with one metric, or without slices.
    """
    names = [name for name in evaluation.overall.challenger if name != ROWS]
    if len(evaluation.slices) < 2 or len(names) < 2:
        return Markup("")
    shown = in_order(evaluation.slices[: min(MOST_SLICES, MOST_CELLS // len(names)) + 1])
    rows: list[list[object]] = []
    for s in shown:
        row: list[object] = [breakable(s.name), rows_cell(s)]
        for name in names:
            value = cells.value(name, s.challenger.get(name))
            change = cells.change(name, s)
            row.append(Cell(Markup("{} {}").format(value.shown, change.shown), value.value))
        rows.append(row)
    columns = [
        Column("Slice", css="name"),
        Column("Rows", number=True),
        *(Column(n, number=True) for n in names),
    ]
    beside = " (change against the champion)" if champion.exists else ""
    return Markup("<details><summary>Every metric of {}{}</summary>{}</details>").format(
        "every slice"
        if len(shown) == len(evaluation.slices)
        else f"the {len(shown):,} largest slices",
        beside,
        render_table(columns, rows, *_search(rows)),
    )


def rows_cell(s: SliceResult, most: int = 0) -> Cell:
    """Format a slice's row count, with a bar relative to `most`."""
    if s.rows is None:
        return Cell("")
    picture = bar(s.rows / most) if most else ""
    note = Markup(' <span class="soft">(hidden)</span>') if s.too_small else ""
    return Cell(Markup("{}{}{}").format(f"{s.rows:,}", note, picture), s.rows)


def in_order(slices: Sequence[SliceResult]) -> list[SliceResult]:
    """Order slices by their columns; then by value where all are numbers, else the largest first."""
    ordered: list[SliceResult] = []
    for _, group in groupby(sorted(slices, key=_columns), key=_columns):
        some = list(group)
        try:
            some.sort(key=lambda s: [float(value) for _, value in s.key])
        except (TypeError, ValueError):
            some.sort(key=lambda s: -(s.rows or 0))
        ordered += some
    return ordered


def _large(slices: Sequence[SliceResult]) -> Sequence[SliceResult]:
    """Leave small slices out, unless nearly all are small."""
    large = [s for s in slices if (s.rows or 0) >= LEAST_RANKED_ROWS]
    return large if len(large) >= 2 else slices


def _search(rows: Sequence[object]) -> tuple[str, int | None]:
    return ("slices", 1) if len(rows) >= SEARCH_FROM else ("", None)


def _columns(s: SliceResult) -> tuple[str, ...]:
    return tuple(column for column, _ in s.key)


def _finite(value: Value | None) -> bool:
    return value is not None and math.isfinite(value.value)
