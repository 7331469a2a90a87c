"""The same data under several span names: a file that was copied, or a delivery that was repeated."""

from collections import defaultdict
from collections.abc import Hashable

from ...lib.dataset import Column, Dataset
from ...lib.statistics_artifact import common
from ..analysis import Evidence
from ..findings import Finding, FindingKind
from ..settings import Settings

# A sum's last digits depend on the order of the rows.
_DIGITS = 7


def check(evidence: Evidence, settings: Settings) -> list[Finding]:
    """Look for spans whose statistics are equal, whatever the order of their rows."""
    spans = evidence.window.spans
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
            FindingKind.SAME_DATA,
            "",
            "spans " + ", ".join(span for names in same for span in names),
            f"{seen}: the same {rows:,} rows",
            "rows of its own in each span",
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
    # Of more values than TFDV counts, the counts depend on the order of the rows.
    counted = tuple(sorted(column.counts.items())) if len(column.counts) == text.unique else ()
    return *present, text.unique, f"{text.avg_length:.{_DIGITS}g}", counted
