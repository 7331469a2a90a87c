"""Columns that moved: the newest span from the earlier ones (drift), training from evaluation (skew).

What exceeds a threshold that somebody set is an error, by TFDV's measure. A default threshold applies to every column
of every project, so it reports less: only a distance that is neither chance nor normal for the column. Then it warns,
and far beyond the threshold it stops the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorflow_metadata.proto.v0 import schema_pb2

from ...lib.statistics.dataset import Dataset
from ..distances import MEASURE_WORDS, Distance
from ..finding_kinds import ERROR, EXCLUDE, NOT_COMPARED, WARNING, FindingKind
from ..findings import Finding
from ..limits import ERROR_DISTANCE, JENSEN_SHANNON, MEASURES, Settings
from .check import Check

if TYPE_CHECKING:
    from ..analysis import Analysis
    from ..drift_baseline import Baseline

_FIX = "see its card in the report; if the data is right, raise its threshold"
DRIFT = FindingKind(
    "drift",
    "drift",
    WARNING,
    _FIX,
    "the newest span is farther from the earlier ones than a threshold allows; an error far beyond it, see below",
)
SKEW = FindingKind(
    "skew",
    "skew",
    WARNING,
    _FIX,
    "training is farther from evaluation than a threshold allows; an error far beyond it, see below",
)


def check(analysis: Analysis, settings: Settings) -> list[Finding]:
    """Report columns that drifted, and columns in which training and evaluation differ."""
    return check_drift(analysis) + check_skew(analysis)


CHECK = Check(check, (DRIFT, SKEW, NOT_COMPARED))


def check_drift(analysis: Analysis) -> list[Finding]:
    """Report columns of the newest span that are too far from the earlier spans."""
    window = analysis.window
    where = f"span {window.index.newest}"
    findings = _blind_comparators(
        analysis.schema, window.newest, "drift_comparator", where, in_training=False
    )
    for column, distance in analysis.drift.distances.items():
        if distance.value <= distance.threshold:
            continue
        baseline = analysis.drift_baselines[column]
        if distance.chosen or not baseline.normal:
            findings.append(_finding(DRIFT, column, distance, where, "the earlier spans", baseline))
    return findings


def check_skew(analysis: Analysis) -> list[Finding]:
    """Report columns of the training rows that are too far from the evaluation rows."""
    window = analysis.window
    if not analysis.has_skew:
        return []
    findings = _blind_comparators(
        analysis.schema, window.splits["train"], "skew_comparator", "training", in_training=True
    )
    for column, distance in analysis.skew.distances.items():
        if distance.value <= distance.threshold:
            continue
        baseline = analysis.skew_baselines[column]
        if distance.chosen or not baseline.normal:
            findings.append(_finding(SKEW, column, distance, "training", "evaluation", baseline))
    return findings


def _finding(
    kind: FindingKind,
    column: str,
    distance: Distance,
    where: str,
    against: str,
    baseline: Baseline,
) -> Finding:
    far_beyond = distance.value >= ERROR_DISTANCE and baseline.proven
    seen = f"{distance.words} {distance.value:.4g} from {against}"
    expected = f"{distance.words} of at most {distance.threshold:g}"
    if baseline.note:
        seen += f" ({baseline.note})"
    fix = ""
    if baseline.odd_span:
        odd = baseline.odd_span
        seen += f"; only span {odd} differs, from this one and from those before"
        fix = f"if span {odd} is wrong, `retrainer spans exclude {odd} --why REASON`"
    elif not distance.chosen:
        fix = (
            f"if the data is wrong, fix it or exclude the span ({EXCLUDE}); "
            f"if it is right, raise the column's threshold (validation.{kind.name}.columns)"
        )
    return Finding(
        kind=kind,
        column=column,
        where=where,
        seen=seen,
        expected=expected,
        severity=ERROR if distance.chosen or far_beyond else WARNING,
        remedy=fix,
        measure=distance.measure,
        value=distance.value,
        threshold=distance.threshold,
        in_training=kind is SKEW,
    )


def _blind_comparators(
    schema: schema_pb2.Schema,
    dataset: Dataset,
    comparator_field: str,
    where: str,
    in_training: bool,
) -> list[Finding]:
    """Report comparators of number columns in the schema whose measure TFDV always reads as 0 for numbers."""
    findings = []
    for feature in schema.feature:
        comparator = getattr(feature, comparator_field)
        seen = dataset.columns.get(feature.name)
        if seen is None or not seen.is_number:
            continue
        blind = [name for name in MEASURES if name != JENSEN_SHANNON and comparator.HasField(name)]
        if blind:
            findings.append(
                Finding(
                    NOT_COMPARED,
                    feature.name,
                    where,
                    f"a threshold of the {MEASURE_WORDS[blind[0]]}, which TFDV always reads as 0 for numbers",
                    f"one of the {MEASURE_WORDS[JENSEN_SHANNON]}",
                    remedy=f"set `{JENSEN_SHANNON}` in the schema's `{comparator_field}`",
                    in_training=in_training,
                )
            )
    return findings
