"""The same data under several span names: a copied file, or a repeated upload."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import TYPE_CHECKING

from ...lib.statistics.dataset import Column, Dataset
from ...lib.statistics.statistics_artifact import common
from ..finding_kinds import ERROR, EXCLUDE, FindingKind
from ..findings import Finding
from ..limits import Settings
from .check import Check

if TYPE_CHECKING:
    from ..analysis import Analysis

SAME_DATA = FindingKind(
    "same_data",
    "duplicate spans",
    ERROR,
    f"replace the copy with its own rows, or exclude it ({EXCLUDE})",
    "spans with equal statistics in every column, in whatever order their rows are",
)

# A sum's last digits depend on the order of the rows.
_DIGITS = 7


def check(analysis: Analysis, settings: Settings) -> list[Finding]:
    """Report spans whose statistics are equal, whatever the order of their rows."""
    spans = analysis.window.spans
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for span, dataset in spans.items():
        if dataset.rows:
            groups[_fingerprint(dataset)].append(span)
    same = [names for names in groups.values() if len(names) > 1]
    if not same:
        return []
    rows = sum(spans[names[0]].rows for names in same)
    seen = "; ".join(" = ".join(names) for names in same)
    return [
        Finding(
            SAME_DATA,
            "",
            "spans " + ", ".join(span for names in same for span in names),
            f"{seen}: the same {rows:,} rows",
            "different rows in each span",
        )
    ]


def _fingerprint(dataset: Dataset) -> Hashable:
    columns = sorted((name, _of_column(column)) for name, column in dataset.columns.items())
    return dataset.rows, tuple(columns)


def _of_column(column: Column) -> tuple[Hashable, ...]:
    feature = column.feature
    present = (feature.type, common(feature).num_missing, column.filled)
    if column.is_number:
        stats = feature.num_stats
        figures = (stats.min, stats.max, stats.mean, stats.std_dev, float(stats.num_zeros))
        return *present, *(f"{figure:.{_DIGITS}g}" for figure in figures)
    text = feature.string_stats
    # Beyond the values that TFDV counts, the counts depend on the order of the rows.
    counted = tuple(sorted(column.counts.items())) if len(column.counts) == text.unique else ()
    return *present, text.unique, f"{text.avg_length:.{_DIGITS}g}", counted


CHECK = Check(check, (SAME_DATA,))
