"""SVG charts for the reports: distributions side by side, and a measure over time.

Colours come from the report page's style sheet, so that a chart needs nothing of its own.
"""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from markupsafe import Markup, escape

from ..statistics.distributions import (
    binned,
    cumulative,
    is_wide,
    leading_values,
    logarithmic,
    plotting_range,
    text_shares,
)
from ..statistics.statistics_artifact import Feature, is_number
from ..words import number, percent, plural

WIDTH = 320
BINS = 18
TOP_VALUES = 6
# Of 11.5 pixels; letters of East Asian scripts are as wide as two.
_LABEL_CHARACTERS = 21
_LETTER = 6.4
# The smallest visible bar in pixels; smaller shares occur in every bucket of TFDV's histograms.
_LEAST_HEIGHT, _LEAST_SHARE = 1.5, 5e-4
# Of 11 pixels, two of them side by side.
_SPAN_CHARACTERS = 24


@dataclass(frozen=True)
class Series:
    """One dataset of a chart.

    Attributes:
        name: What the legend calls it.
        color: A CSS colour.
        feature: The column's statistics in it; None if it lacks the column.
        filled: Whether its area is filled, or only its outline drawn.
    """

    name: str
    color: str
    feature: Feature | None
    filled: bool = False


def distribution_chart(title: str, series: Sequence[Series]) -> Markup:
    """Draw a column's distribution in several datasets.

    Args:
        title: The column's name, for those who do not see the picture.
        series: The datasets, the one to be drawn at the back first.

    Returns:
        SVG, and a line on the tails that were cut off; a few words if there is nothing to draw.
    """
    present = [one for one in series if one.feature is not None]
    if present and all(is_number(one.feature) for one in present if one.feature is not None):
        return _histogram(title, present)
    texts = [one for one in present if one.feature is not None and not is_number(one.feature)]
    return _bars(title, texts)


def trend_chart(
    title: str, points: Sequence[tuple[str, float | None]], threshold: float | None
) -> Markup:
    """Draw a measure over time, with its threshold.

    Args:
        title: What is measured, for those who do not see the picture.
        points: Label and value, oldest first; None or NaN where it could not be measured.
        threshold: Above it is too much.

    Returns:
        SVG; empty if there are fewer than two values.
    """
    known = [
        (i, value)
        for i, (_, value) in enumerate(points)
        if value is not None and math.isfinite(value)
    ]
    if len(known) < 2:
        return Markup("")
    height, left, right, top, bottom = 74, 4, 4, 14, 16
    values = [value for _, value in known] + ([threshold] if threshold is not None else [])
    floor = min(0.0, *values)
    reach = (max(0.0, *values) - floor) * 1.15 or 1.0

    def at(i: int, value: float) -> tuple[float, float]:
        across = left + (WIDTH - left - right) * i / (len(points) - 1)
        return across, height - bottom - (height - top - bottom) * (value - floor) / reach

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(i, value) for i, value in known))
    dots = "".join(
        f'<circle cx="{at(i, value)[0]:.1f}" cy="{at(i, value)[1]:.1f}" r="2.6" '
        f'fill="{_over(value, threshold)}">'
        f"<title>{escape(points[i][0])}: {number(value)}</title></circle>"
        for i, value in known
    )
    # Without a threshold, this is the only scale.
    limit = _text(WIDTH - right, 10, f"newest {number(known[-1][1])}", "end")
    if threshold is not None:
        y = at(0, threshold)[1]
        limit = (
            f'<line x1="{left}" x2="{WIDTH - right}" y1="{y:.1f}" y2="{y:.1f}" '
            'stroke="var(--bad)" stroke-dasharray="4 3" stroke-width="1"/>'
            f'<text x="{left}" y="{y - 3:.1f}" font-size="10" fill="var(--bad)">'
            f"threshold {threshold:g}</text>"
        )
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" '
        f'aria-label="{escape(title)}">'
        f'<line x1="{left}" x2="{WIDTH - right}" y1="{height - bottom}" y2="{height - bottom}" '
        'stroke="var(--line)"/>'
        f'<polyline points="{line}" fill="none" stroke="var(--soft)" stroke-width="1.4"/>'
        f"{limit}{dots}"
        f"{_text(left, height - 3, _ending(points[0][0]))}"
        f"{_text(WIDTH - right, height - 3, _ending(points[-1][0]), 'end')}</svg>"
    )


