"""Baselines of columns: whether a distance above a default threshold is new, judged by the earlier spans."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..lib.statistics.dataset import Column
from .comparison import LEAST_DISTANCES, NORMAL_FACTOR, Comparison, span_distances
from .distances import Distance, may_be_chance, measure
from .window import Window

# Spans without a value in common have the largest distance: dates, counters, the number of the month.
_DISJOINT = 0.95


@dataclass(frozen=True)
class Baseline:
    """What the earlier spans show about a column's distance.

    Attributes:
        normal: Why the distance is normal; empty if it is new.
        proven: Whether the earlier spans suffice to call it new.
        note: A remark for the reader; empty for none.
        odd_span: The only earlier span that differs from the newest and the others; empty if there is none.
    """

    normal: str = ""
    proven: bool = True
    note: str = ""
    odd_span: str = ""


def find_baselines(
    window: Window,
    comparison: Comparison,
    sides: tuple[Mapping[str, Column], Mapping[str, Column]],
    newer: Sequence[str],
) -> dict[str, Baseline]:
    """Compare the columns beyond their thresholds with their earlier spans.

    Args:
        window: The window.
        comparison: How far two datasets are from each other, and how far the earlier spans were.
        sides: The columns of both.
        newer: The spans that are compared with others, oldest first; none where both have rows of the same spans.
    """
    return {
        column: _baseline(window, column, distance, comparison, sides, newer)
        for column, distance in comparison.distances.items()
        if distance.value > distance.threshold
    }


def _baseline(
    window: Window,
    column: str,
    distance: Distance,
    comparison: Comparison,
    sides: tuple[Mapping[str, Column], Mapping[str, Column]],
    newer: Sequence[str],
) -> Baseline:
    if distance.chosen:
        return Baseline()
    if _is_chance(sides[0].get(column), sides[1].get(column), distance):
        return Baseline("within chance for samples of this size")
    if newer and all(_recurs(window, column, span, distance.threshold) for span in newer):
        return Baseline("earlier spans had the same values")
    usual = comparison.usual(column)
    if usual is not None:
        as_usual = distance.value <= NORMAL_FACTOR * usual
        known = _season_known(window, distance)
        returned = _returned(window, column, newer, distance)
        return Baseline(
            "similar drift in earlier spans" if as_usual else "", known and not returned
        )
    if _always_disjoint(window, column):
        return Baseline("no two spans have values in common")
    earlier = comparison.earlier(column)
    if not earlier:
        return Baseline(proven=False)
    if len(newer) == 1 and (odd := _odd_span(window, column, newer[0], distance.threshold)):
        return Baseline(proven=False, odd_span=odd)
    moved = max(earlier)
    if moved > distance.threshold:
        return Baseline(proven=False, note=f"it moved by {moved:.4g} before")
    return Baseline(proven=_season_known(window, distance))


def _is_chance(one: Column | None, other: Column | None, distance: Distance) -> bool:
    if one is None or other is None or one.is_number != other.is_number:
        return False
    return may_be_chance(one, other, distance.value, distance.threshold)


def _season_known(window: Window, distance: Distance) -> bool:
    # Values that no earlier span has are no seasonal effect.
    return distance.value >= _DISJOINT or window.has_same_season


def _close_spans(window: Window, column: str, span: str, threshold: float) -> list[bool]:
    """List for each earlier span, oldest first, whether its values in a column are the same within chance."""
    newest = window.spans[span].columns[column]
    close = []
    for name, value in span_distances(window, column, span).items():
        dataset = window.spans.get(name) or window.relatives[name]
        other = dataset.columns[column]
        close.append(value <= threshold or may_be_chance(newest, other, value, threshold))
    return close


def _recurs(window: Window, column: str, span: str, threshold: float) -> bool:
    """Return whether a column's values recur, as those of weekends do.

    Three similar earlier spans are enough. Two are, if a different span lies between: a change that began a span or
    two ago does not recur.
    """
    if column not in window.spans[span].columns:
        return False
    close = _close_spans(window, column, span, threshold)
    returned = True in close and False in close[close.index(True) :]
    return sum(close) >= (2 if returned else 3)


def _returned(window: Window, column: str, newer: Sequence[str], distance: Distance) -> bool:
    """Return whether an earlier span is like the newest one, with a different one between: possibly a weekend."""
    if len(newer) != 1 or column not in window.spans[newer[0]].columns:
        return False
    close = _close_spans(window, column, newer[0], distance.threshold)
    return True in close and False in close[close.index(True) :]


def _odd_span(window: Window, column: str, span: str, threshold: float) -> str:
    """Return the span before this one if it alone differs from this one and from the spans before it."""
    if column not in window.spans[span].columns:
        return ""
    close = _close_spans(window, column, span, threshold)
    names = list(span_distances(window, column, span))
    return names[-1] if close.count(False) == 1 and close[-1:] == [False] and any(close) else ""


def _always_disjoint(window: Window, column: str) -> bool:
    """Return whether no two of three or more spans share values of a column, as with a date or a counter."""
    columns = [one for span in window.spans.values() if (one := span.columns.get(column))]
    if len(columns) < LEAST_DISTANCES:
        return False
    pairs = [measure(one, other) for i, one in enumerate(columns) for other in columns[i + 1 :]]
    return all(value is not None and value >= _DISJOINT for value in pairs)
