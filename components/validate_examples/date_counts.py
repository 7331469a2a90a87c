"""Counts of the days in a span's date columns, made once and kept beside the span."""

import contextlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from ..lib.examples import SpanPart
from ..lib.parquet_reader import open_parquet
from ..lib.uris import join, read_text, write_atomic

FORMAT = 1
_ISO_DATE = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:?\d{2}.*)?$"
_ISO_DAY = r"^\d{4}-\d{2}-\d{2}$"
_DAY_CHARACTERS = 10
_HEAD_CELLS = 1024
_MIN_ISO_SHARE = 0.9


@dataclass
class Days:
    """The days of a column.

    Attributes:
        present: Number of cells with a value.
        days: Cells by day, as ISO 8601 writes it.
        impossible: Cells by day that does not exist, such as `2013-02-30`.
    """

    present: int = 0
    days: dict[str, int] = field(default_factory=dict)
    impossible: dict[str, int] = field(default_factory=dict)


def read_days(parts: Sequence[SpanPart]) -> dict[str, Days]:
    """Count the days in the text columns of a span that hold ISO 8601 dates, with or without a time.

    A day counts as it is written, whatever time zone follows. Other texts in a date column are ignored.

    Args:
        parts: The span's parts.

    Returns:
        Days by column.
    """
    total: dict[str, Days] = {}
    for part in parts:
        for column, days in _of_part(part).items():
            known = total.setdefault(column, Days())
            known.present += days.present
            known.days = dict(Counter(known.days) + Counter(days.days))
            known.impossible = dict(Counter(known.impossible) + Counter(days.impossible))
    return total


def _of_part(part: SpanPart) -> dict[str, Days]:
    uri = join(part.uri, f"days-{part.part}.json")
    try:
        content = json.loads(read_text(uri))
        if content["format"] == FORMAT:
            return {name: Days(**days) for name, days in content["columns"].items()}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        # Not counted yet, or by another version.
        content = None
    columns = {column: _count(part, column) for column in _date_columns(part)}
    content = {"format": FORMAT, "columns": {name: asdict(days) for name, days in columns.items()}}
    # In a read-only store, the next run counts again.
    with contextlib.suppress(PermissionError):
        write_atomic(uri, json.dumps(content))
    return columns


def _date_columns(part: SpanPart) -> list[str]:
    """Find the text columns whose first values are ISO dates."""
    for name in part.files:
        with open_parquet(join(part.uri, name)) as file:
            texts = [one.name for one in file.schema_arrow if pa.types.is_string(one.type)]
            groups = range(file.metadata.num_row_groups)
            filled = next(
                (group for group in groups if file.metadata.row_group(group).num_rows), None
            )
            if not texts or filled is None:
                continue
            head = file.read_row_group(filled, columns=texts)
            return [name for name in texts if _are_dates(head[name].drop_null()[:_HEAD_CELLS])]
    return []


def _are_dates(values: pa.ChunkedArray) -> bool:
    if not len(values):
        return False
    dates = pc.sum(pc.match_substring_regex(values, _ISO_DATE)).as_py()
    return dates >= _MIN_ISO_SHARE * len(values)


def _count(part: SpanPart, column: str) -> Days:
    counts: Counter[str] = Counter()
    present = 0
    for batch in part.iter_batches([column]):
        if not batch.num_columns or not pa.types.is_string(batch.column(0).type):
            continue
        values = batch.column(0).drop_null()
        present += len(values)
        days = pc.value_counts(pc.utf8_slice_codeunits(values, 0, _DAY_CHARACTERS))
        written, cells = days.field(0), days.field(1)
        is_day = pc.match_substring_regex(written, _ISO_DAY)
        counts.update(
            dict(
                zip(
                    written.filter(is_day).to_pylist(),
                    cells.filter(is_day).to_pylist(),
                    strict=True,
                )
            )
        )
    impossible = {day: count for day, count in counts.items() if not _exists(day)}
    possible = {day: count for day, count in counts.items() if day not in impossible}
    return Days(present, possible, impossible)


def _exists(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True
