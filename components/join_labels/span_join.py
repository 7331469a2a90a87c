"""Writing the predictions of one span that have a label: whole or not at all, and only if something changed."""

import hashlib
from collections import Counter as Counts
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..lib.digests import digest_value
from ..lib.errors import RetrainerError
from ..lib.folders import publish_folder, remove_folder, remove_leftovers, scratch_folder
from ..lib.parquet_reader import open_parquet
from ..lib.parquet_writer import PartFiles
from ..lib.predictions.joined_sets import RECORD_FILE, Coverage, JoinedSet, find_joined, list_joined
from ..lib.predictions.joined_table import add_labels, joined_schema
from ..lib.predictions.prediction_sets import PredictionSet
from ..lib.predictions.prediction_table import TableColumns, read_columns, read_predictions
from ..lib.spans.stored_spans import LEFTOVER_SECONDS, VERSION_DIGITS
from ..lib.store import Store
from ..lib.uris import join, write_json
from .compared_columns import SAMPLE_ROWS, Counter, make_bins
from .label_rows import NO_TIME
from .matching import SpanKeys, SpanLabels
from .settings import LabelSettings

_HOUR = 3600 * 1_000_000
# A span of more hours is counted by days.
_MOST_HOURS = 48
_LEAST_RATE = 1e-9
_BATCH_ROWS = 131_072
# Somebody may be reading a set that was the newest until now.
_KEPT_SECONDS = 3600


@dataclass(frozen=True)
class SpanJoin:
    """A span with its labels.

    Attributes:
        store: URI of the store.
        keys: Its predictions.
        labels: Their labels.
        settings: The settings.
        digest: Digest of the settings.
    """

    store: str
    keys: SpanKeys
    labels: SpanLabels
    settings: LabelSettings
    digest: str

    @property
    def predictions(self) -> PredictionSet:
        """The span's predictions."""
        return self.keys.predictions

    def version(self) -> str:
        """Name the set by what it is made of."""
        content = hashlib.sha256()
        for values in (self.labels.values, self.labels.at, self.labels.weights):
            content.update(np.ascontiguousarray(values).tobytes())
        made_of = [self.predictions.span, self.predictions.version, self.digest]
        return digest_value([*made_of, content.hexdigest()])[:VERSION_DIGITS]


def join_span(work: SpanJoin) -> tuple[JoinedSet, bool]:
    """Write the predictions of a span that have a label, unless the same set is there.

    Args:
        work: The span with its labels.

    Returns:
        The set, and whether it was there before.

    Raises:
        RetrainerError: If it can't be written; nothing is stored then.
    """
    home = Store(work.store).joined_of_span_uri(work.predictions.span)
    version = work.version()
    uri = join(home, version)
    if known := find_joined(uri):
        return _made_newest(work.store, known), True
    remove_leftovers(home, LEFTOVER_SECONDS)
    with scratch_folder(join(home, "new")) as folder:
        made = _write(work, version, uri, folder)
        write_json(str(folder / RECORD_FILE), made.content())
        publish_folder(folder, uri, RECORD_FILE)
    found = find_joined(uri)
    if found is None:
        raise RetrainerError(
            f"span {work.predictions.span}: '{uri}' was removed right after it was written. Run again."
        )
    _remove_older(work.store, found)
    return found, False


def _made_newest(store: str, known: JoinedSet) -> JoinedSet:
    """Return a set that was there before, as the newest of its span: labels that were taken back bring an older one."""
    if list_joined(store, known.span)[-1].version == known.version:
        return known
    found = replace(known, joined=datetime.now(UTC).isoformat(timespec="milliseconds"))
    write_json(join(known.uri, RECORD_FILE), found.content())
    return found


