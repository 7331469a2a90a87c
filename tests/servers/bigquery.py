"""The part of BigQuery that reads tables, on loopback: its REST API of tables and jobs, and the Storage Read API.

Queries are run by SQLite, which takes backquoted names and `@parameters` as BigQuery does.

Its rules, by reading; nothing was seen on the live service. Tables, lists, jobs and their ids:
cloud.google.com/bigquery/docs/reference/rest/v2 (tables, jobs). Reasons of errors: cloud.google.com/bigquery/docs/
error-messages. Ids of partitions: cloud.google.com/bigquery/docs/partitioned-tables, and
/information-schema-partitions. Sessions, streams and offsets: googleapis/googleapis,
google/cloud/bigquery/storage/v1/storage.proto, whose messages are Google's own here.
"""

import json
import re
import sqlite3
import threading
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from aiohttp import web
from google.cloud.bigquery_storage_v1 import types
from servers.bigquery_tables import CONDITION, Table, describe_column, read_value
from servers.local_http import LocalServer

PROJECT, DATASET = "acme-ml", "air"
ROOT = "/bigquery/v2/projects/{project}"
READ_SERVICE = "google.cloud.bigquery.storage.v1.BigQueryRead"


@dataclass
class _Session:
    streams: dict[str, pa.Table]
    compression: str | None


class _RefusalError(Exception):
    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message

    def response(self) -> web.Response:
        one = {"reason": self.reason, "message": self.message, "domain": "global"}
        error = {"code": self.status, "message": self.message, "errors": [one]}
        return web.json_response({"error": error}, status=self.status)