def epochs_chart(title: str, series: Sequence[tuple[str, str, Sequence[float]]]) -> Markup:
    """Draw values by epoch.

    Args:
        title: What they are of, for those who do not see the picture.
        series: Name, CSS colour and values of each line, from the first epoch on.

    Returns:
        SVG; empty if no line has two values.
    """
    values = [value for _, _, line in series for value in line if math.isfinite(value)]
    count = max((len(line) for _, _, line in series), default=0)
    if count < 2 or not values:
        return Markup("")
    height, top, bottom = 112, 16, 18
    low, high = min(values), max(values)

    def point(epoch: int, value: float) -> str:
        share = (value - low) / ((high - low) or 1.0)
        return f"{4 + (WIDTH - 8) * epoch / (count - 1):.1f},{height - bottom - (height - top - bottom) * share:.1f}"

    lines = "".join(
        f'<polyline points="{" ".join(point(i, v) for i, v in enumerate(line) if math.isfinite(v))}" fill="none" '
        f'stroke="{color}" stroke-width="1.8"><title>{escape(name)}</title></polyline>'
        for name, color, line in series
    )
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" aria-label="{escape(title)} by epoch">'
        f"{lines}{_text(4, 10, number(high))}{_text(4, height - 3, number(low))}"
        f"{_text(WIDTH - 4, height - 3, f'{count} epochs', 'end')}</svg>"
    )


def _histogram(title: str, series: Sequence[Series]) -> Markup:
    drawn = [
        (one, distribution)
        for one in series
        if one.feature is not None and (distribution := cumulative(one.feature)) is not None
    ]
    if not drawn:
        return _nothing()
    wide = is_wide([distribution for _, distribution in drawn])
    if wide:
        drawn = [(one, logarithmic(distribution)) for one, distribution in drawn]

    def written(value: float) -> str:
        return number(10**value if wide else value)

    low, high = plotting_range([distribution for _, distribution in drawn])
    if low == high:
        return Markup('<p class="soft" style="margin:18px 0">always {}</p>').format(written(low))
    counted = [(one, *binned(distribution, low, high, BINS)) for one, distribution in drawn]
    height, bottom = 112, 16
    peak = max(float(shares.max()) for _, shares, _, _ in counted) or 1.0
    step = WIDTH / BINS
    shapes, tails = [], []
    for one, shares, below, above in counted:
        # Even rare values stay visible.
        tall = np.where(
            shares > _LEAST_SHARE,
            np.maximum((height - bottom - 4) * shares / peak, _LEAST_HEIGHT),
            0.0,
        )
        tops = height - bottom - tall
        path = f"M0 {height - bottom}" + "".join(
            f"V{y:.1f}H{step * (i + 1):.1f}" for i, y in enumerate(tops)
        )
        shapes.append(
            f'<path d="{path}V{height - bottom}Z" fill="{one.color}" '
            f'fill-opacity="{0.25 if one.filled else 0}" stroke="{one.color}" stroke-width="1.6" '
            f'stroke-linejoin="round"><title>{escape(one.name)}</title></path>'
        )
        tails += [
            (one.name, below, f"below {written(low)}"),
            (one.name, above, f"above {written(high)}"),
        ]
    middle = written((low + high) / 2) + (", log scale" if wide else "")
    svg = Markup(
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" '
        f'aria-label="Distribution of {escape(title)}">{"".join(shapes)}'
        f'<line x1="0" x2="{WIDTH}" y1="{height - bottom}" y2="{height - bottom}" '
        f'stroke="var(--line)"/>{_text(0, height - 3, written(low))}'
        f"{_text(WIDTH / 2, height - 3, middle, 'middle')}"
        f"{_text(WIDTH, height - 3, written(high), 'end')}</svg>"
    )
    return svg + _tails(tails)


