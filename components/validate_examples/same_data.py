"""The same data under several span names: a file that was copied, or a delivery that was repeated."""

from collections import defaultdict
from collections.abc import Hashable, Mapping

from ..lib.statistics import (
    Feature,
    Statistics,
    common,
    features_by_name,
    is_number,
    row_count,
    value_counts,
)
from .findings import Finding

# A sum's last digits depend on the order of the rows.
_DIGITS = 7


def check_same_data(spans: Mapping[str, Statistics]) -> list[Finding]:
    """Look for spans whose statistics are equal, whatever the order of their rows.

    Args:
        spans: Statistics by span, oldest first.
    """
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for span, statistics in spans.items():
        if row_count(statistics):
            groups[_fingerprint(statistics)].append(span)
    same = [names for names in groups.values() if len(names) > 1]
    if not same:
        return []
    rows = sum(row_count(spans[names[0]]) for names in same)
    seen = "; ".join(" = ".join(names) for names in same)
    return [
        Finding(
            "same_data",
            "",
            "spans " + ", ".join(span for names in same for span in names),
            f"{seen}: the same {rows:,} rows",
            "rows of its own in each span",
        )
    ]


def _fingerprint(statistics: Statistics) -> Hashable:
    columns = features_by_name(statistics)
    return (
        row_count(statistics),
        tuple(sorted((name, _of_column(feature)) for name, feature in columns.items())),
    )


def _of_column(feature: Feature) -> tuple[Hashable, ...]:
    counts = common(feature)
    present = (feature.type, counts.num_missing, counts.num_non_missing)
    if is_number(feature):
        stats = feature.num_stats
        figures = (stats.min, stats.max, stats.mean, stats.std_dev, float(stats.num_zeros))
        return *present, *(f"{figure:.{_DIGITS}g}" for figure in figures)
    text = feature.string_stats
    values = value_counts(feature)
    # Of more values than TFDV counts, the counts depend on the order of the rows.
    counted = tuple(sorted(values.items())) if len(values) == text.unique else ()
    return *present, text.unique, f"{text.avg_length:.{_DIGITS}g}", counted
