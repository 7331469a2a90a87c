"""The plots of the evaluation report, as inline SVG."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from markupsafe import Markup, escape

from ...lib.words import number, percent
from ..plot_data import CalibrationPoint

BUCKETS = 20
COLOURS = {"challenger": "var(--train)", "champion": "var(--before)"}
_LEFT, _TOP, _SIDE = 64, 10, 300
_HISTOGRAM = 170


def calibration_plot(
    points: Mapping[str, Sequence[CalibrationPoint]], shares: bool = True
) -> Markup:
    """Draw mean label over mean prediction.

    Args:
        points: Points by `challenger` and `champion`; TFMA has a thousand; at most twenty are drawn.
        shares: Whether to draw the share of rows at each prediction below.

    Returns:
        SVG.
    """
    every = [p for ps in points.values() for p in ps]
    values = [v for p in every for v in (p.prediction, p.label)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    if shares:
        low, high = min(low, 0.0), max(high, 1.0)
    ticks = _ticks(low, high)
    low, high = ticks[0], ticks[-1]
    bars = 56 if shares else 0
    points = {who: _merge(series, low, high) for who, series in points.items()}

    def x(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * _SIDE

    def y(value: float) -> float:
        return _TOP + _SIDE - (value - low) / (high - low) * _SIDE

    floor = _TOP + _SIDE + 22
    parts = [_grid(ticks), _diagonal()]
    for offset, (who, series) in enumerate(reversed(list(points.items()))):
        total = sum(point.rows for point in series) or 1.0
        line = " ".join(f"{x(p.prediction):.1f},{y(p.label):.1f}" for p in series)
        colour = COLOURS[who]
        parts.append(_line(line, colour))
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
            )
            if not shares:
                continue
            parts.append(
                f'<rect x="{x(point.prediction) - 6 + 6 * offset:.1f}" y="{floor + bars - height:.1f}" '
                f'width="6" height="{height:.1f}" fill="{colour}"><title>{escape(title)}</title></rect>'
            )
    return _chart(
        "Calibration",
        parts,
        "mean prediction (bars: share of rows)" if shares else "mean prediction",
        "mean label",
        floor + bars,
    )


def curve_plot(
    title: str,
    x_title: str,
    y_title: str,
    curves: Mapping[str, Sequence[tuple[float, float]]],
    diagonal: bool = False,
) -> Markup:
    """Draw curves of two shares, such as ROC.

    Args:
        title: The chart's title, for screen readers.
        x_title: Title of the x axis.
        y_title: Title of the y axis.
        curves: Points from 0 to 1 by `challenger` and `champion`.
        diagonal: Whether to draw the line of random guessing.

    Returns:
        SVG.
    """
    parts = [_grid(_ticks(0.0, 1.0))] + [_diagonal()] * diagonal
    for who, points in reversed(list(curves.items())):
        line = " ".join(
            f"{_LEFT + px * _SIDE:.1f},{_TOP + (1 - py) * _SIDE:.1f}" for px, py in points
        )
        parts.append(_line(line, COLOURS[who]))
    return _chart(title, parts, x_title, y_title, _TOP + _SIDE + 20)


def histogram_plot(
    title: str, edges: Sequence[float], series: Mapping[str, Sequence[float]], x_title: str
) -> Markup:
    """Draw how values are distributed: the challenger as bars, the champion as a line around its own.

    Args:
        title: The chart's title, for screen readers.
        edges: Bounds of the buckets.
        series: Share of the rows in each bucket by `challenger` and `champion`.
        x_title: Title of the x axis.

    Returns:
        SVG.
    """
    most = max((max(shares) for shares in series.values()), default=0.0) or 1.0
    floor = _TOP + _HISTOGRAM
    low, high = edges[0], edges[-1]

    def x(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * _SIDE

    def y(share: float) -> float:
        return floor - share / most * _HISTOGRAM

    parts = [
        f'<line x1="{_LEFT}" x2="{_LEFT + _SIDE}" y1="{y(share):.1f}" y2="{y(share):.1f}" stroke="var(--line)"/>'
        f'<text x="{_LEFT - 7}" y="{y(share) + 4:.1f}" text-anchor="end">{percent(share)}</text>'
        for share in (0.0, most / 2, most)
    ]
    parts += [
        f'<text x="{x(tick):.1f}" y="{floor + 16}" text-anchor="middle">{number(tick)}</text>'
        for tick in _ticks(low, high)
        if low <= tick <= high
    ]
    for who, shares in series.items():
        steps = "".join(
            f"L{x(start):.1f} {y(share):.1f}H{x(end):.1f}"
            for share, (start, end) in zip(shares, pairwise(edges), strict=True)
        )
        fill = COLOURS[who] if who == "challenger" else "none"
        parts.append(
            f'<path d="M{x(low):.1f} {floor}{steps}V{floor}" fill="{fill}" fill-opacity="0.25" '
            f'stroke="{COLOURS[who]}" stroke-width="2"/>'
        )
    for place, (start, end) in enumerate(pairwise(edges)):
        rows = ", ".join(f"{who} {percent(shares[place])}" for who, shares in series.items())
        parts.append(
            f'<rect x="{x(start):.1f}" y="{_TOP}" width="{x(end) - x(start):.1f}" height="{_HISTOGRAM}" '
            f'fill="transparent"><title>{number(start)} to {number(end)}: {escape(rows)}</title></rect>'
        )
    return _chart(title, parts, x_title, "share of rows", floor + 20, _HISTOGRAM)


def confusion_table(
    labels: Sequence[str], table: Sequence[Sequence[float]], caption: str
) -> Markup:
    """Lay out a confusion matrix: rows are labels, columns predictions, and darker is more of its row.

    Args:
        labels: Names of the classes.
        table: Weight of rows by label and prediction.
        caption: Shown above it.

    Returns:
        HTML.
    """
    cell = Markup(
        '<td class="number" style="background:rgba(59,111,182,{:.2f})">{}<br><span class="share">{}</span></td>'
    )
    rows = Markup("")
    for name, row in zip(labels, table, strict=True):
        total = sum(row)
        cells = Markup("").join(
            cell.format(
                0.45 * value / (total or 1.0),
                f"{value:,.0f}",
                percent(value / total) if total else "",
            )
            for value in row
        )
        rows += Markup('<tr><th scope="row">{}</th>{}</tr>').format(name, cells)
    heads = Markup("").join(
        Markup('<th scope="col" class="number">{}</th>').format(name) for name in labels
    )
    return Markup(
        '<div class="scroll"><table class="confusion"><caption>{}</caption><thead><tr>'
        '<th scope="col">label \\ predicted</th>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(caption, heads, rows)


def _merge(series: Sequence[CalibrationPoint], low: float, high: float) -> list[CalibrationPoint]:
    """Merge points into buckets of equal width, each at its rows' mean."""
    if len(series) <= BUCKETS:
        return list(series)
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


