"""How many rows the spans have."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import TYPE_CHECKING

from ...lib.words import of_spans, percent
from ..finding_kinds import ERROR, EXCLUDE, FEW_ROWS, MANY_ROWS, WARNING, FindingKind
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
MANY_DUPLICATES = FindingKind(
    "many_duplicates",
    "many duplicates",
    WARNING,
    "name in `data.key` all columns that together name a row, or check whether the source rounds or repeats ids",
    "of spans of the window, more than a fifth of the rows were quarantined, since a later row has the same key",
)
_DUPLICATES_ALLOWED = 0.2


def check(analysis: Analysis, settings: Settings) -> list[Finding]:
    """Report spans without rows, and a newest span with far fewer or far more rows than the earlier ones."""
    window = analysis.window
    rows = {span: dataset.rows for span, dataset in window.spans.items()}
    findings = [
        Finding(NO_ROWS, "", f"span {span}", "0 rows", "some")
        for span, count in rows.items()
        if count == 0
    ]
    findings += find_many_duplicates(window.index.counts)
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


def find_many_duplicates(counts: Mapping[str, Mapping[str, int]]) -> list[Finding]:
    """Report spans of which a large share of the rows was quarantined for the key of a later row.

    Args:
        counts: Rows read and quarantined, by span.
    """
    spans = [
        span
        for span, one in counts.items()
        if one.get("duplicate", 0) > _DUPLICATES_ALLOWED * one.get("read", 0)
    ]
    if not spans:
        return []
    read, duplicate = (sum(counts[span][name] for span in spans) for name in ("read", "duplicate"))
    seen = f"{duplicate:,} of {read:,} rows have the key of a later row and are left out"
    expected = f"at most {percent(_DUPLICATES_ALLOWED)} of them"
    return [Finding(MANY_DUPLICATES, "", of_spans(spans), seen, expected)]


CHECK = Check(check, (NO_ROWS, FEW_ROWS, MANY_ROWS, MANY_DUPLICATES))
