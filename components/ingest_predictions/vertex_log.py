"""Reads the table that Vertex AI's request-response logging writes to BigQuery.

A row is a request: `request_payload[i]` with `response_payload[i]` (aiplatform_v1, endpoint.proto,
`PredictRequestResponseLoggingConfig`; columns by Elastic's reference of `vertexai_logs`: endpoint, deployed_model_id,
logging_time, request_id, request_payload, response_payload).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..lib.bigquery.bigquery_client import billing_project, explained, open_reader, open_tables
from ..lib.bigquery.bigquery_sessions import literal, make_session, read_session
from ..lib.bigquery.bigquery_tables import check_readable, look_at, parse_table
from ..lib.errors import RetrainerError
from .log_files import Survey
from .logged import OTHER_COUNT, UNANSWERED, LogFile, Logged, LoggedRequest, Unreadable
from .model_columns import ModelColumns
from .moments import Periods, read_moment, to_datetime
from .payloads import PayloadError, parse, read_instances, read_predictions
from .settings import LogSettings

TIME = "logging_time"
_COLUMNS = ("deployed_model_id", TIME, "request_id", "request_payload", "response_payload")
# Without `since`: what is older was ingested, or nobody monitors it any more.
_DAYS = 30
_DAY = 86_400_000_000
_FIX = "Check monitoring.predictions.uri."
_TASK = "ingest_predictions"
_MASK = 2**64 - 1


class VertexLog:
    """The table, a piece for each span; see `Log`."""

    def __init__(
        self, settings: LogSettings, columns: ModelColumns, periods: Periods, now: int
    ) -> None:
        """Take what is read; nothing is asked yet.

        Args:
            settings: Of the log.
            columns: What is kept of it.
            periods: Spans.
            now: Microseconds since 1970.

        Raises:
            RetrainerError: If the URI names no table.
        """
        self._table = parse_table(settings.uri)
        self._columns, self._periods = columns, periods
        self._output = settings.output
        self.note = ""
        first = read_moment(settings.since) if settings.since else None
        self._since = now - _DAYS * _DAY if first is None else first
        self._until = now

    def survey(self, known: Mapping[str, Survey]) -> dict[LogFile, Survey]:
        """See `Log`; the times of requests are read, and nothing else."""
        periods = self._periods
        # A span that has begun before counts as a whole.
        since = periods.start(periods.index(self._since))
        counts: dict[int, int] = defaultdict(int)
        sums: dict[int, int] = defaultdict(int)
        newest: dict[int, int] = defaultdict(int)
        for batch in self._read([TIME], since, self._until):
            times = batch.column(0).cast(pa.timestamp("us", "UTC")).cast(pa.int64())
            spans = pc.floor(pc.divide(times.cast(pa.float64()), periods.length)).cast(pa.int64())
            grouped = pa.table({"span": spans, "time": times}).group_by("span")
            for one in grouped.aggregate(
                [("time", "count"), ("time", "max"), ("time", "sum")]
            ).to_pylist():
                span = one["span"]
                counts[span] += one["time_count"]
                sums[span] = (sums[span] + one["time_sum"]) & _MASK
                newest[span] = max(newest[span], one["time_max"])
        found = {}
        for span in sorted(counts):
            name = periods.name(span)
            digest = f"{counts[span]}:{newest[span]}:{sums[span]:x}"
            piece = LogFile(f"{self._table.uri}#{name}", name, counts[span], None, digest)
            found[piece] = Survey(digest, {span: (counts[span], digest)})
        return found

    def read(self, file: LogFile) -> Iterator[Logged]:
        """See `Log`."""
        start = self._periods.start(self._periods.parse(file.name))
        number = 0
        for batch in self._read(_COLUMNS, start, start + self._periods.length):
            for record in batch.to_pylist():
                number += 1
                yield self._request(record, number)

    def finish(self) -> Iterator[Logged]:
        """See `Log`; each row is whole."""
        yield from ()

    def _read(self, columns: Sequence[str], start: int, end: int) -> Iterator[pa.RecordBatch]:
        table, what = self._table, f"the log '{self._table}'"
        with explained(what, table.project, _FIX), open_reader() as client:
            described = look_at(open_tables(table.project), table)
            check_readable(table, described.table_type)
            kinds = {one.name: one.field_type for one in described.schema}
            if missing := [name for name in columns if name not in kinds]:
                raise RetrainerError(
                    f"'{table.uri}' has no column '{missing[0]}', which Vertex AI's request-response logging writes. "
                    f"{_FIX}"
                )
            restriction = " AND ".join(
                f"`{TIME}` {sign} {literal(kinds[TIME], to_datetime(moment).replace(tzinfo=None))}"
                for sign, moment in ((">=", start), ("<", end))
            )
            session = make_session(
                client, table, billing_project(table.project), columns, restriction, _TASK
            )
            for batch in read_session(client, session):
                # In the order that was asked for, whatever the table's is.
                yield pa.RecordBatch.from_arrays(
                    [batch.column(batch.schema.get_field_index(name)) for name in columns],
                    names=list(columns),
                )

    def _request(self, record: Mapping[str, Any], number: int) -> Logged:
        time = read_moment(record[TIME])
        asked, said = record["request_payload"] or [], record["response_payload"] or []
        try:
            instances = self._instances(asked)
            predictions = self._predictions(said) if said else None
            if predictions is not None and len(predictions) != len(instances):
                raise PayloadError(OTHER_COUNT, f"{len(predictions)} for {len(instances)}")
        except PayloadError as error:
            if said:
                text = str(asked[0]) if asked else ""
                return Unreadable(error.reason, number, time, text, error.detail)
            instances, predictions = (), None
        return LoggedRequest(
            _id(record["request_id"]),
            time,
            instances,
            predictions,
            None if predictions is not None else UNANSWERED,
            str(record["deployed_model_id"] or ""),
            line=number,
            content=repr((record[TIME], asked)).encode(),
        )

    def _instances(self, payload: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        values = [parse(one) for one in payload]
        if len(values) == 1 and isinstance(values[0], Mapping) and "instances" in values[0]:
            return read_instances(values[0], self._columns.only)
        return read_instances(values, self._columns.only)

    def _predictions(self, payload: Sequence[str]) -> Sequence[Any]:
        values = [parse(one) for one in payload]
        if len(values) == 1 and isinstance(values[0], Mapping) and "predictions" in values[0]:
            return read_predictions(values[0], self._output)
        return values


def _id(value: Any) -> str:
    # A NUMERIC, which Arrow gives with its nine places after the point.
    return "" if value is None else str(value).partition(".")[0]
