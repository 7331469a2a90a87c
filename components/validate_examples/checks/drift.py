"""Columns that moved: the newest span from the earlier ones (drift), training from evaluation (skew).

A threshold that somebody set is TFDV's: what exceeds it is an error. A default threshold asks more before it speaks,
since it is compared with every column of every project: that the distance is none that chance makes, and none that is
usual for the column. Then it warns, and far beyond the threshold it stops the run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..comparators import blind_comparators
from ..distances import Distance, may_be_chance, measure
from ..drift import LEAST_DISTANCES, USUAL_FACTOR, Comparison, span_distances
from ..evidence import Evidence
from ..findings import ERROR, WARNING, Finding, FindingKind
from ..settings import DRASTIC, Settings
from ..window import Window

# Spans without a value in common are as far apart as can be: dates, counters, the number of the month.
_APART = 0.95


@dataclass(frozen=True)
class _Habit:
    """What the earlier spans say of a column's distance.

    Attributes:
        usual: Whether it is nothing new.
        proven: Whether the earlier spans are enough to say so.
        note: What a reader should know besides; empty for nothing.
        odd: The one earlier span that differs from the newest and the others; empty if there is none.
    """

    usual: bool = False
    proven: bool = True
    note: str = ""
    odd: str = ""


def check_drift(evidence: Evidence, settings: Settings) -> list[Finding]:
    """Look for columns of the newest span that are too far from the earlier spans."""
    window = evidence.window
    newest = window.index.newest
    findings = blind_comparators(
        evidence.schema, window.newest, "drift_comparator", f"span {newest}"
    )
    for column, distance in evidence.drift.distances.items():
        if not _is_over(distance, column, window, drift=True):
            continue
        habit = _habit(window, column, distance, evidence.drift, [newest])
        if distance.chosen or not habit.usual:
            findings.append(
                _finding(
                    FindingKind.DRIFT,
                    column,
                    distance,
                    f"span {newest}",
                    "the earlier spans",
                    habit,
                )
            )
    return findings


def check_skew(evidence: Evidence, settings: Settings) -> list[Finding]:
    """Look for columns of the training rows that are too far from the evaluation rows."""
    window = evidence.window
    if not evidence.has_skew:
        return []
    findings = blind_comparators(
        evidence.schema, window.splits["train"], "skew_comparator", "training"
    )
    shared = window.index.splits_share_spans
    newer = [] if shared else list(window.index.split_spans["eval"])
    for column, distance in evidence.skew.distances.items():
        if not _is_over(distance, column, window, drift=False):
            continue
        habit = _habit(window, column, distance, evidence.skew, newer)
        if distance.chosen or not habit.usual:
            findings.append(
                _finding(FindingKind.SKEW, column, distance, "training", "evaluation", habit)
            )
    return findings


def _is_over(distance: Distance, column: str, window: Window, drift: bool) -> bool:
    if distance.value <= distance.threshold:
        return False
    if distance.chosen:
        return True
    sides = (window.newest, window.earlier) if drift else tuple(window.splits.values())
    one, other = (side.columns.get(column) if side is not None else None for side in sides)
    if one is None or other is None or one.is_number != other.is_number:
        return True
    return not may_be_chance(one, other, distance.value, distance.threshold)


def _habit(
    window: Window,
    column: str,
    distance: Distance,
    comparison: Comparison,
    newer: Sequence[str],
) -> _Habit:
    """Look at what the column did before.

    Args:
        window: The window.
        column: The column.
        distance: How far it is now.
        comparison: Has how far it was before.
        newer: The spans that are compared, oldest first.
    """
    if distance.chosen:
        return _Habit()
    if newer and all(_recurs(window, column, span, distance.threshold) for span in newer):
        return _Habit(usual=True)
    usual = comparison.usual(column)
    if usual is not None:
        return _Habit(
            usual=distance.value <= USUAL_FACTOR * usual,
            proven=_season_known(window, distance)
            and not _came_back(window, column, newer, distance),
        )
    if _always_apart(window, column):
        return _Habit(usual=True)
    earlier = comparison.earlier(column)
    if not earlier:
        return _Habit(proven=False)
    if len(newer) == 1 and (odd := _odd_one(window, column, newer[0], distance.threshold)):
        return _Habit(proven=False, odd=odd)
    moved = max(earlier)
    if len(earlier) < LEAST_DISTANCES and moved > distance.threshold:
        note = f"it moved by {moved:.4g} before"
        return _Habit(proven=False, note=note)
    return _Habit(proven=_season_known(window, distance))


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


def _finding(
    kind: FindingKind,
    column: str,
    distance: Distance,
    where: str,
    against: str,
    habit: _Habit,
) -> Finding:
    drastic = distance.value >= DRASTIC and habit.proven
    seen = f"{distance.words} {distance.value:.4g} from {against}"
    expected = f"{distance.words} of at most {distance.threshold:g}"
    if habit.note:
        seen += f" ({habit.note})"
    remedy = ""
    if habit.odd:
        seen += f"; span {habit.odd} alone differs, from this one and from those before"
        remedy = f"if span {habit.odd} is wrong, `retrainer spans exclude {habit.odd} --why REASON`"
    elif not distance.chosen:
        remedy = (
            "if the data is wrong, fix it or leave the span out (`retrainer spans exclude SPAN --why REASON`); "
            "if it is right, raise the column's threshold (validation.drift.columns)"
        ).replace("validation.drift", f"validation.{kind}")
    return Finding(
        kind=kind,
        column=column,
        where=where,
        seen=seen,
        expected=expected,
        severity=ERROR if distance.chosen or drastic else WARNING,
        remedy=remedy,
        measure=distance.measure,
        value=distance.value,
        threshold=distance.threshold,
    )
