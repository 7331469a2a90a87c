"""Cells that ingestion took for something else than they may mean, such as 0700 for a number."""

from typing import Any

from ...lib.stored_spans import find_version
from ...lib.words import plural
from ..analysis import Evidence
from ..findings import Finding, FindingKind
from ..settings import Settings
from ..window import Window, span_parts

_BECAME = {
    "codes": "are not spelled as numbers are, and made the column text",
    "codes_as_numbers": "are not spelled as numbers are, and became numbers",
    "versions": "look like version numbers, and made the column text",
    "long": "have more digits than a number holds, and made the column text",
    "missing_words": "were taken for missing",
}


def check(evidence: Evidence, settings: Settings) -> list[Finding]:
    """Look for notes of ingestion on the newest span that no earlier span of the window has.

    What all spans have is the column's nature: ingestion says it once, when it reads them.
    """
    window = evidence.window
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
                FindingKind.ODD_CELLS,
                note["column"],
                f"span {index.newest}",
                f"{cells} {_BECAME[note['kind']]}",
                "cells as in the earlier spans",
            )
        )
    return findings


def _notes(window: Window, span: str) -> list[dict[str, Any]]:
    parts = span_parts(window.examples, span) if window.examples is not None else []
    version = find_version(parts[0].uri) if parts else None
    return version.notes if version is not None else []
