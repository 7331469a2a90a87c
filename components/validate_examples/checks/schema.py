"""Columns and rows against the schema, as TFDV checks them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...lib.words import near
from ..dataset_constraints import dataset_findings
from ..finding_kinds import SCHEMA_KINDS, WARNING, FindingKind
from ..findings import Finding
from ..limits import Settings
from ..tfdv_anomalies import anomaly_findings
from .check import Check

if TYPE_CHECKING:
    from ..analysis import Analysis

UNKNOWN_COLUMN = FindingKind(
    "unknown_column",
    "unknown column in settings",
    WARNING,
    "correct the column's name, or remove the setting",
    "`severity.columns` names a column that neither the schema nor the data has",
)


def check(analysis: Analysis, settings: Settings) -> list[Finding]:
    """Report what does not match the schema, and settings for unknown columns."""
    return check_unknown_columns(analysis, settings) + check_schema(analysis, settings)


CHECK = Check(check, (UNKNOWN_COLUMN, *SCHEMA_KINDS))


def check_schema(analysis: Analysis, settings: Settings) -> list[Finding]:
    """Return TFDV's anomalies of training, evaluation and the newest span as findings."""
    findings = []
    for subject in analysis.window.subjects:
        if not subject.dataset.rows:
            continue
        anomalies = analysis.anomalies[subject.folder]
        findings += dataset_findings(anomalies.dataset_anomaly_info, subject, analysis.schema)
        findings += anomaly_findings(
            anomalies, analysis.schema, subject, settings.bounded, analysis.compared
        )
    return findings


def check_unknown_columns(analysis: Analysis, settings: Settings) -> list[Finding]:
    """Report severities of columns that neither the schema nor the data has."""
    # A warning, since a column may come and go; but a misspelt name has no effect.
    known = dict.fromkeys(feature.name for feature in analysis.read_schema.feature)
    for dataset in analysis.window.spans.values():
        known |= dict.fromkeys(dataset.columns)
    findings = []
    for column in settings.severities.columns:
        if column not in known:
            expected = "a column of the schema or of the data"
            expected += "".join(f", such as '{one}'" for one in near(column, known))
            setting = "validation.severity.columns"
            findings.append(Finding(UNKNOWN_COLUMN, "", setting, f"'{column}'", expected))
    return findings
