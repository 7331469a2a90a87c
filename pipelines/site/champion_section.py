"""Who served when, and how good it was."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from ...components.lib.report.page import (
    Cell,
    Column,
    render_card,
    render_lines,
    render_links,
    render_section,
    render_table,
)
from ...components.lib.words import fixed
from .cells import moment, whole
from .contents import Champion
from .metric_chart import metric_chart

_MOST_METRICS = 6
# They say how many rows there were, not how good a model is.
_COUNTS = frozenset({"example_count", "weighted_example_count"})


def render_champions(champions: Sequence[Champion], served: bool) -> Markup:
    """Lay out the champions: a chart of each metric, and a table.

    Args:
        champions: Newest first.
        served: Whether the first of them is in service now.
    """
    if not champions:
        return render_section("Champions", Markup(""), [], "No model was put into service yet.")
    found = dict.fromkeys(name for one in champions for name in one.evaluation.overall.metrics)
    names = [name for name in found if name not in _COUNTS][:_MOST_METRICS]
    cards = []
    for metric in names:
        points = [
            (one.move.at, f"version {one.move.version}", value)
            for one in reversed(champions)
            if one.move.at
            and (value := one.evaluation.overall.metrics.get(metric)) is not None
            and math.isfinite(value)
        ]
        if points:
            cards.append(render_card(metric, metric_chart(metric, points)))
    rows = [_champion_row(one, served and place == 0, names) for place, one in enumerate(champions)]
    note = (
        "Each champion's metrics are those that the gate measured, on the evaluation rows of its own run; "
        "champions of different spans are not compared on the same rows."
    )
    table = render_table(
        [
            "version",
            "in service",
            Column("by", wide_only=True),
            "why",
            Column("trained on", wide_only=True),
            *(Column(name, number=True) for name in names),
        ],
        rows,
    )
    return render_section("Champions", Markup(""), cards, note if cards else "") + table


def _champion_row(champion: Champion, served: bool, names: Sequence[str]) -> list[object]:
    move = champion.move
    label = f"version {move.version}"
    info = champion.version.info if champion.version else {}
    spans = info.get("train_spans") or []
    until = "now" if served else moment(champion.until)
    name: object = render_links([(label, champion.card)]) if champion.card else label
    if not champion.version:
        name = f"{label} (deleted)"
    metrics = champion.evaluation.overall.metrics
    return [
        Cell(name, move.version),
        render_lines([whole(moment(move.at)), whole(f"to {until}")]),
        move.by or move.run,
        f"{move.action}{f': {move.why}' if move.why else ''}",
        f"{spans[0]} to {spans[-1]}" if len(spans) > 1 else "".join(map(str, spans)),
        *(
            Cell(fixed(value, 4), value) if (value := metrics.get(one)) is not None else ""
            for one in names
        ),
    ]
