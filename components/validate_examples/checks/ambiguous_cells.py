"""Cells that ingestion may have read with another meaning, such as 0700 as a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...lib.spans.stored_spans import find_version
from ...lib.words import plural
from ..finding_kinds import WARNING, FindingKind
from ..findings import Finding
from ..limits import Settings
from ..window import Window, span_parts
from .check import Check

if TYPE_CHECKING:
    from ..analysis import Analysis

ODD_CELLS = FindingKind(
    "odd_cells",
    "ambiguous cells",
    WARNING,
    "correct the source, or set the column's type (`data.types`)",
    "the newest span has cells with an ambiguous meaning, such as `0700`, `3.10` or `NA`, and the earlier spans have "
    "none; needs `examples`",
)

_BECAME = {
    "codes": "are not written as numbers, and made the column text",
    "codes_as_numbers": "are not written as numbers, and became numbers",
    "versions": "look like version numbers, and made the column text",
    "long": "have more digits than a number holds, and made the column text",
    "missing_words": "were read as missing",
    "near_miss": "differ by white space or capitals alone from the text that data.columns compares with",
}


def check(analysis: Analysis, settings: Settings) -> list[Finding]:
    """Report notes of ingestion on the newest span that no earlier span of the window has.

    Cells that all spans have are normal for the column: ingestion notes them once, when it reads them.
    """
    window = analysis.window
    index = window.index
    if window.examples is None or not index.earlier:
        return []
    known = {
        (note["column"], note["kind"]) for span in index.earlier for note in _notes(window, span)
    }
    findings = []
    for note in _notes(window, index.newest):
        if note["kind"] not in _BECAME or (note["column"], note["kind"]) in known:
            continue
        examples = " and ".join(f"'{cell}'" for cell in note["examples"][:2])
        reason = f" ({note['reason']})" if note.get("reason") else ""
        cells = f"{plural(note['rows'], 'cell')} such as {examples}{reason}"
        findings.append(
            Finding(
                ODD_CELLS,
                note["column"],
                f"span {index.newest}",
                f"{cells} {_BECAME[note['kind']]}",
                "cells as in the earlier spans",
            )
        )
    return findings


CHECK = Check(check, (ODD_CELLS,))


def _notes(window: Window, span: str) -> list[dict[str, Any]]:
    parts = span_parts(window.examples, span) if window.examples is not None else []
    version = find_version(parts[0].uri) if parts else None
    return version.notes if version is not None else []
