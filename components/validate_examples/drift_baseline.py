"""Habits of columns: what a distance above a default threshold is, seen from what the column did before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..lib.dataset import Column
from .comparison import LEAST_DISTANCES, USUAL_FACTOR, Comparison, span_distances
from .distances import Distance, may_be_chance, measure
from .window import Window

# Spans without a value in common are as far apart as can be: dates, counters, the number of the month.
_APART = 0.95


@dataclass(frozen=True)
class Habit:
    """What the earlier spans say of a column's distance.

    Attributes:
        usual: Why it is nothing new; empty if it is new.
        proven: Whether the earlier spans are enough to say that it is new.
        note: What a reader should know besides; empty for nothing.
        odd: The one earlier span that differs from the newest and the others; empty if there is none.
    """

    usual: str = ""
    proven: bool = True
    note: str = ""
    odd: str = ""


def find_habits(
    window: Window,
    comparison: Comparison,
    sides: tuple[Mapping[str, Column], Mapping[str, Column]],
    newer: Sequence[str],
) -> dict[str, Habit]:
    """Look at what the columns beyond their thresholds did before.

    Args:
        window: The window.
        comparison: How far two datasets are from each other, and how far the earlier spans were.
        sides: The columns of both.
        newer: The spans that are compared with others, oldest first; none where both have rows of the same spans.
    """
    return {
        column: _habit(window, column, distance, comparison, sides, newer)
        for column, distance in comparison.distances.items()
        if distance.value > distance.threshold
    }


def _habit(
    window: Window,
    column: str,
    distance: Distance,
    comparison: Comparison,
    sides: tuple[Mapping[str, Column], Mapping[str, Column]],
    newer: Sequence[str],
) -> Habit:
    if distance.chosen:
        return Habit()
    if _is_chance(sides[0].get(column), sides[1].get(column), distance):
        return Habit("samples of this size differ as much by chance")
    if newer and all(_recurs(window, column, span, distance.threshold) for span in newer):
        return Habit("earlier spans were like this one")
    usual = comparison.usual(column)
    if usual is not None:
        moves_so = distance.value <= USUAL_FACTOR * usual
        known = _season_known(window, distance)
        back = _came_back(window, column, newer, distance)
        return Habit("moves like this every span" if moves_so else "", known and not back)
    if _always_apart(window, column):
        return Habit("no two spans have values in common")
    earlier = comparison.earlier(column)
    if not earlier:
        return Habit(proven=False)
    if len(newer) == 1 and (odd := _odd_one(window, column, newer[0], distance.threshold)):
        return Habit(proven=False, odd=odd)
    moved = max(earlier)
    if len(earlier) < LEAST_DISTANCES and moved > distance.threshold:
        note = f"it moved by {moved:.4g} before"
        return Habit(proven=False, note=note)
    return Habit(proven=_season_known(window, distance))


def _is_chance(one: Column | None, other: Column | None, distance: Distance) -> bool:
    if one is None or other is None or one.is_number != other.is_number:
        return False
    return may_be_chance(one, other, distance.value, distance.threshold)


def _season_known(window: Window, distance: Distance) -> bool:
    # What has nothing in common with any span before is no weekend.
    return distance.value >= _APART or window.has_same_season


def _close_spans(window: Window, column: str, span: str, threshold: float) -> list[bool]:
    """Tell of each span before a span whether its values in a column are the same but for chance, oldest first."""
    newest = window.spans[span].columns[column]
    close = []
    for name, value in span_distances(window, column, span).items():
        dataset = window.spans.get(name) or window.relatives[name]
        other = dataset.columns[column]
        close.append(value <= threshold or may_be_chance(newest, other, value, threshold))
    return close


def _recurs(window: Window, column: str, span: str, threshold: float) -> bool:
    """Tell whether a column's values come back, as those of weekends do.

    Three spans that are like this one are enough. Two are, if a span that differs lies between: what has begun lately
    and went on for a span or two is no habit.
    """
    if column not in window.spans[span].columns:
        return False
    close = _close_spans(window, column, span, threshold)
    came_back = True in close and False in close[close.index(True) :]
    return sum(close) >= (2 if came_back else 3)


def _came_back(window: Window, column: str, newer: Sequence[str], distance: Distance) -> bool:
    """Tell whether some span before is like the newest one, with another between: that may be a weekend."""
    if len(newer) != 1 or column not in window.spans[newer[0]].columns:
        return False
    close = _close_spans(window, column, newer[0], distance.threshold)
    return True in close and False in close[close.index(True) :]


def _odd_one(window: Window, column: str, span: str, threshold: float) -> str:
    """Name the span before this one if it alone differs from this one and from what came before it."""
    if column not in window.spans[span].columns:
        return ""
    close = _close_spans(window, column, span, threshold)
    names = list(span_distances(window, column, span))
    return names[-1] if close.count(False) == 1 and close[-1:] == [False] and any(close) else ""


def _always_apart(window: Window, column: str) -> bool:
    """Tell whether no two of three or more spans have values of a column in common, as of a date or a counter."""
    columns = [one for span in window.spans.values() if (one := span.columns.get(column))]
    if len(columns) < LEAST_DISTANCES:
        return False
    pairs = [measure(one, other) for i, one in enumerate(columns) for other in columns[i + 1 :]]
    return all(value is not None and value >= _APART for value in pairs)
