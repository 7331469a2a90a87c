"""Sessions of BigQuery's Storage Read API: rows of a table, as Arrow."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from itertools import chain
from typing import Any

import pyarrow as pa

from ..threads import read_ahead
from .bigquery_client import RETRY_SECONDS
from .bigquery_tables import TableName

# So long a call may last; what is left of the stream is then asked for in another.
CALL_SECONDS = 600.0
# As blocks of files are.
BLOCK_BYTES, BLOCK_ROWS = 8 << 20, 65_536


def make_session(
    client: Any,
    table: TableName,
    billed: str,
    columns: Sequence[str],
    restriction: str,
    task: str,
) -> Any:
    """Begin to read a table, as it is now.

    Args:
        client: From `open_reader`.
        table: The table.
        billed: The project that pays.
        columns: The columns to read; none for all.
        restriction: Condition that the rows meet; empty for all rows.
        task: The component that reads, by which the session is found in the service's logs.

    Returns:
        The service's message `ReadSession`.
    """
    from google.cloud.bigquery_storage_v1 import types

    options = types.ReadSession.TableReadOptions(
        selected_fields=columns, row_restriction=restriction
    )
    codecs = types.ArrowSerializationOptions.CompressionCodec
    options.arrow_serialization_options.buffer_compression = codecs.LZ4_FRAME
    return client.create_read_session(
        parent=f"projects/{billed}",
        read_session=types.ReadSession(
            table=table.resource,
            data_format=types.DataFormat.ARROW,
            read_options=options,
            trace_id=f"retrainer:{task}",
        ),
        # The order of rows in several would be made up for each session. Spans are read side by side instead.
        max_stream_count=1,
    )


def literal(kind: str, moment: datetime) -> str:
    """Write a moment as a condition on rows has it.

    Args:
        kind: Type of the column that it is compared with: `DATE`, `DATETIME` or `TIMESTAMP`.
        moment: In UTC.
    """
    if kind == "DATE":
        return f'DATE "{moment.date().isoformat()}"'
    zone = "+00" if kind == "TIMESTAMP" else ""
    return f'{kind} "{moment.isoformat(sep=" ")}{zone}"'


def read_session(client: Any, session: Any) -> Iterator[pa.RecordBatch]:
    """Read a session's rows, the next block while the caller uses the last one.

    Args:
        client: From `open_reader`; it is closed at the end.
        session: From `make_session`.

    Yields:
        Blocks of rows.
    """
    schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
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
