"""What the schema says of the columns and the rows, as TFDV checks it."""

from ...lib.words import near
from ..analysis import Evidence
from ..dataset_constraints import dataset_findings
from ..findings import Finding, FindingKind
from ..settings import Settings
from ..tfdv_anomalies import anomaly_findings


def check(evidence: Evidence, settings: Settings) -> list[Finding]:
    """Put TFDV's anomalies of training, evaluation and the newest span into words."""
    findings = []
    for subject in evidence.window.subjects:
        if not subject.dataset.rows:
            continue
        anomalies = evidence.anomalies[subject.folder]
        findings += dataset_findings(anomalies.dataset_anomaly_info, subject, evidence.schema)
        findings += anomaly_findings(
            anomalies, evidence.schema, subject, settings.bounded, evidence.compared
        )
    return findings


def check_unknown_columns(evidence: Evidence, settings: Settings) -> list[Finding]:
    """Look for severities of columns that neither the schema nor the data has."""
    # A column may come and go, so this stops nobody; but a misspelt name changes no severity.
    known = dict.fromkeys(feature.name for feature in evidence.read_schema.feature)
    for dataset in evidence.window.spans.values():
        known |= dict.fromkeys(dataset.columns)
    findings = []
    for column in settings.severities.columns:
        if column not in known:
            expected = "a column of the schema or of the data"
            expected += "".join(f", such as '{one}'" for one in near(column, known))
            setting = "validation.severity.columns"
            findings.append(
                Finding(FindingKind.UNKNOWN_COLUMN, "", setting, f"'{column}'", expected)
            )
    return findings
