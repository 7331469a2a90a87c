"""Reads the Parquet files of KServe's logger.

A row is a request or an answer (kserve/kserve, pkg/logger/marshaller_record.go): `bytes` in base64, `reqType`, `id`,
`endpoint` and others. It has no time and no version of the model, so the file's time counts for all of its rows.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ..logged import NOT_LOGGED, Logged, Unreadable
from ..moments import WITHOUT_TIME
from ..opened_log import OpenedLog
from ..payloads import PayloadError, decode_base64, parse
from .kserve_events import ANSWER, REQUEST
from .paired_events import Event, PairedEvents
from .parquet_records import read_records
from .reader import ReadContext

_VARIANTS = {"": "", "default": "stable"}
_NAMES = {"bytes", "id", "reqType", "endpoint"}


def open_reader(context: ReadContext) -> "KServeParquetReader":
    """Make a reader; see `Reader`."""
    return KServeParquetReader(context)


class KServeParquetReader:
    """Reads KServe's records."""

    endings = (".parquet",)
    whole = True
    pairs = True

    def __init__(self, context: ReadContext) -> None:
        """Take what it must know."""
        self._pairs = PairedEvents(context)

    def read_moments(self, log: OpenedLog) -> Iterator[tuple[int | None, bytes]]:
        """See `Reader`."""
        for _ in read_records(log, {"id"}):
            yield None, b""

    def read(self, log: OpenedLog) -> Iterator[Logged]:
        """See `Reader`."""
        time = log.file.modified
        for number, record in read_records(log, _NAMES):
            kind = str(record.get("reqType") or "")
            if kind.endswith((REQUEST, "request")):
                yield from self._pairs.add_request(_to_event(record, time, number))
            elif kind.endswith((ANSWER, "response")):
                yield from self._pairs.add_answer(_to_event(record, time, number))
            else:
                detail = f"reqType '{kind}'"
                yield Unreadable("it is neither a request nor an answer", number, time, "", detail)

    def finish(self) -> Iterator[Logged]:
        """See `Reader`."""
        return self._pairs.finish()


def _to_event(record: Mapping[str, Any], time: int | None, number: int) -> Event:
    endpoint = str(record.get("endpoint") or "")
    event = Event(str(record.get("id") or ""), time, number, _VARIANTS.get(endpoint, endpoint))
    event.time_fault = WITHOUT_TIME
    body = record.get("bytes")
    try:
        if body is None:
            raise PayloadError(NOT_LOGGED, "no 'bytes'")
        event.body = parse(decode_base64(body))
    except PayloadError as fault:
        event.fault = fault
    return event
