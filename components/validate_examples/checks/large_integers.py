"""Whole numbers that float32 can't represent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...lib.features import FLOAT, raw_features
from ...lib.statistics.dataset import Column
from ..finding_kinds import WARNING, FindingKind
from ..findings import Finding
from ..limits import Settings
from .check import Check

if TYPE_CHECKING:
    from ..analysis import Analysis

LARGE_INTEGERS = FindingKind(
    "large_integers",
    "integers lose precision",
    WARNING,
    "make the column text (`data.types`)",
    "a feature of whole numbers above 16,777,216 (2^24) that the model gets as float32, in which neighbours become one "
    "number: integers with gaps, or floating-point columns of whole numbers",
)

EXACT = 2**24
"""A float32 has 24 bits of mantissa: up to here it holds every whole number."""


def check(analysis: Analysis, settings: Settings) -> list[Finding]:
    """Report features of whole numbers beyond 2^24 that the model gets as float32, where neighbours become one.

    Integers without gaps stay integers. A column that the source wrote as floating point is included if all
    numbers in its statistics are whole and most are as large: identifiers, or seconds since 1970.
    """
    window = analysis.window
    index = window.index
    findings = []
    for name, kind in raw_features(analysis.schema, [*index.bare_key, *index.labels]).items():
        column = window.splits["train"].columns.get(name)
        if kind != FLOAT or column is None or not column.filled or not column.is_number:
            continue
        largest = max(abs(column.minimum), abs(column.maximum))
        if largest <= EXACT or not (column.is_integer or _is_whole(column)):
            continue
        remedy = f"make it text if it is an identifier (`data.types: {{{name}: text}}`)"
        if column.is_integer and column.missing_share > 0:
            remedy += ", or fill its gaps, so that it stays an integer"
        elif column.is_integer:
            remedy += ", or require a value in every row in the schema, so that it stays an integer"
        findings.append(
            Finding(
                LARGE_INTEGERS,
                name,
                "training",
                f"whole numbers up to {largest:,.0f}, as float32, where neighbours become one number",
                f"at most {EXACT:,} (2^24), or a column of another type",
                remedy=remedy,
                in_training=True,
            )
        )
    return findings


CHECK = Check(check, (LARGE_INTEGERS,))


def _is_whole(column: Column) -> bool:
    stats = column.feature.num_stats
    ends = [stats.min, stats.max, *(column.quantiles[0] if column.quantiles else ())]
    return abs(stats.median) > EXACT and all(float(end).is_integer() for end in ends)
