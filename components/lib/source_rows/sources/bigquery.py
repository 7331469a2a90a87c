"""A table of BigQuery, a partition of one, or what a query makes of it, read through the Storage Read API as Arrow."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import chain, count
from typing import Any

import pyarrow as pa

from ...bigquery_client import (
    REQUEST_SECONDS,
    RETRY_SECONDS,
    billing_project,
    explained,
    open_reader,
    open_tables,
)
from ...bigquery_tables import TableName, check_readable, look_at, parse_table
from ...digests import digest_value
from ...errors import RetrainerError
from ...source_files import SourceFile
from ...threads import read_ahead
from .base import BLOCK_BYTES, BLOCK_ROWS, Block, NoRowsError, SourceOptions

# BigQuery keeps a session for 6 hours and a query's result for 24; neither is started shortly before its end.
_SESSION_SECONDS = 5 * 3600.0
_RESULT_AGE = timedelta(hours=6)
# So long a call may last; what is left of the stream is then asked for in another.
CALL_SECONDS = 600.0
_PARTITION_FORMATS = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H"}


class BigQuerySource:
    """A table or partition, or a query over it.

    All rows are of one moment, that of the first call of `blocks`, whatever is written meanwhile. They come in one
    stream, so a query with ORDER BY is read as it orders. A table has no order of its own: it comes as it is stored,
    which BigQuery may change, so of rows with the same key the later one is only certain with such a query.
    """

    narrow = False
    has_header = True

    def __init__(self, file: SourceFile, span: str, options: SourceOptions) -> None:
        """Take a table; nothing is asked yet.

        Args:
            file: The table or partition.
            span: Name of the span that it belongs to.
            options: `exclude`, `only`, `query` and `max_bytes_billed` count here.

        Raises:
            RetrainerError: If the query is the same for every span.
        """
        self._table, self._file, self._span = parse_table(file.uri), file, span
        self._exclude, self._max_bytes = frozenset(options.exclude), options.max_bytes_billed
        self._only = frozenset(options.only)
        self._sql = fill_query(options.query, self._table, span) if options.query else ""
        self._session: Any = None
        self._opened = 0.0
        self._excluded: list[str] = []

    def blocks(self) -> Iterator[Block]:
        """Read the rows; see Source.

        Raises:
            NoRowsError: If it has no rows for the span.
            RetrainerError: If the table is gone, or has no rows of its own; if it may not be read; if the query is
                refused or fails; if BigQuery does not answer for minutes.
        """
        what = f"the rows of '{self._file.uri}'"
        fix = "Fix data.query." if self._sql else "Check data.pattern."
        with explained(what, self._table.project, fix), open_reader() as client:
            session = self._open_session(client)
            schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
            first = 1
            for batch in _read_session(client, session, schema):
                yield Block(batch, first, (), self._excluded)
                first += batch.num_rows
            if first == 1:
                raise NoRowsError(
                    f"'{self._file.uri}' has no rows for span {self._span}. Upload the span again, or choose "
                    f"another. {fix}"
                )

    def _open_session(self, client: Any) -> Any:
        # A session stands for one moment, and its streams can be read again.
        if self._session is None or time.monotonic() - self._opened > _SESSION_SECONDS:
            self._session = self._make_session(client)
            self._opened = time.monotonic()
        return self._session

    def _make_session(self, client: Any) -> Any:
        from google.cloud.bigquery_storage_v1 import types

        tables = open_tables(self._table.project)
        table = look_at(tables, self._table)
        restriction = ""
        if self._sql:
            table = tables.get_table(self._run_query(tables, table.location))
        else:
            check_readable(self._table, table.table_type)
            restriction = _restriction(table, self._table) if self._table.partition else ""
        options = types.ReadSession.TableReadOptions(
            selected_fields=self._selected(table.schema), row_restriction=restriction
        )
        codecs = types.ArrowSerializationOptions.CompressionCodec
        options.arrow_serialization_options.buffer_compression = codecs.LZ4_FRAME
        name = TableName(table.project, table.dataset_id, table.table_id)
        return client.create_read_session(
            parent=f"projects/{billing_project(self._table.project)}",
            read_session=types.ReadSession(
                table=name.resource,
                data_format=types.DataFormat.ARROW,
                read_options=options,
                trace_id="retrainer:ingest_spans",
            ),
            # The order of rows in several would be made up for each session. Spans are read side by side instead.
            max_stream_count=1,
        )

    def _selected(self, schema: Iterable[Any]) -> list[str]:
        """Name the columns to read; none stands for all."""
        names = [field.name for field in schema]
        kept = [name for name in names if name not in self._exclude]
        if not kept:
            raise RetrainerError(
                f"data.drop leaves no column of '{self._file.uri}', which has: {', '.join(names[:30])}."
            )
        # Rows of no column could not be counted.
        wanted = [name for name in kept if not self._only or name in self._only] or kept[:1]
        self._excluded = [name for name in names if name not in wanted]
        return wanted if len(wanted) < len(names) else []

    def _run_query(self, client: Any, location: str) -> Any:
        """Run the query, and return the table of its result.

        A job's id is made of what it is to do, so that a retry finds the job of the try before, and neither runs nor
        pays twice.
        """
        from google.api_core.exceptions import Conflict
        from google.cloud.bigquery import DEFAULT_RETRY, QueryJobConfig

        config = QueryJobConfig(labels={"retrainer": "ingest_spans"})
        if self._max_bytes:
            config.maximum_bytes_billed = self._max_bytes
        retry = DEFAULT_RETRY.with_timeout(RETRY_SECONDS)
        asked = digest_value(
            [self._sql, self._file.uri, self._file.fingerprint, location, self._max_bytes]
        )
        for number in count():
            job_id = f"retrainer-{asked[:32]}-{number}"
            try:
                job = client.query(
                    self._sql,
                    config,
                    job_id=job_id,
                    job_retry=None,
                    location=location,
                    retry=retry,
                    timeout=REQUEST_SECONDS,
                )
            except Conflict:
                job = client.get_job(
                    job_id, location=location, retry=retry, timeout=REQUEST_SECONDS
                )
                if not _usable(job):
                    continue
            job.result(retry=retry, max_results=0)
            if job.destination is None:
                break
            return job.destination
        raise RetrainerError(
            f"data.query returns no rows for span {self._span}: it must be one SELECT. It is: {self._sql}"
        )


def fill_query(query: str, table: TableName, span: str) -> str:
    """Put a span's table and name into a query; other braces stay as they are.

    Args:
        query: SQL with `{table}`, `{span}` or both in it.
        table: The table; of a partition, the whole table, since SQL can't name a part.
        span: The span's name.

    Returns:
        The SQL.

    Raises:
        RetrainerError: If the query would be the same for every span.
    """
    if "{span}" not in query and (table.partition or "{table}" not in query):
        more = ", since {table} is the whole table with all its partitions" * bool(table.partition)
        raise RetrainerError(
            f"data.query returns the same rows for every span{more}. Select the span's own, as in "
            "SELECT * FROM {table} WHERE DATE(time) = PARSE_DATE('%Y%m%d', '{span}')."
        )
    return query.replace("{table}", f"`{table}`").replace("{span}", span)


def _usable(job: Any) -> bool:
    """Check whether an earlier job is under way, or has a result that is still kept."""
    if job.state != "DONE":
        return True
    return job.error_result is None and datetime.now(UTC) - job.created < _RESULT_AGE


def _restriction(table: Any, name: TableName) -> str:
    """Write the condition that a partition's rows meet; the Storage Read API takes no decorators.

    The partitions' names are those of https://cloud.google.com/bigquery/docs/managing-partitioned-tables.
    """
    ranges = table.range_partitioning
    if ranges is not None:
        try:
            start = int(name.partition)
        except ValueError as error:
            raise _no_partition(name) from error
        return (
            f"`{ranges.field}` >= {start} AND `{ranges.field}` < {start + ranges.range_.interval}"
        )
    if table.time_partitioning is None:
        raise RetrainerError(f"the table '{name}' has no partitions any more (data.pattern).")
    field = table.time_partitioning.field
    if field is None:  # by the time of ingestion, which stands in a pseudo column
        column, kind = "_PARTITIONTIME", "TIMESTAMP"
    else:
        column = f"`{field}`"
        kind = next(one.field_type for one in table.schema if one.name == field)
    begin, end = _period(name)
    limits = [f"{column} >= {_literal(kind, begin)}"]
    if end is not None:
        limits.append(f"{column} < {_literal(kind, end)}")
    return " AND ".join(limits)


def _period(name: TableName) -> tuple[datetime, datetime | None]:
    try:
        begin = datetime.strptime(
            name.partition, _PARTITION_FORMATS.get(len(name.partition), "no format")
        )
    except ValueError as error:
        raise _no_partition(name) from error
    try:
        match len(name.partition):
            case 4:
                return begin, begin.replace(year=begin.year + 1)
            case 6:
                return begin, (begin + timedelta(days=31)).replace(day=1)
            case 8:
                return begin, begin + timedelta(days=1)
        return begin, begin + timedelta(hours=1)
    except (OverflowError, ValueError):
        # The last period that there is, which some write for 'for ever'.
        return begin, None


def _literal(kind: str, moment: datetime) -> str:
    """Write what compares with a partitioning column; partitions are cut in UTC."""
    if kind == "DATE":
        return f'DATE "{moment.date().isoformat()}"'
    zone = "+00" if kind == "TIMESTAMP" else ""
    return f'{kind} "{moment.isoformat(sep=" ")}{zone}"'


def _no_partition(name: TableName) -> RetrainerError:
    return RetrainerError(
        f"'{name.uri}' names no partition as BigQuery does: a year, month, day or hour (20130131) or a number, by what "
        "the table is partitioned by (data.pattern)."
    )


def _read_session(client: Any, session: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Read a session's rows, the next block while the caller uses the last one."""
    rows = _rows_of_a_block(session)
    batches = chain.from_iterable(
        _read_stream(client, stream.name, schema, rows) for stream in session.streams
    )
    # The client is closed first, which ends the call that the thread may still wait for.
    with closing(read_ahead(batches)) as ahead, client:
        # Not `yield from`, which would close the reader before the client.
        for batch in ahead:  # noqa: UP028
            yield batch


