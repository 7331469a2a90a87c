"""A signal over the looks: its values, its bound at each look, and where it could not be judged."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from ..lib.monitoring.looks import LookRecord
from ..lib.monitoring.signals import Outcome
from ..lib.words import number

WIDTH, HEIGHT = 320, 92
_LEFT, _RIGHT, _TOP, _BOTTOM = 4, 4, 16, 18
_COLORS = {
    Outcome.OK: "var(--soft)",
    Outcome.BREACHED: "var(--bad)",
    Outcome.SILENT: "var(--line)",
}


@dataclass(frozen=True)
class Point:
    """A signal in one look.

    Attributes:
        window: The newest span that was judged.
        outcome: How it was judged.
        value: What was measured; None if nothing could be.
        bound: What the value was judged against.
    """

    window: str
    outcome: Outcome
    value: float | None
    bound: float | None


def points_of(name: str, history: Sequence[LookRecord]) -> list[Point]:
    """Return a signal's points, oldest first; the last look at a span counts.

    Args:
        name: The signal's name.
        history: The looks, oldest first.
    """
    found: dict[str, Point] = {}
    for look in history:
        for signal in look.signals:
            if signal.name == name:
                window = signal.window or look.window
                found.pop(window, None)
                found[window] = Point(window, signal.outcome, signal.value, signal.bound)
    return list(found.values())


def signal_chart(name: str, points: Sequence[Point]) -> Markup:
    """Draw a signal over the looks.

    Args:
        name: Its name, for those who do not see the picture.
        points: Its points, oldest first.

    Returns:
        SVG; empty if there are fewer than two values, or all are 0.
    """
    values = [point.value for point in points if _is_known(point.value)]
    if len(values) < 2 or not any(values):
        return Markup("")
    bounds = [point.bound for point in points if _is_known(point.bound)]
    known = [float(one) for one in (*values, *bounds) if one is not None]
    low, high = min(known), max(known)
    # Shares and distances are read from zero on, a metric between 0.7 and 0.8 is not.
    if low > 0 and low < 0.5 * high:
        low = 0.0
    reach = (high - low) or abs(high) or 1.0

    def x(place: int) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * place / max(len(points) - 1, 1)

    def y(value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (value - low) / reach

    newest = next(point for point in reversed(points) if _is_known(point.value))
    bound = next((point.bound for point in reversed(points) if _is_known(point.bound)), None)
    corner = f"{number(newest.value or 0.0)}" + (
        "" if bound is None else f", bound {number(bound)}"
    )
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{escape(name)} over the looks">'
        f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{HEIGHT - _BOTTOM}" y2="{HEIGHT - _BOTTOM}" '
        f'stroke="var(--line)"/>{_path(points, "bound", x, y, "var(--bad)", "4 3")}'
        f"{_path(points, 'value', x, y, 'var(--soft)', '')}{_dots(points, x, y)}"
        f"{_text(WIDTH - _RIGHT, 10, corner, 'end')}{_text(_LEFT, HEIGHT - 4, points[0].window)}"
        f"{_text(WIDTH - _RIGHT, HEIGHT - 4, points[-1].window, 'end')}</svg>"
    )


def _path(
    points: Sequence[Point],
    what: str,
    x: Callable[[int], float],
    y: Callable[[float], float],
    color: str,
    dashes: str,
) -> str:
    """Draw a line that is broken where there is no value."""
    steps, pen = [], "M"
    for place, point in enumerate(points):
        value = getattr(point, what)
        if not _is_known(value):
            pen = "M"
            continue
        steps.append(f"{pen}{x(place):.1f} {y(value):.1f}")
        pen = "L"
    if not steps:
        return ""
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="{"".join(steps)}" fill="none" stroke="{color}" stroke-width="1.3"{dashed}/>'


def _dots(points: Sequence[Point], x: Callable[[int], float], y: Callable[[float], float]) -> str:
    parts = []
    for place, point in enumerate(points):
        height = y(point.value) if point.value is not None and _is_known(point.value) else None
        said = "not judged" if point.outcome == Outcome.SILENT else str(point.outcome)
        value = "" if height is None else f" {number(point.value or 0.0)}"
        parts.append(
            f'<circle cx="{x(place):.1f}" cy="{HEIGHT - _BOTTOM if height is None else height:.1f}" r="2.8" '
            f'fill="{_COLORS[point.outcome]}"><title>{escape(point.window)}: {said}{value}</title></circle>'
        )
    return "".join(parts)


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" text-anchor="{anchor}" fill="var(--soft)">'
        f"{escape(text)}</text>"
    )


def _is_known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
