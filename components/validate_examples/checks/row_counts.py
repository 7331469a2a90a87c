"""How many rows the spans have."""

from statistics import median

from ...lib.words import percent
from ..analysis import Evidence
from ..findings import Finding, FindingKind
from ..settings import Settings


def check(evidence: Evidence, settings: Settings) -> list[Finding]:
    """Look for spans without rows, and for a newest span with far fewer or far more than the others."""
    window = evidence.window
    rows = {span: dataset.rows for span, dataset in window.spans.items()}
    findings = [
        Finding(FindingKind.NO_ROWS, "", f"span {span}", "0 rows", "some")
        for span, count in rows.items()
        if count == 0
    ]
    earlier = [rows[span] for span in window.index.earlier if rows[span]]
    newest = rows[window.index.newest]
    if not earlier or not newest:
        return findings
    usual = median(earlier)
    where, seen = f"span {window.index.newest}", f"{newest:,} rows"
    if newest < settings.min_rows_fraction * usual:
        share = percent(settings.min_rows_fraction)
        expected = f"at least {share} of the {usual:,.0f} that earlier spans have"
        findings.append(Finding(FindingKind.FEW_ROWS, "", where, seen, expected))
    if newest > settings.max_rows_factor * usual:
        expected = (
            f"at most {settings.max_rows_factor:g} times the {usual:,.0f} that earlier spans have"
        )
        findings.append(Finding(FindingKind.MANY_ROWS, "", where, seen, expected))
    return findings
