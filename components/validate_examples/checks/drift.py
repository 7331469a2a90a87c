"""Columns that moved: the newest span from the earlier ones (drift), training from evaluation (skew).

A threshold that somebody set is TFDV's: what exceeds it is an error. A default threshold asks more before it speaks,
since it is compared with every column of every project: that the distance is none that chance makes, and none that is
usual for the column. Then it warns, and far beyond the threshold it stops the run.
"""

from ..analysis import Evidence
from ..distances import Distance
from ..drift_baseline import Habit
from ..findings import ERROR, WARNING, Finding, FindingKind
from ..schema_overlay import blind_comparators
from ..settings import DRASTIC, Settings


def check_drift(evidence: Evidence, settings: Settings) -> list[Finding]:
    """Look for columns of the newest span that are too far from the earlier spans."""
    window = evidence.window
    newest = window.index.newest
    findings = blind_comparators(
        evidence.schema, window.newest, "drift_comparator", f"span {newest}"
    )
    for column, distance in evidence.drift.distances.items():
        if distance.value <= distance.threshold:
            continue
        habit = evidence.drift_habits[column]
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
    for column, distance in evidence.skew.distances.items():
        if distance.value <= distance.threshold:
            continue
        habit = evidence.skew_habits[column]
        if distance.chosen or not habit.usual:
            findings.append(
                _finding(FindingKind.SKEW, column, distance, "training", "evaluation", habit)
            )
    return findings


def _finding(
    kind: FindingKind,
    column: str,
    distance: Distance,
    where: str,
    against: str,
    habit: Habit,
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
