"""Tables of BigQuery as spans: `bq://project.dataset.events_20130101`, or a partition, `...events$20130101`."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..errors import RetrainerError
from ..source_files import SourceFile
from .bigquery_client import REQUEST_SECONDS, RETRY_SECONDS, explained, open_tables

SCHEME = "bq://"
# As many as the HTTP client keeps connections for, with some to spare.
_LOOKS_AT_ONCE = 8
_TABLES_PER_PAGE = 1_000
# Kinds that keep rows of their own, which the Storage Read API reads.
_READABLE = ("TABLE", "SNAPSHOT")
# Partitions of rows without a value, with one out of range, and of those that still are in the streaming buffer.
_NO_SPANS = ("__NULL__", "__UNPARTITIONED__")
_PLACEHOLDER = re.compile(r"\{span(?::[^}]+)?\}")
# What stands before `{span}`. From the right: a project of a domain has dots itself, `example.com:project`.
_BEFORE_SPAN = re.compile(r"bq://([^$]+)\.([^.$]+)\.([^.$]*)(\$[^.$]*)?")
_EXAMPLES = "as in 'bq://acme-ml.shop.orders_{span:%Y%m%d}' or 'bq://acme-ml.shop.orders${span:%Y%m%d}' (data.pattern)"
# The columns: https://cloud.google.com/bigquery/docs/information-schema-partitions
_PARTITIONS = """
SELECT partition_id, SUM(total_rows) AS row_count, SUM(total_logical_bytes) AS byte_count,
  MAX(UNIX_MICROS(last_modified_time)) AS modified
FROM `{project}.{dataset}.INFORMATION_SCHEMA.PARTITIONS`
WHERE table_name = @table AND partition_id IS NOT NULL
GROUP BY partition_id
"""


@dataclass(frozen=True)
class TableName:
    """A table, or a partition of one.

    Attributes:
        project: The project that it lies in.
        dataset: Its dataset.
        table: Its own name.
        partition: Name of the partition, as BigQuery's decorator has it; empty for the whole table.
    """

    project: str
    dataset: str
    table: str
    partition: str = ""

    @property
    def uri(self) -> str:
        """The name as a URI."""
        decorator = f"${self.partition}" if self.partition else ""
        return f"{SCHEME}{self}{decorator}"

    @property
    def resource(self) -> str:
        """The table's name in the Storage Read API."""
        return f"projects/{self.project}/datasets/{self.dataset}/tables/{self.table}"

    def __str__(self) -> str:
        return f"{self.project}.{self.dataset}.{self.table}"


def is_bigquery(uri: str) -> bool:
    """Check whether a URI or pattern names tables of BigQuery."""
    return uri.startswith(SCHEME)


def parse_table(uri: str) -> TableName:
    """Read a table's name.

    Args:
        uri: `bq://project.dataset.table` or `bq://project.dataset.table$partition`.

    Raises:
        RetrainerError: If it names no table.
    """
    name, _, partition = uri.removeprefix(SCHEME).partition("$")
    parts = name.rsplit(".", 2)
    if len(parts) != 3 or not all(parts):
        raise RetrainerError(
            f"'{uri}' names no table of BigQuery; it needs a project, a dataset and a table, {_EXAMPLES}."
        )
    project, dataset, table = parts
    return TableName(project, dataset, table, partition)


def find_tables(pattern: str, match: Callable[[str], str | None]) -> list[tuple[str, SourceFile]]:
    """Find the tables or partitions behind a pattern.

    Args:
        pattern: `bq://project.dataset.events_{span:%Y%m%d}` for one table a span, or
            `bq://project.dataset.events${span:%Y%m%d}` for the partitions of a table.
        match: Gives the span that a table belongs to by its URI, None if the pattern is not met.

    Returns:
        Those that match, by name, each with its span. The partitions `__NULL__` and `__UNPARTITIONED__` are none: their
        rows have no time, or none yet.

    Raises:
        RetrainerError: If the pattern names no table; if the project, dataset or table is not there, or may not be
            seen; if there are no credentials; if what matches is a view or an external table, which does not say when
            its rows change.
    """
    before, after = _PLACEHOLDER.split(pattern, maxsplit=1)
    parts = _BEFORE_SPAN.fullmatch(before)
    if parts is None or "." in after or "$" in after or (parts[4] and not parts[3]):
        raise RetrainerError(
            f"in the pattern '{pattern}', '{{span}}' must be in the name of a table or of a partition, {_EXAMPLES}."
        )
    project, dataset, table, decorator = parts.groups()
    if set("*?") & set("".join([project, dataset, table if decorator else ""])):
        raise RetrainerError(
            f"in the pattern '{pattern}', '*' and '?' may stand in the name of a table, and not in that of a project, "
            "a dataset or a partitioned table (data.pattern)."
        )
    if decorator is None:
        found = _tables(project, dataset, lambda name: match(name.uri) is not None)
    else:
        found = _partitions(TableName(project, dataset, table))
    return [(span, one) for one in found if (span := match(one.uri)) is not None]


