"""What single columns say by themselves, beyond the schema: infinity, numbers among text, a single value, none."""

import math
import re

from ...lib.dataset import Column
from ...lib.statistics_artifact import SPLIT_WORDS
from ...lib.words import number, of_spans, percent
from ..analysis import Evidence
from ..findings import Finding, FindingKind
from ..settings import Settings

# Of so many a column is one of numbers, but for some cells.
_MANY_NUMBERS = 0.9
# What a data file writes as a number; Python's float() also takes 1_000, nan and infinity.
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def check_infinite(evidence: Evidence, settings: Settings) -> list[Finding]:
    """Look for infinite numbers in any span."""
    window = evidence.window
    findings = []
    for split, name in SPLIT_WORDS.items():
        found: dict[str, list[str]] = {}
        bounds: dict[str, tuple[float, float]] = {}
        for span in window.index.split_spans[split]:
            for column in window.spans[span].columns.values():
                low, high = column.minimum, column.maximum
                if column.is_number and (math.isinf(low) or math.isinf(high)):
                    found.setdefault(column.name, []).append(span)
                    bounds[column.name] = low, high
        findings += [
            Finding(
                FindingKind.INFINITE,
                column_name,
                f"{name} ({', '.join(spans)})",
                f"from {number(bounds[column_name][0])} to {number(bounds[column_name][1])}",
                "finite numbers",
            )
            for column_name, spans in found.items()
        ]
    return findings


def check_numbers_in_text(evidence: Evidence, settings: Settings) -> list[Finding]:
    """Look for columns of text that are nearly all numbers."""
    index = evidence.window.index
    found: dict[str, tuple[list[str], float, str]] = {}
    for span, dataset in evidence.window.spans.items():
        for column in dataset.columns.values():
            if column.is_number or column.name in (*index.bare_key, index.label):
                continue
            others = [value for value in column.counts if not _NUMBER.fullmatch(value)]
            total = sum(column.counts.values())
            share = 1 - sum(column.counts[value] for value in others) / max(total, 1)
            if others and share >= _MANY_NUMBERS:
                found.setdefault(column.name, ([], share, others[0]))[0].append(span)
    return [
        Finding(
            FindingKind.NUMBERS_IN_TEXT,
            name,
            of_spans(spans),
            f"{percent(share)} numbers, and others such as '{example}'",
            "numbers alone, or text",
        )
        for name, (spans, share, example) in found.items()
    ]


def check_silent(evidence: Evidence, settings: Settings) -> list[Finding]:
    """Look for columns that have one value, or none, in the newest span."""
    window = evidence.window
    index = window.index
    findings = []
    where = f"span {index.newest}"
    for column in window.newest.columns.values():
        if column.name == index.label:
            continue
        before = [
            one
            for span in index.earlier
            if (one := window.spans[span].columns.get(column.name)) is not None
        ]
        filled = [one for one in before if one.filled]
        if not column.filled:
            findings.append(_empty(column.name, where, bool(filled)))
            continue
        value = column.constant
        if value is None:
            continue
        seen = f"'{_plain(column, value)}' in every row"
        values = [one.constant for one in filled]
        if all(one == value for one in values):
            everywhere = "every span of the window" if values else where
            expected = "several values"
            findings.append(
                Finding(FindingKind.CONSTANT_COLUMN, column.name, everywhere, seen, expected)
            )
        elif None in values:
            expected = "several values, as in earlier spans"
            findings.append(
                Finding(FindingKind.BECAME_CONSTANT, column.name, where, seen, expected)
            )
    return findings


def _empty(column: str, where: str, was_filled: bool) -> Finding:
    seen = "every cell is empty"
    if not was_filled:
        return Finding(FindingKind.ALL_MISSING, column, where, seen, "values")
    return Finding(FindingKind.BECAME_EMPTY, column, where, seen, "values, as in earlier spans")


def _plain(column: Column, value: str) -> str:
    return number(float(value)) if column.is_number else value
