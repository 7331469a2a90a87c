"""A chart of one metric of the champions, from one to the next."""

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup, escape

from ...components.lib.words import number

_WIDTH, _HEIGHT, _SIDE, _TOP, _BOTTOM = 320, 96, 6, 18, 18


def metric_chart(name: str, points: Sequence[tuple[str, str, float]]) -> Markup:
    """Draw a metric over time: a level for as long as each champion served.

    The scale is that of the values, not from zero: champions differ by little.

    Args:
        name: The metric.
        points: When each champion came into service, in ISO 8601; its name; its value. Oldest first.

    Returns:
        SVG.
    """
    moments = [datetime.fromisoformat(at).timestamp() for at, _, _ in points]
    values = [value for _, _, value in points]
    first, last = moments[0], moments[-1]
    least, most = min(values), max(values)
    # The last level has no end yet: a tenth of the width is kept for it.
    right = _WIDTH - _SIDE - (_WIDTH - 2 * _SIDE) * 0.1

    def across(moment: float) -> float:
        return _SIDE + (right - _SIDE) * ((moment - first) / (last - first) if last > first else 0)

    def up(value: float) -> float:
        share = (value - least) / (most - least) if most > least else 0.5
        return _HEIGHT - _BOTTOM - 4 - (_HEIGHT - _TOP - _BOTTOM - 8) * share

    ends = [*(across(moment) for moment in moments[1:]), float(_WIDTH - _SIDE)]
    levels = [
        f"{across(moment):.1f},{up(value):.1f} {end:.1f},{up(value):.1f}"
        for moment, value, end in zip(moments, values, ends, strict=True)
    ]
    dots = "".join(
        f'<circle cx="{across(moment):.1f}" cy="{up(value):.1f}" r="3" fill="var(--train)">'
        f"<title>{escape(label)}, {escape(at[:10])}: {number(value)}</title></circle>"
        for moment, (at, label, value) in zip(moments, points, strict=True)
    )
    texts = [
        (_SIDE, 11, "start", f"{number(least)} to {number(most)}" if most > least else ""),
        (_WIDTH - _SIDE, 11, "end", f"now {number(values[-1])}"),
        (_SIDE, _HEIGHT - 4, "start", points[0][0][:10]),
        (_WIDTH - _SIDE, _HEIGHT - 4, "end", points[-1][0][:10] if len(points) > 1 else ""),
    ]
    words = "".join(
        f'<text x="{x}" y="{y}" font-size="11" text-anchor="{anchor}" fill="var(--soft)">{escape(text)}</text>'
        for x, y, anchor, text in texts
    )
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" '
        f'aria-label="{escape(name)} of each champion">'
        f'<line x1="{_SIDE}" x2="{_WIDTH - _SIDE}" y1="{_HEIGHT - _BOTTOM}" y2="{_HEIGHT - _BOTTOM}" '
        'stroke="var(--line)"/>'
        f'<polyline points="{" ".join(levels)}" fill="none" stroke="var(--train)" stroke-width="1.6"/>'
        f"{dots}{words}</svg>"
    )