def _bars(title: str, series: Sequence[Series]) -> Markup:
    shares = [text_shares(one.feature) for one in series if one.feature is not None]
    values = leading_values(shares, TOP_VALUES)
    if not values:
        return _nothing()
    labels = _labels(values)
    bar, gap, right = 6, 8, 46
    left = 14 + _LETTER * max(map(_drawn_width, labels))
    band = bar * len(series) + gap
    height = band * len(values) + 4
    peak = max(share.get(value, 0.0) for share in shares for value in values) or 1.0
    parts = []
    for row, (value, label) in enumerate(zip(values, labels, strict=True)):
        top = row * band + 4
        middle = top + bar * len(series) / 2 + 4
        parts.append(
            f'<text x="{left - 8:.1f}" y="{middle:.1f}" font-size="11.5" text-anchor="end" '
            f'fill="var(--ink)">{escape(label)}<title>{escape(value)}</title></text>'
        )
        for i, (one, known) in enumerate(zip(series, shares, strict=True)):
            width = (WIDTH - left - right) * known.get(value, 0.0) / peak
            parts.append(
                f'<rect x="{left:.1f}" y="{top + i * bar}" width="{max(width, 0.5):.1f}" '
                f'height="{bar - 1}" rx="1" fill="{one.color}"><title>{escape(one.name)}: '
                f"{percent(known.get(value, 0.0))}</title></rect>"
            )
        newest = percent(shares[-1].get(value, 0.0))
        parts.append(
            f'<text x="{WIDTH}" y="{middle:.1f}" font-size="11" text-anchor="end" '
            f'fill="var(--soft)">{newest}</text>'
        )
    svg = Markup(
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" '
        f'aria-label="Values of {escape(title)}">{"".join(parts)}</svg>'
    )
    return svg + _others(series[-1], values)


def _others(newest: Series, shown: Sequence[str]) -> Markup:
    """Describe the values that are not drawn, and their rows."""
    feature = newest.feature
    if feature is None:
        return Markup("")
    shares = text_shares(feature)
    count = max(feature.string_stats.unique, len(shares)) - sum(value in shares for value in shown)
    if count <= 0:
        return Markup("")
    share = 1 - sum(shares.get(value, 0.0) for value in shown)
    return Markup('<p class="note">and {}, in {} of the rows</p>').format(
        plural(count, "more value"), percent(min(max(share, 0.0), 1.0))
    )


def _shortened(text: str, width: int) -> str:
    head = text[: width + 1]
    widths = accumulate(1 + (unicodedata.east_asian_width(one) in "WF") for one in head)
    fitting = sum(reached <= width for reached in widths)
    # The ellipsis replaces at least one letter.
    return text if fitting == len(text) else text[: max(fitting - 1, 1)] + "…"


def _labels(values: Sequence[str]) -> list[str]:
    """Shorten values to fit beside the bars, keeping those distinct that differ only at the end."""
    labels = [_shortened(value, _LABEL_CHARACTERS) or "(empty)" for value in values]
    if len(set(labels)) < len(labels):
        half = _LABEL_CHARACTERS // 2
        labels = [
            label if label == value or not value else _ends(value, half)
            for value, label in zip(values, labels, strict=True)
        ]
    return labels


def _ends(text: str, width: int) -> str:
    return _shortened(text, width) + _shortened(text[::-1], width)[-2::-1]


def _width(text: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(one) in "WF") for one in text)


def _drawn_width(text: str) -> float:
    # Capitals and digits are wider than the average letter, and labels such as N857MQ have nothing else.
    return _width(text) + 0.25 * sum(one.isupper() or one.isdigit() for one in text)


def _ending(span: str) -> str:
    # The last letters distinguish spans.
    return _shortened(span[::-1], _SPAN_CHARACTERS)[::-1]


def _tails(tails: Sequence[tuple[str, float, str]]) -> Markup:
    cut = [
        f"{name}: about {percent(round(share, 2))} {where}"
        for name, share, where in tails
        if share >= 0.005
    ]
    if not cut:
        return Markup("")
    return Markup('<p class="soft" style="margin:2px 0 0;font-size:12px">{}</p>').format(
        ", ".join(cut)
    )


def _nothing() -> Markup:
    return Markup('<p class="soft" style="margin:18px 0">no values</p>')


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" text-anchor="{anchor}" '
        f'fill="var(--soft)">{escape(text)}</text>'
    )


def _over(value: float, threshold: float | None) -> str:
    return "var(--bad)" if threshold is not None and value > threshold else "var(--soft)"
