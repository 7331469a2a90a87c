"""Describing decisions about cells that could mean something else."""

from collections.abc import Iterable
from typing import Any

from ..lib.source_rows.inferred_column import (
    CODES,
    CODES_AS_NUMBERS,
    INDEX,
    LONG,
    MISSING_WORDS,
    NEAR_MISS,
    VERSIONS,
    WORDS,
)
from ..lib.source_rows.number_spelling import MARKS
from ..lib.spans.stored_spans import SpanVersion

# More columns than these are counted.
_MOST_NAMED = 3
_WHY = {
    CODES: "is text, because of cells such as {cells} ({reason})",
    CODES_AS_NUMBERS: "is read as numbers, cells such as {cells} ({reason}) too",
    VERSIONS: "is text, because cells such as {cells} look like version numbers",
    LONG: "is text, because a number would lose digits of cells such as {cells}",
    WORDS: "is text, because of a few cells such as {cells} among its numbers",
    INDEX: "is the index of pandas, and left out",
    MISSING_WORDS: "is text, and its cells {cells} are read as missing",
    NEAR_MISS: "is computed with {reason}, which no cell is, but some are {cells}",
}
_SET_MARKS = "if they are numbers, set data.csv.decimal and data.csv.thousands"
_FIXES = {
    CODES: "if they are numbers, set data.types",
    CODES_AS_NUMBERS: "if they are codes, set data.types to text",
    VERSIONS: "if they are numbers, set data.types",
    LONG: "if digits do not matter, set data.types",
    WORDS: "if they mean that a cell is missing, add them to data.csv.null_values",
    INDEX: "to keep it, set data.types",
    MISSING_WORDS: "if they are values, set data.types or data.csv.null_values",
    NEAR_MISS: "in data.columns, use the text of the cells, or utf8_trim_whitespace and utf8_lower",
}


def describe_notes(versions: Iterable[SpanVersion]) -> list[str]:
    """Describe the notes of spans that were ingested.

    Args:
        versions: The spans.

    Returns:
        A sentence for each kind of note, without a full stop. A column is named once.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for version in versions:
        for note in version.notes:
            # Spans that a later release wrote may know other kinds.
            if note["kind"] in _WHY:
                found.setdefault(note["kind"], {}).setdefault(note["column"], note)
    return [_describe(kind, found[kind]) for kind in _WHY if kind in found]


def _describe(kind: str, columns: dict[str, dict[str, Any]]) -> str:
    named = []
    for column, note in list(columns.items())[:_MOST_NAMED]:
        cells = " and ".join(repr(cell) for cell in note["examples"][:2])
        named.append(f"'{column}' {_WHY[kind].format(cells=cells, reason=note['reason'])}")
    if len(columns) > _MOST_NAMED:
        named.append(f"{len(columns) - _MOST_NAMED} more")
    marks = all(note["reason"] in MARKS for note in columns.values())
    return f"{', '.join(named)}: {_SET_MARKS if marks else _FIXES[kind]}"