def _ticks(low: float, high: float) -> list[float]:
    """Choose round numbers around a range: a power of ten, or twice or five times one, apart."""
    step = 10 ** math.floor(math.log10((high - low) / 5 or 1.0))
    step = next(
        (step * factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 6), step
    )
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]


def _grid(ticks: Sequence[float]) -> str:
    parts = []
    for tick in ticks:
        text, along = number(tick), _SIDE * (tick - ticks[0]) / (ticks[-1] - ticks[0])
        y = _TOP + _SIDE - along
        parts.append(
            f'<line x1="{_LEFT}" x2="{_LEFT + _SIDE}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--line)"/>'
            f'<text x="{_LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
            f'<text x="{_LEFT + along:.1f}" y="{_TOP + _SIDE + 16}" text-anchor="middle">{text}</text>'
        )
    return "".join(parts)


def _diagonal() -> str:
    return (
        f'<line x1="{_LEFT}" y1="{_TOP + _SIDE}" x2="{_LEFT + _SIDE}" y2="{_TOP}" stroke="var(--soft)" '
        'stroke-dasharray="4 4"/>'
    )


def _line(points: str, colour: str) -> str:
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>'


def _chart(
    title: str,
    parts: Sequence[str],
    x_title: str,
    y_title: str,
    bottom: float,
    height: float = _SIDE,
) -> Markup:
    # Titles are on their own line, so ticks of any length stay readable.
    return Markup(
        f'<svg class="chart" viewBox="0 0 {_LEFT + _SIDE + 24} {bottom + 28:.0f}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}'
        f'<text x="{_LEFT + _SIDE / 2}" y="{bottom + 20:.0f}" text-anchor="middle">{escape(x_title)}</text>'
        f'<text transform="translate(10 {_TOP + height / 2}) rotate(-90)" text-anchor="middle">{escape(y_title)}</text>'
        "</svg>"
    )