def _write(work: SpanJoin, version: str, uri: str, folder: Path) -> JoinedSet:
    labels, predictions = work.labels, work.predictions
    schema, columns = _read_schema(predictions)
    starts, periods, length = _periods(work.keys.occurred)
    coverage = np.zeros((len(starts), 4))
    compare = {
        name: columns.inputs[name] for name in work.settings.compare if name in columns.inputs
    }
    sample = _sample(predictions, [*columns.predictions, *compare.values()])
    counter = Counter(make_bins(sample, columns.predictions, compare), len(starts))
    counts: Counts[str] = Counts(labels.counts)
    versions: Counts[str] = Counts()
    part = PartFiles(folder, "part", joined_schema(schema))
    own_weight = columns.inputs.get(work.settings.weight) if work.settings.weight else None
    done = 0
    for batch in read_predictions(predictions, batch_rows=_BATCH_ROWS):
        rows = slice(done, done + batch.num_rows)
        done += batch.num_rows
        table = pa.Table.from_batches([batch])
        rate = np.maximum(table["sample_rate"].to_numpy(), _LEAST_RATE)
        weights = 1 / rate
        if work.settings.weight:
            weights = weights * _example_weights(labels.weights[rows], table, own_weight)
        labelled, expected = ~np.isnan(labels.values[rows]), labels.expected[rows]
        counter.add(batch, expected, labelled, periods[rows])
        for place, chosen in ((0, expected), (1, expected & labelled)):
            np.add.at(coverage[:, place], periods[rows][chosen], 1)
            np.add.at(coverage[:, place + 2], periods[rows][chosen], 1 / rate[chosen])
        weighted = np.isfinite(weights) & (weights >= 0)
        counts["unweighted"] += int((labelled & ~weighted).sum())
        kept = labelled & weighted
        of_version = table["model_version"].filter(pa.array(kept)).value_counts().to_pylist()
        for one in of_version:
            name = "" if one["values"] is None else str(one["values"])
            versions[name] += one["counts"]
        part.write(_labelled(table, labels, rows, weights, kept))
    part.close()
    return JoinedSet(
        span=predictions.span,
        version=version,
        uri=uri,
        files=tuple(part.files),
        rows=part.rows,
        predictions=predictions.version,
        label=work.settings.label,
        counts={name: counts[name] for name in sorted(counts) if counts[name]},
        model_versions=dict(sorted(versions.items())),
        coverage=_coverage(starts, coverage, length),
        compared=counter.result(),
        joined=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )


def _read_schema(predictions: PredictionSet) -> tuple[pa.Schema, TableColumns]:
    if not predictions.files:
        raise RetrainerError(
            f"the predictions of span {predictions.span} in '{predictions.uri}' have no file. Delete the folder, and "
            "make them again."
        )
    with open_parquet(join(predictions.uri, predictions.files[0])) as parquet:
        schema = parquet.schema_arrow
    return schema, read_columns(schema)


def _sample(predictions: PredictionSet, columns: list[str]) -> pa.Table:
    """Read the first rows."""
    batches, rows = [], 0
    for batch in read_predictions(predictions, list(dict.fromkeys(columns))):
        batches.append(batch)
        rows += batch.num_rows
        if rows >= SAMPLE_ROWS:
            break
    if batches:
        return pa.Table.from_batches(batches)
    schema = _read_schema(predictions)[0]
    return pa.schema([schema.field(name) for name in dict.fromkeys(columns)]).empty_table()


def _example_weights(of_labels: np.ndarray, table: pa.Table, own_column: str | None) -> np.ndarray:
    if own_column is None:
        return of_labels
    own = table[own_column].cast(pa.float64()).to_numpy().astype(np.float64)
    return np.where(np.isnan(of_labels), own, of_labels)


def _labelled(
    table: pa.Table, labels: SpanLabels, rows: slice, weights: np.ndarray, kept: np.ndarray
) -> pa.Table:
    at = labels.at[rows][kept]
    return add_labels(
        table.filter(pa.array(kept)),
        pa.array(labels.values[rows][kept]),
        pa.array(at, pa.timestamp("us", "UTC"), mask=at == NO_TIME),
        pa.array(weights[kept]),
    )


def _periods(occurred: np.ndarray) -> tuple[list[int], np.ndarray, int]:
    """Return the first moment of each period, the period of each row, and how long periods are."""
    for length in (_HOUR, 24 * _HOUR):
        floors = np.where(occurred == NO_TIME, NO_TIME, occurred // length * length)
        starts, periods = np.unique(floors, return_inverse=True)
        if len(starts) <= _MOST_HOURS:
            break
    return [int(start) for start in starts], periods, length


def _coverage(starts: list[int], counts: np.ndarray, length: int) -> tuple[Coverage, ...]:
    return tuple(
        Coverage(
            _iso(start),
            _iso(start + length) if start != NO_TIME else "",
            int(rows),
            int(labelled),
            round(float(weight), 6),
            round(float(labelled_weight), 6),
        )
        for start, (rows, labelled, weight, labelled_weight) in zip(starts, counts, strict=True)
    )


def _iso(microseconds: int) -> str:
    if microseconds == NO_TIME:
        return ""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="seconds")


def _remove_older(store: str, newest: JoinedSet) -> None:
    """Remove the sets that others replaced, but for those that somebody may be reading."""
    sets = list_joined(store, newest.span)
    now = datetime.fromisoformat(newest.joined)
    for one, follower in pairwise(sets):
        if (now - datetime.fromisoformat(follower.joined)).total_seconds() > _KEPT_SECONDS:
            # Another join may remove it, too.
            with suppress(FileNotFoundError):
                remove_folder(one.uri, RECORD_FILE)
