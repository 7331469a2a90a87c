"""Rows that ingestion set aside: how many of each span, why, and the first of them."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ..lib.examples import Examples, open_parquet
from ..lib.files import exists, join, read_text
from ..lib.statistics import StatisticsIndex
from ..lib.store import UNLABELLED_FILE, UNREADABLE_FILE

_EXAMPLES = 3
_REASONS = 3
_CELLS = 4


@dataclass(frozen=True)
class SetAside:
    """Rows of a span that were set aside for one cause.

    Attributes:
        span: The span.
        cause: `unreadable`, `unlabelled` or `duplicate`, as ingestion counts it.
        rows: How many.
        reason: Why, in words.
        examples: The first of them. An unreadable row is named by file and line: its text was never hashed.
    """

    span: str
    cause: str
    rows: int
    reason: str
    examples: tuple[str, ...] = ()


def read_set_aside(index: StatisticsIndex, examples: Examples | None) -> list[SetAside]:
    """Tell what rows were set aside.

    Args:
        index: Has the counts of each span.
        examples: Lead to the rows; without them there are counts alone.
    """
    uris = {
        part.span: part.uri
        for parts in (examples.splits if examples else {}).values()
        for part in parts
    }
    readers: dict[str, Callable[[StatisticsIndex, str], tuple[str, tuple[str, ...]]]] = {
        "unreadable": _unreadable,
        "unlabelled": _unlabelled,
        "duplicate": _duplicate,
    }
    found = []
    for span in index.spans:
        for cause, read in readers.items():
            rows = index.counts.get(span, {}).get(cause, 0)
            if rows:
                found.append(SetAside(span, cause, rows, *read(index, uris.get(span, ""))))
    return found


def _unreadable(index: StatisticsIndex, uri: str) -> tuple[str, tuple[str, ...]]:
    file = join(uri, UNREADABLE_FILE)
    if not uri or not exists(file):
        return "can't be read", ()
    rows = [json.loads(line) for line in read_text(file).splitlines()]
    reasons = Counter(str(row["reason"]) for row in rows).most_common(_REASONS)
    first = tuple(f"{row['file']} line {row['line']}" for row in rows[:_EXAMPLES])
    return "; ".join(f"{reason} ({count:,})" for reason, count in reasons), first


def _unlabelled(index: StatisticsIndex, uri: str) -> tuple[str, tuple[str, ...]]:
    reason = f"no value of {index.label} yet"
    file = join(uri, UNLABELLED_FILE)
    if not uri or not exists(file):
        return reason, ()
    with open_parquet(file) as parquet:
        names = [name for name in parquet.schema_arrow.names if name != index.label]
        columns = list(index.key or names[:_CELLS])
        batch = next(parquet.iter_batches(batch_size=_EXAMPLES, columns=columns))
    return reason, tuple(
        ", ".join(f"{name} {value}" for name, value in row.items()) for row in batch.to_pylist()
    )


def _duplicate(index: StatisticsIndex, uri: str) -> tuple[str, tuple[str, ...]]:
    return f"a later row has the same {', '.join(index.key)}", ()