def read_table_fingerprints(uris: Sequence[str]) -> dict[str, str]:
    """Look at tables and partitions as they are now.

    Args:
        uris: Their names.

    Returns:
        Fingerprint by URI; those that are gone are left out.

    Raises:
        RetrainerError: If they may not be seen, or there are no credentials.
    """
    if not uris:
        # The client's library takes a tenth of a second to import, which spans of files can do without.
        return {}
    from google.api_core.exceptions import NotFound

    found: dict[str, str] = {}
    partitions: dict[TableName, set[str]] = defaultdict(set)
    for uri in uris:
        name = parse_table(uri)
        if name.partition:
            partitions[TableName(name.project, name.dataset, name.table)].add(uri)
            continue
        with explained(f"the table '{name}'", name.project):
            try:
                found[uri] = _describe(look_at(open_tables(name.project), name)).fingerprint
            except NotFound:
                continue
    for table, wanted in partitions.items():
        found |= {
            partition.uri: partition.fingerprint
            for partition in _partitions(table)
            if partition.uri in wanted
        }
    return found


def look_at(client: Any, name: TableName) -> Any:
    """Ask what a table is; of a partition, its table.

    Args:
        client: From `open_tables`.
        name: The table.

    Returns:
        A `google.cloud.bigquery.Table`.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: If it is not there or may not be seen.
    """
    return client.get_table(table_reference(name), retry=_retry(), timeout=REQUEST_SECONDS)


def table_reference(name: TableName) -> Any:
    """Return a table's name as Google's client takes it: text would be split at the dots of a domain's project."""
    from google.cloud.bigquery import DatasetReference, TableReference

    return TableReference(DatasetReference(name.project, name.dataset), name.table)


def _tables(project: str, dataset: str, wanted: Callable[[TableName], bool]) -> list[SourceFile]:
    from google.api_core.exceptions import NotFound
    from google.cloud.bigquery import DatasetReference

    def look(name: TableName) -> SourceFile | None:
        try:
            return _describe(look_at(client, name))
        except NotFound:  # dropped since it was listed
            return None

    with explained(f"the dataset '{project}.{dataset}'", project):
        client = open_tables(project)
        listed = client.list_tables(
            DatasetReference(project, dataset),
            page_size=_TABLES_PER_PAGE,
            retry=_retry(),
            timeout=REQUEST_SECONDS,
        )
        names = []
        for one in listed:
            name = TableName(project, dataset, one.table_id)
            if wanted(name):
                check_readable(name, one.table_type)
                names.append(name)
        with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
            found = [one for one in pool.map(look, names) if one is not None]
        return sorted(found, key=_by_uri)


def check_readable(name: TableName, kind: str) -> None:
    """Check that a table has rows of its own.

    Args:
        name: The table.
        kind: What BigQuery calls it, such as `VIEW`.

    Raises:
        RetrainerError: If it is a view or an external table.
    """
    if kind not in _READABLE:
        raise RetrainerError(
            f"'{name}' is a {kind}; only tables and snapshots can be read, since nothing shows when its rows "
            "change. Set data.pattern to the tables that it reads, and data.query to what it does with them."
        )


def _describe(table: Any) -> SourceFile:
    """Describe a table as a source file: bytes as a query over all columns counts them, and a fingerprint.

    The fingerprint has the number of rows and the time of the last change, which also changes with its description.
    """
    name = TableName(table.project, table.dataset_id, table.table_id)
    # Rows that were just streamed in are read, and are not among the table's rows yet.
    streaming = table.streaming_buffer.estimated_rows if table.streaming_buffer else 0
    changed = table.modified.isoformat() if table.modified else ""
    return SourceFile(
        name.uri, table.num_bytes or 0, f"{table.num_rows or 0}+{streaming or 0}:{changed}"
    )


def _partitions(name: TableName) -> list[SourceFile]:
    from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter

    with explained(f"the partitions of the table '{name}'", name.project):
        client = open_tables(name.project)
        table = look_at(client, name)
        check_readable(name, table.table_type)
        if table.partitioning_type is None and table.range_partitioning is None:
            raise RetrainerError(
                f"the table '{name}' has no partitions. Partition it by the spans' time, or keep a table for each "
                f"span and name them as '{SCHEME}{name}_{{span}}' (data.pattern)."
            )
        job = client.query(
            _PARTITIONS.format(project=name.project, dataset=name.dataset),
            job_config=QueryJobConfig(
                query_parameters=[ScalarQueryParameter("table", "STRING", name.table)]
            ),
            location=table.location,
            retry=_retry(),
            timeout=REQUEST_SECONDS,
        )
        found = [
            SourceFile(
                TableName(name.project, name.dataset, name.table, row["partition_id"]).uri,
                row["byte_count"] or 0,
                f"{row['row_count']}:{row['modified']}",
            )
            for row in job.result(retry=_retry())
            if row["partition_id"] not in _NO_SPANS
        ]
        return sorted(found, key=_by_uri)


def _by_uri(file: SourceFile) -> str:
    return file.uri


def _retry() -> Any:
    from google.cloud.bigquery import DEFAULT_RETRY

    return DEFAULT_RETRY.with_timeout(RETRY_SECONDS)
