"""Columns with infinity, with numbers among text, with one value, or with none, whatever the schema allows."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from ...lib.statistics.dataset import Column
from ...lib.statistics.statistics_artifact import SPLIT_WORDS
from ...lib.words import number, of_spans, percent
from ..finding_kinds import INFINITE, WARNING, FindingKind
from ..findings import Finding
from ..limits import Settings
from .check import Check

if TYPE_CHECKING:
    from ..analysis import Analysis

NUMBERS_IN_TEXT = FindingKind(
    "numbers_in_text",
    "mostly numeric text column",
    WARNING,
    "correct the other cells, name them as missing (data.csv.null_values), or set the column's type (data.types)",
    "a text column of which nine tenths or more, but not all, are numbers: a few odd cells make text of a column",
)
CONSTANT_COLUMN = FindingKind(
    "constant_column",
    "constant column",
    WARNING,
    "drop it if it is constant by design: a model learns nothing from it",
    "a column with one value in every span",
)
BECAME_CONSTANT = FindingKind(
    "became_constant",
    "column became constant",
    WARNING,
    "correct the source",
    "a column with one value in the newest span, and several in earlier ones",
)
ALL_MISSING = FindingKind(
    "all_missing",
    "empty column",
    WARNING,
    "correct the source, or drop the column",
    "a column without a value in every span",
)
BECAME_EMPTY = FindingKind(
    "became_empty",
    "column became empty",
    WARNING,
    "correct the source",
    "a column without a value in the newest span, and with values in earlier ones",
)

# From this share of numbers on, a text column is taken for numbers with some odd cells.
_MANY_NUMBERS = 0.9
# What a data file writes as a number; Python's float() also takes 1_000, nan and infinity.
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def check(analysis: Analysis, settings: Settings) -> list[Finding]:
    """Report columns with infinity, with numbers among text, with one value, or with none."""
    checks = check_infinite, check_numbers_in_text, check_constant
    return [finding for one in checks for finding in one(analysis, settings)]


CHECK = Check(
    check,
    (INFINITE, NUMBERS_IN_TEXT, CONSTANT_COLUMN, BECAME_CONSTANT, ALL_MISSING, BECAME_EMPTY),
)


def check_infinite(analysis: Analysis, settings: Settings) -> list[Finding]:
    """Report infinite numbers in any span."""
    window = analysis.window
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
                INFINITE,
                column_name,
                f"{name} ({', '.join(spans)})",
                f"from {number(bounds[column_name][0])} to {number(bounds[column_name][1])}",
                "finite numbers",
                in_training=split == "train",
            )
            for column_name, spans in found.items()
        ]
    return findings


def check_numbers_in_text(analysis: Analysis, settings: Settings) -> list[Finding]:
    """Report text columns that are nearly all numbers."""
    index = analysis.window.index
    found: dict[str, tuple[list[str], float, str]] = {}
    for span, dataset in analysis.window.spans.items():
        for column in dataset.columns.values():
            if column.is_number or column.name in (*index.bare_key, *index.labels):
                continue
            others = [value for value in column.counts if not _NUMBER.fullmatch(value)]
            total = sum(column.counts.values())
            share = 1 - sum(column.counts[value] for value in others) / max(total, 1)
            if others and share >= _MANY_NUMBERS:
                found.setdefault(column.name, ([], share, others[0]))[0].append(span)
    return [
        Finding(
            NUMBERS_IN_TEXT,
            name,
            of_spans(spans),
            f"{percent(share)} numbers, and cells such as '{example}'",
            "only numbers, or only text",
        )
        for name, (spans, share, example) in found.items()
    ]


def check_constant(analysis: Analysis, settings: Settings) -> list[Finding]:
    """Report columns that have one value, or none, in the newest span."""
    window = analysis.window
    index = window.index
    findings = []
    where = f"span {index.newest}"
    for column in window.newest.columns.values():
        if column.name in index.labels:
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
            findings.append(Finding(CONSTANT_COLUMN, column.name, everywhere, seen, expected))
        elif None in values:
            expected = "several values, as in earlier spans"
            findings.append(Finding(BECAME_CONSTANT, column.name, where, seen, expected))
    return findings


def _empty(column: str, where: str, was_filled: bool) -> Finding:
    seen = "every cell is empty"
    if not was_filled:
        return Finding(ALL_MISSING, column, where, seen, "values")
    return Finding(BECAME_EMPTY, column, where, seen, "values, as in earlier spans")


def _plain(column: Column, value: str) -> str:
    return number(float(value)) if column.is_number else value
