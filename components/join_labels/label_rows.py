"""Reading labels: from files and tables, or from the ingested spans of the training data."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from ..lib.errors import RetrainerError
from ..lib.moments import with_offset
from ..lib.parquet_reader import open_parquet
from ..lib.source_files import SourceFile
from ..lib.source_rows.column_changes import parse_columns
from ..lib.source_rows.column_types import ColumnType
from ..lib.source_rows.pseudonymize import hash_column
from ..lib.source_rows.sources.base import NoRowsError
from ..lib.source_rows.span_reader import Rows, SpanReader
from ..lib.source_rows.span_sources import opener_of
from ..lib.spans.stored_spans import SpanVersion
from ..lib.text_times import read_times
from ..lib.uris import join
from ..lib.words import did_you_mean
from .key_hashes import hash_keys
from .settings import LabelSettings

NO_TIME = int(np.iinfo(np.int64).min)
"""Stands for a time that is not known."""
ROW = "row"
# Times as numbers are seconds since 1970 up to here, and above it milliseconds.
_MOST_SECONDS = 1e11


@dataclass(frozen=True)
class LabelBatch:
    """Some labels.

    Attributes:
        keys: Hash of each label's key.
        values: The labels.
        at: When each was known, in microseconds since 1970; `NO_TIME` if it is not known.
        weights: Weight of each row; NaN without weights among the labels.
        rowless: Whether a label names a request without a row of it.
    """

    keys: np.ndarray
    values: np.ndarray
    at: np.ndarray
    weights: np.ndarray
    rowless: np.ndarray


@dataclass
class LabelCounts:
    """What was read of the labels.

    Attributes:
        read: Rows that were read.
        missing: Rows without a label: it is not known yet.
        unreadable: Rows whose label is not of the label's type, or that could not be read.
        without_key: Rows without a key.
        without_time: Rows whose time is missing or unreadable, where a column of times is named.
        examples: What is wrong with the first unreadable ones.
    """

    read: int = 0
    missing: int = 0
    unreadable: int = 0
    without_key: int = 0
    without_time: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, reason: str) -> None:
        """Keep a reason, if there are few yet."""
        if len(self.examples) < 3 and reason not in self.examples:
            self.examples.append(reason)


def read_label_files(
    files: Sequence[SourceFile],
    settings: LabelSettings,
    label_type: ColumnType,
    hash_key: bytes,
    counts: LabelCounts,
) -> Iterator[LabelBatch]:
    """Read labels from files and tables, in their order.

    Args:
        files: The files.
        settings: How they are read.
        label_type: Type of the label.
        hash_key: Key of private columns.
        counts: What is read is counted here.

    Yields:
        The labels that can be used.

    Raises:
        RetrainerError: If a file can't be read, or lacks the label or the key.
    """
    with tempfile.TemporaryDirectory(prefix="retrainer-") as scratch:
        for file in files:
            reader = _reader(file, settings, label_type, scratch)
            seen: set[str] = set()
            try:
                for rows in reader.read():
                    seen |= set(rows.table.column_names)
                    yield from _label_batches(rows, settings, hash_key, counts, file.uri)
            except NoRowsError:
                continue
            if not _needed(settings) <= seen:
                _check_columns(_column_names(file, settings, scratch), settings, file.uri)


def read_label_spans(
    versions: Sequence[SpanVersion], settings: LabelSettings, counts: LabelCounts
) -> Iterator[LabelBatch]:
    """Read labels from ingested spans.

    Args:
        versions: The spans.
        settings: The key, the label and the weight.
        counts: What is read is counted here.

    Yields:
        The labels.

    Raises:
        RetrainerError: If a span lacks the label or the key.
    """
    wanted = [*settings.key, settings.label]
    for version in versions:
        _check_columns(set(version.columns) or set(wanted), settings, f"span {version.span}")
        more = [name for name in (settings.weight, settings.labelled_at) if name in version.columns]
        for part in version.parts.values():
            for name in part["files"]:
                with open_parquet(join(version.uri, name)) as parquet:
                    for batch in parquet.iter_batches(columns=[*wanted, *more]):
                        rows = Rows(pa.Table.from_batches([batch]), ())
                        # Their private columns are hashed already.
                        yield from _label_batches(rows, settings, b"", counts, version.span)


def parse_times(column: pa.Array) -> np.ndarray:
    """Parse times: texts in ISO 8601, times of Arrow, or seconds or milliseconds since 1970.

    Args:
        column: n cells.

    Returns:
        n integers: microseconds since 1970, UTC, which times without a zone are in; `NO_TIME` where there is none.
    """
    if pa.types.is_timestamp(column.type):
        values = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
        return values.fill_null(NO_TIME).to_numpy(zero_copy_only=False)
    series = column.to_pandas()
    numbers = pd.to_numeric(series, errors="coerce").to_numpy(np.float64)
    numbers = np.where(np.abs(numbers) > _MOST_SECONDS, numbers / 1000, numbers)
    found = np.full(len(series), NO_TIME)
    numeric = np.isfinite(numbers)
    found[numeric] = np.round(numbers[numeric] * 1e6).astype(np.int64)
    rest = ~numeric & series.notna().to_numpy()
    if rest.any():
        times = read_times(series[rest]).to_numpy("datetime64[us]")
        found[rest] = np.where(np.isnat(times), NO_TIME, times.astype(np.int64))
        # pandas takes the form of the first one for that of all.
        for place in np.flatnonzero(rest & (found == NO_TIME)):
            found[place] = _parse_time(str(series.iloc[place]))
    return found


def _parse_time(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return NO_TIME
    return (with_offset(moment) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _reader(
    file: SourceFile, settings: LabelSettings, label_type: ColumnType, scratch: str
) -> SpanReader:
    texts = [name for name in settings.key if name != ROW or not settings.by_request]
    declared = {name: ColumnType(kind) for name, kind in settings.types.items()}
    declared |= dict.fromkeys(texts, ColumnType.TEXT)
    declared[settings.label] = label_type
    optional = (settings.labelled_at, settings.weight)
    wanted = [*settings.key, settings.label, *(name for name in optional if name)]
    if settings.labelled_at:
        declared[settings.labelled_at] = ColumnType.TEXT
    if settings.weight:
        declared[settings.weight] = ColumnType.NUMBER
    if settings.by_request and ROW in settings.key:
        declared[ROW] = ColumnType.INTEGER
    changes = parse_columns(settings.columns)
    only = frozenset([*wanted, *changes.sources])
    # Under the source's own names.
    options = replace(settings.source, only=tuple(sorted({*only, *changes.renamed})))
    return SpanReader(
        [(file.uri, opener_of(file, options, "labels", scratch, {}))],
        declared,
        changes=changes,
        only=only,
        keep_faulty=True,
    )


def _needed(settings: LabelSettings) -> set[str]:
    """Return the columns that labels can't be without; the row of a request is mostly the only one."""
    return {settings.label, *(one for one in settings.key if one != ROW or not settings.by_request)}


