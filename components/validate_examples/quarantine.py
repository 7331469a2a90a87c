"""Quarantined rows: how many of each span, why, and the first of them."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..lib.examples import Examples
from ..lib.parquet_reader import open_parquet
from ..lib.statistics.statistics_artifact import StatisticsIndex
from ..lib.store import DUPLICATE_FILE, UNLABELLED_FILE, UNREADABLE_FILE, UNWEIGHTED_FILE
from ..lib.uris import exists, filesystem, join

_EXAMPLES = 3
_REASONS = 5
_CELLS = 4
_CHARACTERS = 80


@dataclass(frozen=True)
class QuarantinedRows:
    """Rows of a span that ingestion quarantined for one cause.

    Attributes:
        span: The span.
        cause: `unreadable`, `unlabelled`, `unweighted` or `duplicate`, as ingestion names it.
        rows: Number of rows.
        reason: Why, in words; for unreadable rows, each reason with its count.
        examples: The first of them. An unreadable row has its file and row number, and its text if ingestion stored it,
            which it does if no column is private.
    """

    span: str
    cause: str
    rows: int
    reason: str
    examples: tuple[str, ...] = ()


def read_quarantined(index: StatisticsIndex, examples: Examples | None) -> list[QuarantinedRows]:
    """Return the quarantined rows of a window.

    Args:
        index: Has the counts of each span.
        examples: Where the rows are; without them, only counts are known.
    """
    uris = {
        part.span: part.uri
        for parts in (examples.splits if examples else {}).values()
        for part in parts
    }
    readers: dict[str, Callable[[StatisticsIndex, str], tuple[str, tuple[str, ...]]]] = {
        "unreadable": _unreadable,
        "unlabelled": _unlabelled,
        "unweighted": _unweighted,
        "duplicate": _duplicate,
    }
    found = []
    for span in index.spans:
        for cause, read in readers.items():
            rows = index.counts.get(span, {}).get(cause, 0)
            if rows:
                found.append(QuarantinedRows(span, cause, rows, *read(index, uris.get(span, ""))))
    return found


def _unreadable(index: StatisticsIndex, uri: str) -> tuple[str, tuple[str, ...]]:
    file = join(uri, UNREADABLE_FILE)
    if not uri or not exists(file):
        return "unreadable", ()
    reasons: Counter[str] = Counter()
    first: list[str] = []
    fs, path = filesystem(file)
    with fs.open(path, "rb") as lines:
        for line in lines:
            row = json.loads(line)
            reasons[str(row["reason"])] += 1
            if len(first) < _EXAMPLES:
                first.append(_place(row))
    named = [f"{reason} ({count:,})" for reason, count in reasons.most_common(_REASONS)]
    if len(reasons) > _REASONS:
        rest = sum(count for _, count in reasons.most_common()[_REASONS:])
        named.append(f"other reasons ({rest:,})")
    return "; ".join(named), tuple(first)


def _place(row: Mapping[str, Any]) -> str:
    if "row" not in row:
        # Spans that were ingested before rows were numbered may have private text.
        return str(row["file"])
    place = f"{row['file']} row {row['row']:,}"
    text = str(row.get("text") or "")
    return f"{place}: {_cut(text)}" if text else place


def _unlabelled(index: StatisticsIndex, uri: str) -> tuple[str, tuple[str, ...]]:
    return f"no value of {index.label} yet", _first_rows(index, uri, UNLABELLED_FILE)


def _unweighted(index: StatisticsIndex, uri: str) -> tuple[str, tuple[str, ...]]:
    return "no weight, or one below 0", _first_rows(index, uri, UNWEIGHTED_FILE)


def _duplicate(index: StatisticsIndex, uri: str) -> tuple[str, tuple[str, ...]]:
    reason = f"a later row has the same {', '.join(index.key)}"
    return reason, _first_rows(index, uri, DUPLICATE_FILE)


def _first_rows(index: StatisticsIndex, uri: str, name: str) -> tuple[str, ...]:
    file = join(uri, name)
    if not uri or not exists(file):
        return ()
    with open_parquet(file) as parquet:
        names = [name for name in parquet.schema_arrow.names if name != index.label]
        known = [name for name in index.key if name in names]
        columns = known or names[:_CELLS]
        # A file without rows has no batch.
        batches = islice(parquet.iter_batches(batch_size=_EXAMPLES, columns=columns), 1)
        rows = [row for batch in batches for row in batch.to_pylist()]
    return tuple(_cut(", ".join(f"{name} {value}" for name, value in row.items())) for row in rows)


def _cut(text: str) -> str:
    return text if len(text) <= _CHARACTERS else text[: _CHARACTERS - 1] + "…"