def _rows_of_a_block(session: Any) -> int:
    """Choose how many rows a block has, by what BigQuery says of their size."""
    if not session.estimated_row_count or not session.estimated_total_bytes_scanned:
        return BLOCK_ROWS
    row_bytes = session.estimated_total_bytes_scanned / session.estimated_row_count
    return max(1, min(BLOCK_ROWS, int(BLOCK_BYTES / row_bytes)))


def _read_stream(
    client: Any, stream: str, schema: pa.Schema, rows: int
) -> Iterator[pa.RecordBatch]:
    """Cut a stream into so many rows each, whatever its responses have, and wherever it broke and was resumed."""
    waiting, length = [], 0
    for response in _responses(client, stream):
        data = pa.py_buffer(response.arrow_record_batch.serialized_record_batch)
        waiting.append(pa.ipc.read_record_batch(data, schema))
        length += response.row_count
        while length >= rows:
            table = pa.Table.from_batches(waiting)
            yield from table.slice(0, rows).combine_chunks().to_batches()
            waiting, length = table.slice(rows).to_batches(), length - rows
    if length:
        yield from pa.Table.from_batches(waiting).combine_chunks().to_batches()


def _responses(client: Any, stream: str) -> Iterator[Any]:
    """Read a stream to its end, also if it breaks or a connection is lost without a word."""
    from google.api_core.exceptions import DeadlineExceeded, ServiceUnavailable
    from google.api_core.retry import Retry, if_exception_type

    # The library's own would go on for a day.
    retry = Retry(if_exception_type(ServiceUnavailable), timeout=RETRY_SECONDS)
    offset = asked = 0
    while True:
        try:
            # The client itself goes on after the last row, but not after a silence.
            for response in client.read_rows(stream, offset, retry=retry, timeout=CALL_SECONDS):
                offset += response.row_count
                if response.row_count:
                    yield response
            return
        except DeadlineExceeded:
            if offset == asked:
                raise
            asked = offset