def _column_names(file: SourceFile, settings: LabelSettings, scratch: str) -> set[str]:
    with opener_of(file, settings.source, "labels", scratch, {})() as source:
        block = next(iter(source.blocks()), None)
    found = set(block.batch.schema.names) if block else set()
    changes = parse_columns(settings.columns)
    return {changes.renamed.get(name, name) for name in found} | set(changes.derived)


def _check_columns(there: set[str], settings: LabelSettings, where: str) -> None:
    for name, setting in (
        *((one, "monitoring.labels.key") for one in settings.key),
        (settings.label, "monitoring.labels.label"),
    ):
        if name in there or name not in _needed(settings):
            continue
        hint = did_you_mean(name, sorted(there))
        raise RetrainerError(
            f"the labels in '{where}' have no column '{name}' ({setting}).{hint} They have: "
            f"{', '.join(sorted(there)) or 'none'}. Name the column that holds it, or rename or "
            "make it in monitoring.labels.columns: data.columns holds for the training data alone."
        )


def _label_batches(
    rows: Rows, settings: LabelSettings, hash_key: bytes, counts: LabelCounts, where: str
) -> Iterator[LabelBatch]:
    table = rows.table
    counts.read += len(table) + len(rows.bad)
    counts.unreadable += len(rows.bad)
    for bad_row in rows.bad[:3]:
        counts.note(f"{bad_row.file}, row {bad_row.row}: {bad_row.reason}")
    if not len(table) or settings.label not in table.column_names:
        return
    columns = {
        name: pa.concat_arrays(table[name].chunks) if table[name].num_chunks else table[name]
        for name in table.column_names
    }
    values = columns[settings.label].cast(pa.float64())
    values = values.to_numpy(zero_copy_only=False).astype(np.float64)
    faulty = np.zeros(len(table), bool)
    for index, reasons in rows.faults.items():
        wrong = [reason for reason in reasons if not _is_optional(reason, settings)]
        if wrong:
            faulty[index] = True
            counts.note(f"{where}: {wrong[0]}")
    keys, present = hash_keys(_key_cells(columns, settings, hash_key))
    missing = np.isnan(values) & ~faulty
    counts.unreadable += int(faulty.sum())
    counts.missing += int(missing.sum())
    counts.without_key += int((~present & ~missing & ~faulty).sum())
    at = np.full(len(table), NO_TIME)
    if settings.labelled_at in columns:
        at = parse_times(columns[settings.labelled_at])
    weights = np.full(len(table), np.nan)
    if settings.weight in columns:
        found = columns[settings.weight].cast(pa.float64())
        weights = found.to_numpy(zero_copy_only=False).astype(np.float64)
    rowless = np.zeros(len(table), bool)
    if settings.by_request and ROW in settings.key:
        rowless[:] = True
        if ROW in columns:
            rowless = columns[ROW].is_null().to_numpy(zero_copy_only=False)
    good = present & ~missing & ~faulty
    if settings.labelled_at:
        counts.without_time += int((good & (at == NO_TIME)).sum())
    yield LabelBatch(keys[good], values[good], at[good], weights[good], rowless[good])


def _is_optional(reason: str, settings: LabelSettings) -> bool:
    """Return whether a fault is of a cell that a label can be used without."""
    return any(
        reason.startswith(f"'{name}' ") for name in (settings.labelled_at, settings.weight) if name
    )


def _key_cells(
    columns: dict[str, pa.Array], settings: LabelSettings, hash_key: bytes
) -> list[pa.Array]:
    count = len(columns[settings.label])
    cells = []
    for name in settings.key:
        column = columns.get(name, pa.nulls(count, pa.string()))
        if name == ROW and settings.by_request:
            # A request of one row is mostly named without it.
            column = column.cast(pa.int64()).fill_null(0)
        elif hash_key and name in settings.hash:
            column = hash_column(column, hash_key)
        elif pa.types.is_null(column.type):
            column = column.cast(pa.string())
        cells.append(column)
    return cells
