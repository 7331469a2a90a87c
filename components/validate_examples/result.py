"""The result of a validation: all checks, and the severity of what they report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import schema_pb2

from . import checks
from .analysis import Analysis
from .checks.columns import ALL_MISSING, BECAME_EMPTY
from .checks.drift import DRIFT
from .distances import Distance
from .drift_baseline import Baseline
from .finding_kinds import MISSING_COLUMN
from .findings import Finding, apply_severities
from .limits import Settings


@dataclass(frozen=True)
class ValidationResult:
    """What was found in a window.

    Attributes:
        findings: Errors first.
        drift: How far each column of the newest span is from the earlier spans.
        skew: How far each column of the training rows is from the evaluation rows; where that is the same as drift,
            only columns for which somebody set a threshold.
        normal_drift: Why columns beyond their drift threshold did not drift, in words.
        normal_skew: The same for skew.
        history: How far each column of a span is from the spans before it, for each span but the first.
        used_schema: The schema with the settings' domains and all thresholds.
    """

    findings: Sequence[Finding]
    drift: Mapping[str, Distance]
    skew: Mapping[str, Distance]
    normal_drift: Mapping[str, str]
    normal_skew: Mapping[str, str]
    history: Sequence[Mapping[str, Distance]]
    used_schema: schema_pb2.Schema

    @property
    def drifted(self) -> list[str]:
        """The columns that drifted."""
        return [finding.column for finding in self.findings if finding.kind == DRIFT]


def run_checks(analysis: Analysis, settings: Settings) -> ValidationResult:
    """Run every check, and set the severity of its findings.

    Args:
        analysis: The window, and what TFDV reports about it.
        settings: The limits and severities.
    """
    found = [finding for check in checks.CHECKS for finding in check.run(analysis, settings)]
    return ValidationResult(
        findings=apply_severities(_without_repeats(found), settings.severities),
        drift=analysis.drift.distances,
        skew=analysis.skew.distances,
        normal_drift=_reasons(analysis.drift_baselines),
        normal_skew=_reasons(analysis.skew_baselines),
        history=analysis.history,
        used_schema=analysis.schema,
    )


def _reasons(baselines: Mapping[str, Baseline]) -> dict[str, str]:
    return {column: baseline.normal for column, baseline in baselines.items() if baseline.normal}


def _without_repeats(findings: Sequence[Finding]) -> list[Finding]:
    missing = {finding.column for finding in findings if finding.kind == MISSING_COLUMN}
    empty = (ALL_MISSING, BECAME_EMPTY)
    return [f for f in findings if not (f.kind in empty and f.column in missing)]
