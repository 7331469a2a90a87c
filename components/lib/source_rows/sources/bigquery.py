"""A table of BigQuery, a partition of one, or what a query makes of it, read through the Storage Read API as Arrow."""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from ...bigquery.bigquery_client import (
    REQUEST_SECONDS,
    RETRY_SECONDS,
    billing_project,
    explained,
    open_reader,
    open_tables,
)
from ...bigquery.bigquery_sessions import literal, make_session, read_session
from ...bigquery.bigquery_tables import TableName, check_readable, look_at, parse_table
from ...digests import digest_value
from ...errors import RetrainerError
from ...source_files import SourceFile
from .base import Block, NoRowsError, SourceOptions

# BigQuery keeps a session for 6 hours and a query's result for 24; neither is started shortly before its end.
_SESSION_SECONDS = 5 * 3600.0
_RESULT_AGE = timedelta(hours=6)
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
            first = 1
            for batch in read_session(client, session):
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
        tables = open_tables(self._table.project)
        table = look_at(tables, self._table)
        restriction = ""
        if self._sql:
            table = tables.get_table(self._run_query(tables, table.location))
        else:
            check_readable(self._table, table.table_type)
            restriction = _restriction(table, self._table) if self._table.partition else ""
        name = TableName(table.project, table.dataset_id, table.table_id)
        return make_session(
            client,
            name,
            billing_project(self._table.project),
            self._selected(table.schema),
            restriction,
            "ingest_spans",
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
    limits = [f"{column} >= {literal(kind, begin)}"]
    if end is not None:
        limits.append(f"{column} < {literal(kind, end)}")
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


def _no_partition(name: TableName) -> RetrainerError:
    return RetrainerError(
        f"'{name.uri}' names no partition as BigQuery does: a year, month, day or hour (20130131) or a number, by what "
        "the table is partitioned by (data.pattern)."
    )
