"""Whole numbers that lose their last digits as float32."""

from ...lib.dataset import Column
from ...lib.features import FLOAT, raw_features
from ..analysis import Evidence
from ..findings import Finding, FindingKind
from ..settings import Settings

EXACT = 2**24
"""A float32 has 24 bits of mantissa: up to here it holds every whole number."""


def check(evidence: Evidence, settings: Settings) -> list[Finding]:
    """Look for features of whole numbers beyond 2^24 that the model is given as float32, where neighbours become one.

    Integers without gaps stay integers. A column that the source wrote as floating point is looked at as well, where
    all that its statistics show is whole and most of it is as large: identifiers, or seconds since 1970.
    """
    window = evidence.window
    index = window.index
    findings = []
    for name, kind in raw_features(evidence.schema, [*index.bare_key, index.label]).items():
        column = window.splits["train"].columns.get(name)
        if kind != FLOAT or column is None or not column.filled or not column.is_number:
            continue
        largest = max(abs(column.minimum), abs(column.maximum))
        if largest <= EXACT or not (column.is_integer or _is_whole(column)):
            continue
        remedy = f"make it text where it names things (`data.types: {{{name}: text}}`)"
        if column.is_integer and column.missing_share > 0:
            remedy += ", or fill its gaps, so that it stays an integer"
        elif column.is_integer:
            remedy += (
                ", or let the schema ask for a value in every row, so that it stays an integer"
            )
        findings.append(
            Finding(
                FindingKind.LARGE_INTEGERS,
                name,
                "training",
                f"whole numbers up to {largest:,.0f}, as float32, where neighbours become one number",
                f"at most {EXACT:,} (2^24), or a column of another type",
                remedy=remedy,
            )
        )
    return findings


def _is_whole(column: Column) -> bool:
    stats = column.feature.num_stats
    ends = [stats.min, stats.max, *(column.quantiles[0] if column.quantiles else ())]
    return abs(stats.median) > EXACT and all(float(end).is_integer() for end in ends)
