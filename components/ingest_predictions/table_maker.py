"""Making the tables of spans: each file of the log is read once for several of them."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..lib.errors import RetrainerError
from ..lib.folders import publish_folder, remove_folder, remove_leftovers, scratch_folder
from ..lib.predictions.prediction_sets import (
    INGEST_PREDICTIONS,
    RECORD_FILE,
    PredictionSet,
    find_predictions,
    list_predictions,
)
from ..lib.predictions.prediction_table import read_predictions
from ..lib.progress import progress
from ..lib.spans.stored_spans import LEFTOVER_SECONDS
from ..lib.store import Store
from ..lib.threads import read_ahead
from ..lib.uris import join
from ..lib.words import name_spans, plural
from .log import Log
from .logged import LogFile, Logged
from .model_columns import ModelColumns
from .model_names import ModelNames
from .moments import Periods, to_datetime
from .request_rows import RequestRows
from .settings import LogSettings
from .span_plan import DueSpan
from .span_table import DUPLICATES, SpanTable

# So many spans are written at once, each with some megabytes of rows that wait.
_SPANS_AT_ONCE = 24
_BLOCK = 4_096
# No task reads a set for so long.
_KEPT_SECONDS = 24 * 3600


class TableMaker:
    """Makes tables of a log."""

    def __init__(
        self,
        store: Store,
        settings: LogSettings,
        log: Log,
        columns: ModelColumns,
        names: ModelNames,
        periods: Periods,
        made_of: str,
        first: bool,
    ) -> None:
        """Take what is the same for all tables.

        Args:
            store: The store.
            settings: Of the log.
            log: The log.
            columns: The columns of a table.
            names: What the log calls the registry's versions.
            periods: Spans.
            made_of: Digest of what makes other rows, for the records.
            first: Whether the log has no table yet: if nothing can be used then, the settings are wrong.
        """
        self._store, self._settings, self._log = store, settings, log
        self._columns, self._names, self._periods = columns, names, periods
        self._made_of, self._first = made_of, first

    def make(self, due: Sequence[DueSpan]) -> list[PredictionSet]:
        """Make the tables of spans.

        Args:
            due: The spans.

        Returns:
            The tables; a span that has nothing gets none.
        """
        made: list[PredictionSet] = []
        for start in range(0, len(due), _SPANS_AT_ONCE):
            made += self._make(due[start : start + _SPANS_AT_ONCE])
        return made

    def _make(self, due: Sequence[DueSpan]) -> list[PredictionSet]:
        schema = self._columns.schema()
        withheld = bool(self._columns.hashed or self._settings.drop)
        with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="retrainer-") as scratch:
            tables, folders = {}, {}
            for span in due:
                home = self._store.predictions_of_span_uri(span.name)
                remove_leftovers(home, LEFTOVER_SECONDS)
                folders[span.index] = stack.enter_context(scratch_folder(join(home, "new")))
                aside = Path(scratch, span.name)
                aside.mkdir()
                tables[span.index] = SpanTable(folders[span.index], aside, schema, withheld)
                if span.carried and span.replaced:
                    tables[span.index].carry_counts(span.carried["counts"])
                    for batch in read_predictions(span.replaced):
                        tables[span.index].carry(pa.Table.from_batches([batch]))
            self._fill(due, tables)
            self._check_readable(due, tables)
            # What has nothing but answers to requests of the span before is no span.
            due = [
                span for span in due if tables[span.index].rows or tables[span.index].first_fault
            ]
            for span in due:
                table = tables[span.index]
                if span.copies:
                    table.counts.counts[DUPLICATES] += span.copies
                sources = [
                    *(span.carried["sources"] if span.carried else ()),
                    *(
                        {"uri": file.uri, "bytes": file.size, "digest": digest}
                        for file, digest in span.files.items()
                    ),
                ]
                table.close(self._about(span), sources)
                home = self._store.predictions_of_span_uri(span.name)
                publish_folder(folders[span.index], join(home, span.version), RECORD_FILE)
                _remove_replaced(list_predictions(self._store.uri, span.name))
        return [self._read_back(span) for span in due]

    def _fill(self, due: Sequence[DueSpan], tables: Mapping[int, SpanTable]) -> None:
        spans_of: dict[LogFile, set[int]] = {}
        for due_span in due:
            for file in due_span.files:
                spans_of.setdefault(file, set()).add(due_span.index)
        wanted: set[int] = set()
        maker = RequestRows(
            self._columns,
            self._names,
            self._periods,
            self._settings.tolerance,
            self._settings.output,
            self._settings.tail,
            quarantine=lambda span, file, one: tables[span].quarantine(file, one),
            counts=lambda span: tables[span].counts,
            wanted=lambda span: span in wanted,
        )
        files = sorted(spans_of, key=lambda file: file.name)
        done = 0
        for number, file in enumerate(files):
            wanted = spans_of[file]
            for block in read_ahead(_blocks(self._log.read(file))):
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

    def _check_readable(self, due: Sequence[DueSpan], tables: Mapping[int, SpanTable]) -> None:
        if any(table.rows for table in tables.values()):
            self._first = False
        if not self._first:
            return
        first = next((table.first_fault for table in tables.values() if table.first_fault), None)
        if first is None:
            return
        count = sum(table.counts.quarantined.total() for table in tables.values())
        detail = f" ({first['detail']})" if first["detail"] else ""
        raise RetrainerError(
            f"none of {plural(count, 'record')} of {name_spans([span.name for span in due])} can be used. The first: "
            f"'{first['file']}' line {first['line']}: {first['reason']}{detail}. Check monitoring.predictions.format "
            f"('{self._settings.format}') and monitoring.predictions.mapping."
        )

    def _about(self, one: DueSpan) -> dict[str, Any]:
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

    def _read_back(self, one: DueSpan) -> PredictionSet:
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
