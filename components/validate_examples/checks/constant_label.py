"""The label: that it is there, and has more than one value."""

from ...lib.statistics_artifact import SPLIT_WORDS
from ..analysis import Evidence
from ..findings import Finding, FindingKind
from ..settings import Settings


def check(evidence: Evidence, settings: Settings) -> list[Finding]:
    """Look for a label that is missing, or the same in every row of a split."""
    window = evidence.window
    label = window.index.label
    findings = []
    for split, name in SPLIT_WORDS.items():
        dataset = window.splits[split]
        if not dataset.rows:
            continue
        where = f"{name} ({', '.join(window.index.split_spans[split])})"
        column = dataset.columns.get(label)
        if column is None:
            findings.append(
                Finding(FindingKind.MISSING_COLUMN, label, where, "no such column", "the label")
            )
            continue
        value = column.constant
        if value is not None:
            seen = f"'{value}' in every row"
            expected = "at least two values"
            findings.append(Finding(FindingKind.CONSTANT_LABEL, label, where, seen, expected))
    return findings
