"""The label's rate: how often each class comes, and whether it moved further than chance and habit explain."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..lib.distributions import text_shares
from ..lib.statistics import Feature, common, is_number
from ..lib.words import percent
from .findings import Finding
from .settings import Settings

# Standard errors on either side: chance alone leaves them once in 370 times.
_Z = 3.0


@dataclass(frozen=True)
class _Band:
    """Where a rate lies, with what chance may add.

    Attributes:
        low: Its lowest rate.
        high: Its highest rate.
        surely_from: As low as that may really be.
        surely_to: As high as that may really be.
    """

    low: float
    high: float
    surely_from: float
    surely_to: float


def label_rate(feature: Feature | None) -> float | None:
    """Tell the rate of a label of 0 and 1, or None if it is another kind of label."""
    if feature is None or not is_number(feature) or not common(feature).num_non_missing:
        return None
    stats = feature.num_stats
    whole = feature.type == Feature.INT or {stats.min, stats.max} <= {0.0, 1.0}
    return stats.mean if whole and stats.min >= 0 and stats.max <= 1 else None


def check_label_rate(
    label: str, span: str, newest: Feature, earlier: Sequence[Feature], settings: Settings
) -> list[Finding]:
    """Look whether a class of the label comes far more or far less often than in any earlier span.

    Three things have to come together, or a clean source would warn all the time. The rate lies outside of what the
    earlier spans had, each by itself: seasons and weekdays move a rate without anything being wrong. It does so by
    more than `max_label_change` (or by more than the factor `max_label_factor`, which finds what happens to a rare
    class). And it does so even at the near ends of both rates' intervals, Wilson's at three standard errors, so that
    a span of forty rows does not warn for its size.

    On the flights of 2013 the monthly rate runs from 13.2 % to 32.6 %, and the daily one from 4 % to 79 %. Against
    the mean of the last 14 days 28 % of the days move by more than 0.15, against their range 2 %, and of the months
    none.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.

    Args:
        label: The label's column.
        span: The newest span.
        newest: The label there.
        earlier: The label in each earlier span that has rows enough to compare with.
        settings: What is too much.

    Returns:
        At most one finding, of the class that moved furthest.
    """
    filled = [feature for feature in earlier if common(feature).num_non_missing]
    now = _class_rates(newest)
    before = [_class_rates(feature) for feature in filled]
    if not filled or now is None or any(rates is None for rates in before):
        return []
    rows, rows_before = _rows(newest), [_rows(feature) for feature in filled]
    worst: tuple[float, str, str] | None = None
    for value in dict.fromkeys(value for rates in (now, *before) for value in rates or {}):
        own = _band([now.get(value, 0.0)], [rows])
        band = _band([(rates or {}).get(value, 0.0) for rates in before], rows_before)
        change = max(own.surely_from - band.surely_to, band.surely_from - own.surely_to)
        factor = max(own.surely_from / band.surely_to, band.surely_from / own.surely_to)
        if change > settings.max_label_change:
            expected = f"a change of at most {percent(settings.max_label_change)} of the rows"
        elif factor > settings.max_label_factor:
            expected = f"at most {settings.max_label_factor:g} times as many, or as few"
        else:
            continue
        if worst is None or change > worst[0]:
            worst = change, _words(value, own, band), expected
    return [Finding("label_rate", label, f"span {span}", *worst[1:])] if worst else []


def _words(value: str, own: _Band, band: _Band) -> str:
    earlier = percent(band.low)
    if percent(band.high) != earlier:
        earlier += f" to {percent(band.high)}"
    what = f"'{value}' in {percent(own.low)} of the rows" if value else f"rate {percent(own.low)}"
    return f"{what}, {earlier} in the earlier spans"


def _rows(feature: Feature) -> int:
    return int(common(feature).num_non_missing)


def _class_rates(feature: Feature) -> Mapping[str, float] | None:
    if is_number(feature):
        rate = label_rate(feature)
        return None if rate is None else {"": rate}
    shares = text_shares(feature)
    # Of more classes than TFDV counts, the counts are lower bounds.
    return shares if len(shares) == feature.string_stats.unique else None


def _band(rates: Sequence[float], rows: Sequence[int]) -> _Band:
    intervals = [_wilson(rate, count) for rate, count in zip(rates, rows, strict=True)]
    return _Band(
        min(rates),
        max(rates),
        min(low for low, _ in intervals),
        max(high for _, high in intervals),
    )


def _wilson(rate: float, rows: int) -> tuple[float, float]:
    scale = 1 + _Z**2 / rows
    middle = (rate + _Z**2 / (2 * rows)) / scale
    half = _Z * math.sqrt(rate * (1 - rate) / rows + _Z**2 / (4 * rows**2)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)
