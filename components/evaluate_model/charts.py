"""The pictures of the evaluation report, as inline SVG."""

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from ..lib.words import number
from .results import CalibrationPoint

BUCKETS = 20
COLOURS = {"challenger": "var(--train)", "champion": "var(--before)"}


def calibration_plot(points: Mapping[str, Sequence[CalibrationPoint]]) -> Markup:
    """Draw mean label over mean prediction, with the share of rows at each prediction below.

    Args:
        points: Points by `challenger` and `champion`; TFMA has a thousand, drawn are at most
            twenty.

    Returns:
        SVG.
    """
    left, top, side, bars = 46, 10, 300, 56
    low = min((p.prediction for ps in points.values() for p in ps), default=0.0)
    high = max((p.prediction for ps in points.values() for p in ps), default=1.0)
    low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high if high > low else low + 1)

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * side

    def y(value: float) -> float:
        return top + side - (min(max(value, low), high) - low) / (high - low) * side

    points = {who: _merge(series, low, high) for who, series in points.items()}
    parts = []
    for step in range(6):
        at = low + (high - low) * step / 5
        parts.append(
            f'<line x1="{left}" x2="{left + side}" y1="{y(at):.1f}" y2="{y(at):.1f}" '
            'stroke="var(--line)"/>'
            f'<text x="{left - 7}" y="{y(at) + 4:.1f}" text-anchor="end">{number(at)}</text>'
            f'<text x="{x(at):.1f}" y="{top + side + bars + 30}" '
            f'text-anchor="middle">{number(at)}</text>'
        )
    parts.append(
        f'<line x1="{x(low)}" y1="{y(low)}" x2="{x(high)}" y2="{y(high)}" stroke="var(--soft)" '
        'stroke-dasharray="4 4"/>'
    )
    base = top + side + bars + 14
    for offset, (who, series) in enumerate(reversed(list(points.items()))):
        total = sum(point.rows for point in series) or 1.0
        line = " ".join(f"{x(p.prediction):.1f},{y(p.label):.1f}" for p in series)
        colour = COLOURS[who]
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2" '
            'stroke-linejoin="round"/>'
        )
        for point in series:
            title = (
                f"{who}: {point.rows:,.0f} rows, mean prediction {number(point.prediction)}, mean "
                f"label {number(point.label)}"
            )
            height = max(1.0, point.rows / total * bars)
            parts.append(
                f'<circle cx="{x(point.prediction):.1f}" cy="{y(point.label):.1f}" '
                f'r="{3 + 4 * math.sqrt(point.rows / total):.1f}" fill="{colour}" '
                f'stroke="var(--paper)"><title>{escape(title)}</title></circle>'
                f'<rect x="{x(point.prediction) - 6 + 6 * offset:.1f}" y="{base - height:.1f}" '
                'width="6" '
                f'height="{height:.1f}" fill="{colour}"><title>{escape(title)}</title></rect>'
            )
    parts.append(
        f'<text x="{left + side / 2}" y="{top + side + bars + 48}" text-anchor="middle">mean '
        "prediction (bars: share of rows)</text>"
        f'<text transform="translate(12 {top + side / 2}) rotate(-90)" text-anchor="middle">mean '
        "label</text>"
    )
    return Markup(
        f'<svg class="chart" viewBox="0 0 {left + side + 16} {top + side + bars + 56}" role="img" '
        f'aria-label="Calibration plot">{"".join(parts)}</svg>'
    )


def _merge(series: Sequence[CalibrationPoint], low: float, high: float) -> list[CalibrationPoint]:
    """Merge points into buckets of equal width, each at its rows' mean."""
    buckets: dict[int, list[CalibrationPoint]] = {}
    for point in series:
        place = (point.prediction - low) / (high - low) * BUCKETS
        buckets.setdefault(min(int(place), BUCKETS - 1), []).append(point)
    merged = []
    for _, inside in sorted(buckets.items()):
        rows = sum(point.rows for point in inside)
        merged.append(
            CalibrationPoint(
                rows,
                sum(point.rows * point.prediction for point in inside) / rows,
                sum(point.rows * point.label for point in inside) / rows,
            )
        )
    return merged


def dots(challenger: float | None, champion: float | None, low: float, high: float) -> Markup:
    """Draw a slice's two values on a common scale.

    Args:
        challenger: The challenger's value.
        champion: The champion's value.
        low: Where the scale begins.
        high: Where it ends.

    Returns:
        SVG, empty where there is nothing to draw.
    """
    width, middle = 200, 9

    def x(value: float) -> float:
        return 7 + (value - low) / ((high - low) or 1.0) * (width - 14)

    parts = [f'<line x1="7" x2="{width - 7}" y1="{middle}" y2="{middle}" stroke="var(--line)"/>']
    shown = [
        (who, value)
        for who, value in (("champion", champion), ("challenger", challenger))
        if value is not None and math.isfinite(value)
    ]
    if len(shown) == 2:
        parts.append(
            f'<line x1="{x(shown[0][1]):.1f}" x2="{x(shown[1][1]):.1f}" y1="{middle}" '
            f'y2="{middle}" '
            'stroke="var(--soft)" stroke-width="2"/>'
        )
    for who, value in shown:
        parts.append(
            f'<circle cx="{x(value):.1f}" cy="{middle}" r="5" fill="{COLOURS[who]}">'
            f"<title>{who} {number(value)}</title></circle>"
        )
    return Markup(
        f'<svg class="dots" viewBox="0 0 {width} 18" width="{width}" height="18" '
        'aria-hidden="true">'
        f"{''.join(parts)}</svg>"
    )


def bar(share: float) -> Markup:
    """Draw a share from 0 to 1 as a thin bar."""
    return Markup('<span class="bar"><i style="width:{:.1f}%"></i></span>').format(100 * share)


def legend(has_champion: bool) -> Markup:
    """Name the two colours."""
    names = ("challenger", "champion") if has_champion else ("challenger",)
    return Markup('<p class="legend">{}</p>').format(
        Markup("").join(
            Markup('<span><i style="background:{}"></i>{}</span>').format(COLOURS[name], name)
            for name in names
        )
    )
