"""Bringing a server's log into the store: a table of predictions for each span of time."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..lib.digests import digest_value
from ..lib.errors import RetrainerError
from ..lib.examples import open_parquet
from ..lib.folders import publish_folder, remove_folder, remove_leftovers, scratch_folder
from ..lib.prediction_table import (
    FORMAT,
    INGEST_PREDICTIONS,
    RECORD_FILE,
    PredictionSet,
    check_writer,
    find_predictions,
    list_predictions,
    read_predictions,
)
from ..lib.progress import progress
from ..lib.store import Store
from ..lib.stored_spans import LEFTOVER_SECONDS, VERSION_DIGITS
from ..lib.uris import join, read_json, write_json
from ..lib.words import name_spans, plural
from .file_log import FileLog
from .formats import VERTEX
from .log import Log
from .log_files import Survey, read_seen, write_seen
from .logged import LogFile, Logged
from .model_columns import find_columns
from .model_names import find_names
from .moments import Periods, read_moment, to_datetime, to_microseconds
from .request_rows import RequestRows
from .settings import LogSettings
from .span_table import DUPLICATES, SpanTable
from .vertex_log import VertexLog

# Part of every version: raised when other rows would be made of the same logs.
INGEST_VERSION = 1
# So many spans are written at once, each with some megabytes of rows that wait.
_SPANS_AT_ONCE = 24
_BLOCK = 4_096
# No task reads a set for so long.
_KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Ingested:
    """What was ingested.

    Attributes:
        made: The tables that are new, oldest first.
        sets: The newest table of every span that the log has, oldest first.
        verdict: What was ingested, in one sentence.
    """

    made: tuple[PredictionSet, ...]
    sets: tuple[PredictionSet, ...]
    verdict: str

    @property
    def rows(self) -> int:
        """How many rows the tables have."""
        return sum(one.rows for one in self.sets)

    @property
    def newest_span(self) -> str:
        """Name of the newest span; empty if there is none."""
        return self.sets[-1].span if self.sets else ""


def ingest(
    store: str,
    settings: LogSettings,
    *,
    schema_uri: str = "",
    now: datetime | None = None,
    artifact: str = "",
) -> Ingested:
    """Ingest what is new in a log, in spans that are over.

    Args:
        store: URI of the store.
        settings: What is read, and how.
        schema_uri: A curated schema, which declares types; empty for the one that is frozen in the store.
        now: When it is; the clock's time if None.
        artifact: Folder for `predictions.json`, which names every span's table; empty for none.

    Returns:
        What was ingested.

    Raises:
        RetrainerError: If no model is in service, the log can't be reached, nothing in it can be read, or a span has
            tables of `predict_batch`.
    """
    settings.check()
    moment = to_microseconds(now or datetime.now(UTC))
    ingested = _Ingestion(store, settings, schema_uri, moment).run()
    if artifact:
        write_json(join(artifact, RECORD_FILE), _manifest(ingested))
    return ingested


@dataclass(frozen=True)
class _DueSpan:
    """A span whose table is made.

    Attributes:
        index: Its number.
        name: Its name.
        version: Name of the version.
        files: The files that have rows of it, with the digest of those rows.
        copies: How many rows are left out, since another file has the same ones.
        replaced: The set that was the newest before; None for none.
        carried: Record of that set, if its rows are copied since some of its sources are gone.
    """

    index: int
    name: str
    version: str
    files: Mapping[LogFile, str]
    copies: int
    replaced: PredictionSet | None = None
    carried: Mapping[str, Any] | None = None


class _Ingestion:
    """One look at a log."""

    def __init__(self, store: str, settings: LogSettings, schema_uri: str, now: int) -> None:
        self._store, self._settings, self._now = Store(store), settings, now
        self._columns = find_columns(store, settings, schema_uri)
        self._names = find_names(store, settings)
        self._periods = Periods(settings.period)
        kind = VertexLog if settings.format == VERTEX else FileLog
        self._log: Log = kind(settings, self._columns, self._periods, now)
        self._made_of = digest_value(
            [
                INGEST_VERSION,
                FORMAT,
                settings.format,
                asdict(settings.mapping),
                sorted(self._names.versions.items()),
                [settings.unversioned, settings.output, settings.tolerance],
                self._columns.made_of(),
            ]
        )

    def run(self) -> Ingested:
        surveys = self._survey()
        due, sets, open_spans = self._plan(surveys)
        made = []
        for start in range(0, len(due), _SPANS_AT_ONCE):
            made += self._write(due[start : start + _SPANS_AT_ONCE])
        every = {one.span: one for one in (*sets, *made)}
        ordered = tuple(every[name] for name in sorted(every))
        return Ingested(tuple(made), ordered, _verdict(made, len(sets), surveys, open_spans))

    def _survey(self) -> dict[LogFile, Survey]:
        settings = self._settings
        looked_with = [
            settings.format, settings.uri, settings.period, settings.tolerance, settings.wait,
            settings.mapping.time,
        ]  # fmt: skip
        uri = self._store.seen_logs_uri(digest_value(looked_with)[:VERSION_DIGITS])
        known = read_seen(uri)
        surveys = self._log.survey(known)
        found = {file.uri: one for file, one in surveys.items()}
        if found != known:
            write_seen(uri, found)
        return surveys

    def _plan(
        self, surveys: Mapping[LogFile, Survey]
    ) -> tuple[list[_DueSpan], list[PredictionSet], list[str]]:
        """Choose the spans to make; return those that are there already, and names of those that are not over, too."""
        periods, settings = self._periods, self._settings
        first = read_moment(settings.since) if settings.since else None
        indices = sorted({span for one in surveys.values() for span in one.spans})
        due, there, still_open = [], [], []
        for index in indices:
            if first is not None and periods.start(index + 1) <= first:
                continue
            if periods.start(index + 1) + settings.wait > self._now:
                still_open.append(periods.name(index))
                continue
            one = self._plan_span(index, surveys)
            if isinstance(one, PredictionSet):
                there.append(one)
            else:
                due.append(one)
        return due, there, still_open

    def _plan_span(self, index: int, surveys: Mapping[LogFile, Survey]) -> _DueSpan | PredictionSet:
        name = self._periods.name(index)
        files: dict[LogFile, str] = {}
        digests, copies = set(), 0
        for file, one in surveys.items():
            rows, digest = one.spans.get(index, (0, ""))
            digest = f"{digest}{one.tails.get(index, '')}"
            if digest in digests:
                # The same file under another name.
                copies += rows
            elif digest:
                digests.add(digest)
                files[file] = digest
        version = digest_value([self._made_of, name, sorted(digests)])[:VERSION_DIGITS]
        home = self._store.predictions_of_span_uri(name)
        if known := find_predictions(join(home, version)):
            return known
        check_writer(home, INGEST_PREDICTIONS)
        before = list_predictions(self._store.uri, name)
        if not before:
            return _DueSpan(index, name, version, files, copies)
        newest = before[-1]
        record = read_json(join(newest.uri, RECORD_FILE))
        recorded = {one["digest"] for one in record["sources"]}
        if recorded <= digests:
            return _DueSpan(index, name, version, files, copies, newest)
        # Logs are deleted after a while, or are written elsewhere: what was read of them stays.
        added = {file: digest for file, digest in files.items() if digest not in recorded}
        if not added or not self._has_our_columns(newest):
            return newest
        together = sorted(digests | recorded)
        version = digest_value([self._made_of, name, together])[:VERSION_DIGITS]
        return _DueSpan(index, name, version, added, copies, newest, record)

    def _has_our_columns(self, found: PredictionSet) -> bool:
        with open_parquet(join(found.uri, found.files[0])) as parquet:
            return bool(parquet.schema_arrow.equals(self._columns.schema()))

    def _write(self, due: Sequence[_DueSpan]) -> list[PredictionSet]:
        schema = self._columns.schema()
        withheld = bool(self._columns.hashed or self._settings.drop)
        with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="retrainer-") as scratch:
            tables, folders = {}, {}
            for one in due:
                home = self._store.predictions_of_span_uri(one.name)
                remove_leftovers(home, LEFTOVER_SECONDS)
                folders[one.index] = stack.enter_context(scratch_folder(join(home, "new")))
                aside = Path(scratch, one.name)
                aside.mkdir()
                tables[one.index] = SpanTable(folders[one.index], aside, schema, withheld)
                if one.carried and one.replaced:
                    tables[one.index].carry_counts(one.carried["counts"])
                    for batch in read_predictions(one.replaced):
                        tables[one.index].carry(pa.Table.from_batches([batch]))
            self._fill(due, tables)
            self._check_readable(due, tables)
            # What has nothing but answers to requests of the span before is no span.
            due = [one for one in due if tables[one.index].rows or tables[one.index].first_fault]
            for one in due:
                table = tables[one.index]
                if one.copies:
                    table.counts.counts[DUPLICATES] += one.copies
                sources = [
                    *(one.carried["sources"] if one.carried else ()),
                    *(
                        {"uri": file.uri, "bytes": file.size, "digest": digest}
                        for file, digest in one.files.items()
                    ),
                ]
                table.close(self._about(one), sources)
                home = self._store.predictions_of_span_uri(one.name)
                publish_folder(folders[one.index], join(home, one.version), RECORD_FILE)
                _remove_replaced(list_predictions(self._store.uri, one.name))
        return [self._read_back(one) for one in due]

    def _fill(self, due: Sequence[_DueSpan], tables: Mapping[int, SpanTable]) -> None:
        spans_of: dict[LogFile, set[int]] = {}
        for one in due:
            for file in one.files:
                spans_of.setdefault(file, set()).add(one.index)
        wanted: set[int] = set()
        maker = RequestRows(
            self._columns,
            self._names,
            self._periods,
            self._settings.tolerance,
            self._settings.output,
            self._settings.wait,
            quarantine=lambda span, file, one: tables[span].quarantine(file, one),
            counts=lambda span: tables[span].counts,
            wanted=lambda span: span in wanted,
        )
        files = sorted(spans_of, key=lambda file: file.name)
        done = 0
        for number, file in enumerate(files):
            wanted = spans_of[file]
            for block in _blocks(self._log.read(file)):
                done += self._add(maker, file, block, tables)
                progress(f"logs: {done:,} rows read", number, len(files))
        wanted = set(tables)
        for block in _blocks(self._log.finish()):
            self._add(maker, files[-1], block, tables)

    def _add(
        self,
        maker: RequestRows,
        file: LogFile,
        block: Sequence[Logged],
        tables: Mapping[int, SpanTable],
    ) -> int:
        rows, spans = maker.make(file, block)
        if not len(rows):
            return 0
        there = np.unique(spans)
        for span in there:
            of_span = rows if len(there) == 1 else rows.filter(pa.array(spans == span))
            tables[int(span)].write(of_span, file)
        return len(rows)

    def _check_readable(self, due: Sequence[_DueSpan], tables: Mapping[int, SpanTable]) -> None:
        if any(table.rows for table in tables.values()):
            return
        first = next((table.first_fault for table in tables.values() if table.first_fault), None)
        if first is None:
            return
        count = sum(table.counts.quarantined.total() for table in tables.values())
        detail = f" ({first['detail']})" if first["detail"] else ""
        raise RetrainerError(
            f"none of {plural(count, 'record')} of {name_spans([one.name for one in due])} can be used. The first: "
            f"'{first['file']}' line {first['line']}: {first['reason']}{detail}. Check monitoring.predictions.format "
            f"('{self._settings.format}') and monitoring.predictions.mapping."
        )

    def _about(self, one: _DueSpan) -> dict[str, Any]:
        start = self._periods.start(one.index)
        return {
            "span": one.name,
            "version": one.version,
            "period": {
                "start": to_datetime(start).isoformat(),
                "end": to_datetime(start + self._periods.length).isoformat(),
            },
            "source": self._settings.format,
            "made_of": self._made_of,
            "replaced": one.replaced.version if one.replaced else "",
        }

    def _read_back(self, one: _DueSpan) -> PredictionSet:
        uri = join(self._store.predictions_of_span_uri(one.name), one.version)
        found = find_predictions(uri)
        if found is None:
            raise RetrainerError(
                f"span {one.name}: '{uri}' was removed right after it was written. Run again."
            )
        return found


def _remove_replaced(sets: Sequence[PredictionSet]) -> None:
    """Remove sets of a span that nobody reads any more: another one replaced them long ago."""
    now = datetime.now(UTC)
    for one, follower in pairwise(sets):
        age = now - datetime.fromisoformat(follower.scored)
        if one.writer == INGEST_PREDICTIONS and age.total_seconds() > _KEPT_SECONDS:
            with suppress(FileNotFoundError):
                remove_folder(one.uri, RECORD_FILE)


def _blocks(items: Iterator[Logged]) -> Iterator[list[Logged]]:
    while block := list(islice(items, _BLOCK)):
        yield block


def _verdict(
    made: Sequence[PredictionSet],
    there: int,
    surveys: Mapping[LogFile, Survey],
    open_spans: Sequence[str],
) -> str:
    parts = []
    if made:
        rows = sum(one.rows for one in made)
        names = name_spans([one.span for one in made])
        parts.append(f"{plural(rows, 'row')} of {plural(len(made), 'span')} ({names}) ingested")
        counts = [read_json(join(one.uri, RECORD_FILE))["counts"] for one in made]
        quarantined = sum(sum(one["quarantined"].values()) for one in counts)
        errors, copies = (
            sum(one.errors for one in made),
            sum(one.get(DUPLICATES, 0) for one in counts),
        )
        for count, words in (
            (errors, "without a prediction"), (quarantined, "quarantined"), (copies, "duplicates dropped"),
        ):  # fmt: skip
            if count:
                parts.append(f"{count:,} {words}")
    elif not surveys:
        parts.append("the log is empty")
    else:
        parts.append("nothing new in the log")
    if there:
        parts.append(f"{plural(there, 'span')} ingested before")
    if open_spans:
        parts.append(f"not over: {name_spans(open_spans)}")
    return "; ".join(parts)


def _manifest(ingested: Ingested) -> dict[str, object]:
    return {
        "format": 1,
        "rows": ingested.rows,
        "errors": sum(one.errors for one in ingested.sets),
        "made": [one.span for one in ingested.made],
        "sets": [
            {"span": one.span, "version": one.version, "uri": one.uri, "files": list(one.files)}
            for one in ingested.sets
        ],
    }