class BigQueryServer(LocalServer):
    """Keeps tables of one dataset.

    Attributes:
        tables: Tables by name, with project and dataset.
        jobs: Jobs by id, as the API lists them.
        denied: Tables and datasets that the caller may not see.
        sessions: What sessions were asked for.
        reads: Stream and offset of each call that read rows.
        rows_per_response: As many rows has a response.
        max_streams: As many streams has a session at most.
        polls: How often a new job is asked for before it is done.
        page_size: As many tables has a page of a list at most.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, Table] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.denied: set[str] = set()
        self.sessions: list[Any] = []
        self.reads: list[tuple[str, int]] = []
        self.rows_per_response = 1_000
        self.max_streams = 8
        self.polls = 0
        self.page_size = 1_000
        self._sessions: dict[str, _Session] = {}
        self._breaks: deque[tuple[int, grpc.StatusCode | None, str]] = deque()

    def __enter__(self) -> "BigQueryServer":
        self._grpc = grpc.server(ThreadPoolExecutor(16))
        request, session = types.CreateReadSessionRequest, types.ReadSession
        rows, response = types.ReadRowsRequest, types.ReadRowsResponse
        handlers = {
            "CreateReadSession": grpc.unary_unary_rpc_method_handler(
                self._create_session, request.deserialize, session.serialize
            ),
            "ReadRows": grpc.unary_stream_rpc_method_handler(
                self._read_rows, rows.deserialize, response.serialize
            ),
        }
        self._grpc.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(READ_SERVICE, handlers),)
        )
        self.storage_port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._grpc.stop(None).wait()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead the clients here."""
        return {
            "BIGQUERY_EMULATOR_HOST": self.url,
            "BIGQUERY_STORAGE_EMULATOR_HOST": f"127.0.0.1:{self.storage_port}",
        }

    def add(self, name: str, rows: pa.Table, **about: Any) -> Table:
        """Put a table into the dataset, or another in its place."""
        table = Table(rows, **about)
        self.tables[f"{PROJECT}.{DATASET}.{name}"] = table
        return table

    def break_streams(
        self,
        rows: int,
        code: grpc.StatusCode | None,
        times: int = 1,
        message: str = "breaks on demand",
    ) -> None:
        """Let the next calls that read rows fail after so many rows each; without a code, they fall silent."""
        self._breaks.extend([(rows, code, message)] * times)

    def routes(self) -> list[web.RouteDef]:
        tables = f"{ROOT}/datasets/{{dataset}}/tables"
        return [
            web.get(tables, self._guarded(self._list)),
            web.get(f"{tables}/{{table}}", self._guarded(self._get)),
            web.post(f"{ROOT}/jobs", self._guarded(self._insert)),
            web.get(f"{ROOT}/jobs/{{job}}", self._guarded(self._get_job)),
            web.get(f"{ROOT}/queries/{{job}}", self._guarded(self._results)),
        ]

    def _guarded(self, act: Any) -> Any:
        async def handle(request: web.Request) -> web.Response:
            body = await request.read()
            try:
                return web.json_response(act(request, json.loads(body) if body else {}))
            except _RefusalError as error:
                return error.response()

        return handle

    def _check(self, project: str, dataset: str, table: str = "") -> str:
        name = f"{project}.{dataset}" + f".{table}" * bool(table)
        if name in self.denied or f"{project}.{dataset}" in self.denied:
            raise _RefusalError(
                403, "accessDenied", f"Access Denied: {name}: Permission bigquery.tables.get denied"
            )
        if not any(known.startswith(f"{project}.{dataset}.") for known in self.tables):
            raise _RefusalError(404, "notFound", f"Not found: Dataset {project}:{dataset}")
        if table and name not in self.tables:
            raise _RefusalError(404, "notFound", f"Not found: Table {name}")
        return name

    def _list(self, request: web.Request, body: Any) -> dict[str, Any]:
        place = request.match_info
        self._check(place["project"], place["dataset"])
        names = sorted(
            name
            for name in self.tables
            if name.startswith(f"{place['project']}.{place['dataset']}.")
        )
        first = int(request.query.get("pageToken") or 0)
        size = min(int(request.query.get("maxResults") or 50), self.page_size)
        page: dict[str, Any] = {
            "tables": [
                {"tableReference": _reference(name), "type": self.tables[name].kind}
                for name in names[first : first + size]
            ]
        }
        if first + size < len(names):
            page["nextPageToken"] = str(first + size)
        return page

    def _get(self, request: web.Request, body: Any) -> dict[str, Any]:
        place = request.match_info
        name = self._check(place["project"], place["dataset"], place["table"])
        table = self.tables[name]
        about: dict[str, Any] = {
            "tableReference": _reference(name),
            "type": table.kind,
            "location": "EU",
            "schema": {"fields": [describe_column(one) for one in table.rows.schema]},
            "lastModifiedTime": str(int(table.modified.timestamp() * 1000)),
        }
        if table.kind in ("TABLE", "SNAPSHOT"):
            about["numRows"] = str(len(table.rows) - table.streaming)
            about["numBytes"] = str(table.rows.nbytes)
        if table.streaming:
            about["streamingBuffer"] = {"estimatedRows": str(table.streaming)}
        if table.period:
            about["timePartitioning"] = {"type": table.period, **_given(field=table.column)}
        if table.interval:
            span = {"start": "0", "end": "100000", "interval": str(table.interval)}
            about["rangePartitioning"] = {"field": table.column, "range": span}
        return about

    def _insert(self, request: web.Request, body: Any) -> dict[str, Any]:
        project, reference = request.match_info["project"], body["jobReference"]
        job_id = reference["jobId"]
        if not re.fullmatch(r"[\w-]{1,1024}", job_id):
            raise _RefusalError(400, "invalid", f"Invalid job ID {job_id}")
        if job_id in self.jobs:
            raise _RefusalError(409, "duplicate", f"Already Exists: Job {project}:{job_id}")
        config = body["configuration"]["query"]
        if reference.get("location") != "EU":
            raise _RefusalError(404, "notFound", "Not found: Dataset was not found in location US")
        names = [name for name in re.findall(r"`([^`]+)`", config["query"]) if name.count(".") > 1]
        for name in names:
            if not name.endswith("INFORMATION_SCHEMA.PARTITIONS"):
                self._check(*name.rsplit(".", 2))
        scanned = sum(self.tables[name].rows.nbytes for name in names if name in self.tables)
        job: dict[str, Any] = {
            "jobReference": {**reference, "projectId": project},
            "configuration": body["configuration"],
            "status": {"state": "RUNNING"},
            "statistics": {
                "creationTime": str(int(datetime.now(UTC).timestamp() * 1000)),
                "query": {"totalBytesProcessed": str(scanned), "statementType": "SELECT"},
            },
            "polls": self.polls,
        }
        self.jobs[job_id] = job
        limit = int(config.get("maximumBytesBilled") or 0)
        if limit and scanned > limit:
            message = (
                f"Query exceeded limit for bytes billed: {limit}. {scanned} or higher required."
            )
            error = {"reason": "bytesBilledLimitExceeded", "message": message}
            job["status"] = {"state": "DONE", "errorResult": error, "errors": [error]}
            return job
        try:
            result = self._run(config, names)
        except (sqlite3.Error, pd.errors.DatabaseError) as error:
            del self.jobs[job_id]
            raise _RefusalError(400, "invalidQuery", f"Syntax error: {error}") from error
        if result is not None:
            name = f"{project}._results.anon{uuid.uuid4().hex}"
            self.tables[name] = Table(result)
            config["destinationTable"] = _reference(name)
        if not self.polls:
            job["status"] = {"state": "DONE"}
        return job

    def _run(self, config: Mapping[str, Any], names: list[str]) -> pa.Table | None:
        with sqlite3.connect(":memory:") as database:
            database.create_function("UNIX_MICROS", 1, lambda value: value)
            for name in names:
                frame = (
                    self._partitions(name.removesuffix(".INFORMATION_SCHEMA.PARTITIONS"))
                    if name not in self.tables
                    else self.tables[name].rows.to_pandas()
                )
                frame.to_sql(name, database, index=False)
            given = {
                one["name"]: one["parameterValue"]["value"]
                for one in config.get("queryParameters", [])
            }
            cursor = database.execute(config["query"], given)
            if cursor.description is None:
                return None
            columns = [one[0] for one in cursor.description]
            rows = cursor.fetchall()
            return pa.table({name: [row[i] for row in rows] for i, name in enumerate(columns)})

    def _partitions(self, dataset: str) -> pd.DataFrame:
        rows = []
        for name, table in self.tables.items():
            if not name.startswith(f"{dataset}."):
                continue
            modified = int(table.modified.timestamp() * 1e6)
            own = name.rpartition(".")[2]
            if not (table.period or table.interval):
                rows.append((own, None, len(table.rows), table.rows.nbytes, modified))
                continue
            ids = pa.array(table.partition_ids())
            for one in pc.value_counts(ids).to_pylist():
                size = table.rows.nbytes * one["counts"] // len(table.rows)
                rows.append((own, one["values"], one["counts"], size, modified))
        columns = ["table_name", "partition_id", "total_rows", "total_logical_bytes"]
        return pd.DataFrame(rows, columns=[*columns, "last_modified_time"])

    def _job(self, request: web.Request) -> dict[str, Any]:
        job = self.jobs.get(request.match_info["job"])
        if job is None or request.query.get("location", "EU") != "EU":
            raise _RefusalError(404, "notFound", f"Not found: Job {request.match_info['job']}")
        return job

    def _get_job(self, request: web.Request, body: Any) -> dict[str, Any]:
        return self._job(request)

    def _results(self, request: web.Request, body: Any) -> dict[str, Any]:
        job = self._job(request)
        if job["status"]["state"] != "DONE":
            job["polls"] -= 1
            if job["polls"] < 0:
                job["status"] = {"state": "DONE"}
            else:
                return {"jobComplete": False, "jobReference": job["jobReference"]}
        destination = job["configuration"]["query"].get("destinationTable")
        answer = {"jobComplete": True, "jobReference": job["jobReference"]}
        if destination is None:
            return answer
        rows = self.tables[".".join(destination.values())].rows
        answer |= {
            "totalRows": str(len(rows)),
            "schema": {"fields": [describe_column(one) for one in rows.schema]},
        }
        size = int(request.query.get("maxResults", 100_000))
        if size:
            answer["rows"] = [
                {"f": [{"v": None if value is None else str(value)} for value in row.values()]}
                for row in rows.slice(0, size).to_pylist()
            ]
        return answer

    def _create_session(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.sessions.append(request)
        asked = request.read_session
        parts = asked.table.split("/")
        name = ".".join(parts[1::2])
        if name in self.denied:
            context.abort(
                grpc.StatusCode.PERMISSION_DENIED,
                f"request failed: the user does not have 'bigquery.readsessions.create' on {request.parent}",
            )
        if name not in self.tables:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Not found: Table {name}")
        table = self.tables[name]
        if table.kind not in ("TABLE", "SNAPSHOT"):
            message = "non-table entities cannot be read with the storage API"
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, message)
        options = asked.read_options
        rows = self._restrict(table, options.row_restriction, context)
        unknown = set(options.selected_fields) - set(rows.column_names)
        if unknown:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"The following fields are unknown: {unknown}"
            )
        if options.selected_fields:
            chosen = [one for one in rows.column_names if one in options.selected_fields]
            rows = rows.select(chosen)
        session_name = f"{request.parent}/locations/eu/sessions/{uuid.uuid4().hex}"
        number = min(request.max_stream_count or self.max_streams, self.max_streams, len(rows))
        # Rows go to the streams in pieces, and not in the order that they were written in.
        turns = np.arange(len(rows)) // 500 % max(number, 1)
        streams = {}
        for index in range(number):
            part = rows.filter(pa.array(turns == index)) if number > 1 else rows
            streams[f"{session_name}/streams/{index}"] = part
        codec = options.arrow_serialization_options.buffer_compression
        compression = {0: None, 1: "lz4", 2: "zstd"}[int(codec)]
        self._sessions[session_name] = _Session(streams, compression)
        return types.ReadSession(
            name=session_name,
            table=asked.table,
            data_format=asked.data_format,
            arrow_schema={"serialized_schema": rows.schema.serialize().to_pybytes()},
            streams=[types.ReadStream(name=one) for one in streams],
            estimated_row_count=len(rows),
            estimated_total_bytes_scanned=rows.nbytes,
        )

    def _restrict(self, table: Table, text: str, context: grpc.ServicerContext) -> pa.Table:
        if not text:
            return table.rows
        mask = pa.array([True] * len(table.rows))
        for condition in text.split(" AND "):
            match = CONDITION.fullmatch(condition)
            if match is None:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Row filter is invalid: {text}")
            assert match is not None
            if match["column"] == "_PARTITIONTIME":
                column = pa.chunked_array([table.ingested])
            else:
                column = table.rows[match["column"]]
            kind = describe_column(pa.field("x", column.type))["type"]
            if match["kind"] and match["kind"] != kind:
                context.abort(
                    grpc.StatusCode.INVALID_ARGUMENT, f"No matching signature: {kind} {condition}"
                )
            value = read_value(match)
            compare = pc.greater_equal if match["sign"] == ">=" else pc.less
            mask = pc.and_(mask, compare(column, pa.scalar(value, column.type)))
        return table.rows.filter(pc.fill_null(mask, False))

    def _read_rows(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        self.reads.append((request.read_stream, request.offset))
        session = self._sessions[request.read_stream.partition("/streams/")[0]]
        rows = session.streams[request.read_stream].slice(request.offset)
        broken = self._breaks.popleft() if self._breaks else None
        options = pa.ipc.IpcWriteOptions(compression=session.compression)
        sent = 0
        for batch in rows.combine_chunks().to_batches(max_chunksize=self.rows_per_response):
            if broken and sent + len(batch) > broken[0]:
                break
            sent += len(batch)
            data = _serialize(batch, options)
            yield types.ReadRowsResponse(
                row_count=len(batch), arrow_record_batch={"serialized_record_batch": data}
            )
        if broken is None:
            return
        _, code, message = broken
        if code is not None:
            context.abort(code, message)
        ended = threading.Event()
        context.add_callback(ended.set)
        ended.wait(60)


def _serialize(batch: pa.RecordBatch, options: Any) -> bytes:
    """Write a batch without its schema, as the service sends it."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    reader = pa.ipc.MessageReader.open_stream(sink.getvalue())
    reader.read_next_message()
    return reader.read_next_message().serialize().to_pybytes()


def _reference(name: str) -> dict[str, str]:
    return dict(zip(("projectId", "datasetId", "tableId"), name.rsplit(".", 2), strict=True))


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}
