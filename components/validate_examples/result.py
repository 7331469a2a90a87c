"""Judging a window: every check, and what its findings count for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import schema_pb2

from .analysis import Evidence
from .checks import CHECKS
from .distances import Distance
from .drift_baseline import Habit
from .findings import Finding, FindingKind, apply_severities
from .settings import Settings


@dataclass(frozen=True)
class Judgement:
    """What was found in a window.

    Attributes:
        findings: Errors first.
        drift: How far each column of the newest span is from the earlier spans.
        skew: How far each column of the training rows is from the evaluation rows; where that is the same as drift,
            of the columns alone for which somebody set a threshold.
        passed: Of columns that are beyond their threshold of drift and did not drift: why they pass, in words.
        skew_passed: The same for skew.
        history: How far each column of a span is from the spans before it, for each span but the first.
        schema_note: Where the schema comes from.
        used_schema: The schema with the settings' domains and all thresholds in it.
    """

    findings: Sequence[Finding]
    drift: Mapping[str, Distance]
    skew: Mapping[str, Distance]
    passed: Mapping[str, str]
    skew_passed: Mapping[str, str]
    history: Sequence[Mapping[str, Distance]]
    schema_note: str
    used_schema: schema_pb2.Schema

    @property
    def drifted(self) -> list[str]:
        """The columns that drifted."""
        return [finding.column for finding in self.findings if finding.kind == FindingKind.DRIFT]


def judge(evidence: Evidence, settings: Settings) -> Judgement:
    """Run every check, and give its findings their severity.

    Args:
        evidence: The window, and what TFDV says of it.
        settings: What is too much.
    """
    found = [finding for check in CHECKS for finding in check(evidence, settings)]
    return Judgement(
        findings=apply_severities(_without_repeats(found), settings.severities),
        drift=evidence.drift.distances,
        skew=evidence.skew.distances,
        passed=_passed(evidence.drift_habits),
        skew_passed=_passed(evidence.skew_habits),
        history=evidence.history,
        schema_note="",
        used_schema=evidence.schema,
    )


def _passed(habits: Mapping[str, Habit]) -> dict[str, str]:
    return {column: habit.usual for column, habit in habits.items() if habit.usual}


def _without_repeats(findings: Sequence[Finding]) -> list[Finding]:
    gone = {finding.column for finding in findings if finding.kind == FindingKind.MISSING_COLUMN}
    emptied = (FindingKind.ALL_MISSING, FindingKind.BECAME_EMPTY)
    return [f for f in findings if not (f.kind in emptied and f.column in gone)]
