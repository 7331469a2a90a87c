"""How many rows the spans have."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from ...lib.words import percent
from ..finding_kinds import ERROR, EXCLUDE, FEW_ROWS, MANY_ROWS, FindingKind
from ..findings import Finding
from ..limits import Settings
from .check import Check

if TYPE_CHECKING:
    from ..analysis import Analysis

NO_ROWS = FindingKind(
    "no_rows",
    "no rows",
    ERROR,
    f"restore the span's data, or exclude the span ({EXCLUDE})",
    "a span without rows",
    blocks_freezing=True,
)


def check(analysis: Analysis, settings: Settings) -> list[Finding]:
    """Report spans without rows, and a newest span with far fewer or far more rows than the earlier ones."""
    window = analysis.window
    rows = {span: dataset.rows for span, dataset in window.spans.items()}
    findings = [
        Finding(NO_ROWS, "", f"span {span}", "0 rows", "some")
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
        findings.append(Finding(FEW_ROWS, "", where, seen, expected))
    if newest > settings.max_rows_factor * usual:
        expected = (
            f"at most {settings.max_rows_factor:g} times the {usual:,.0f} that earlier spans have"
        )
        findings.append(Finding(MANY_ROWS, "", where, seen, expected))
    return findings


CHECK = Check(check, (NO_ROWS, FEW_ROWS, MANY_ROWS))
