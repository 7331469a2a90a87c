"""The classes of a label: the rows of each class by span."""

import contextlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..lib.examples import SpanPart
from ..lib.statistics.dataset import Column
from ..lib.statistics.statistics_artifact import Feature, common, is_number
from ..lib.uris import join, read_text, write_atomic

FORMAT = 1
MOST_CLASSES = 30
"""A label of more integers than this counts as a number."""


@dataclass(frozen=True)
class LabelCounts:
    """The classes of the label in some rows.

    Attributes:
        rows: Number of rows with a label.
        counts: Rows by class.
    """

    rows: int
    counts: Mapping[int, int]

    def rate(self, value: int) -> float:
        """Return the share of the rows with a class, from 0 to 1."""
        return self.counts.get(value, 0) / self.rows if self.rows else 0.0


def label_rate(feature: Feature | None) -> float | None:
    """Return the rate of 1 in a label of 0 and 1, or None for another label."""
    if feature is None or not is_number(feature) or not common(feature).num_non_missing:
        return None
    stats = feature.num_stats
    whole = feature.type == Feature.INT or {stats.min, stats.max} <= {0.0, 1.0}
    return stats.mean if whole and stats.min >= 0 and stats.max <= 1 else None


def count_rate(column: Column) -> LabelCounts | None:
    """Count the classes of a label of 0 and 1 from its statistics; None for another label."""
    rate = label_rate(column.feature)
    if rate is None:
        return None
    ones = round(rate * column.filled)
    return LabelCounts(column.filled, {0: column.filled - ones, 1: ones})


def may_be_classes(columns: Sequence[Column]) -> bool:
    """Return whether a label may be classes by its statistics: integers from 0 up, few enough."""
    return all(
        column.is_number and column.minimum >= 0 and column.maximum < MOST_CLASSES
        for column in columns
        if column.filled
    )


def count_classes(parts: Sequence[SpanPart], label: str) -> LabelCounts | None:
    """Count the classes of a span's label; the counts are kept beside the span.

    Args:
        parts: The span's parts.
        label: The label's column.

    Returns:
        The counts; None if it has fractions, or too many values.
    """
    total: Counter[int] = Counter()
    for part in parts:
        counts = _of_part(part, label)
        if counts is None:
            return None
        total += Counter(counts)
    return LabelCounts(total.total(), dict(total)) if len(total) <= MOST_CLASSES else None


def _of_part(part: SpanPart, label: str) -> dict[int, int] | None:
    uri = join(part.uri, f"labels-{part.part}.json")
    try:
        content: dict[str, Any] = json.loads(read_text(uri))
        if content["format"] == FORMAT and content["label"] == label:
            return _read(content["counts"])
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        # Not counted yet, or by another version.
        pass
    counts = _count(part, label)
    kept = None if counts is None else {str(value): rows for value, rows in counts.items()}
    # In a read-only store, the next run counts again.
    with contextlib.suppress(PermissionError):
        write_atomic(uri, json.dumps({"format": FORMAT, "label": label, "counts": kept}))
    return counts


def _read(counts: Mapping[str, int] | None) -> dict[int, int] | None:
    return None if counts is None else {int(value): int(rows) for value, rows in counts.items()}


def _count(part: SpanPart, label: str) -> dict[int, int] | None:
    total: Counter[int] = Counter()
    for batch in part.iter_batches([label]):
        if not batch.num_columns:
            continue
        values = batch.column(0).drop_null()
        if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
            return None
        counted = pc.value_counts(values)
        for value, rows in zip(
            counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True
        ):
            if value != int(value):
                return None
            total[int(value)] += rows
        if len(total) > MOST_CLASSES:
            return None
    return dict(total)
