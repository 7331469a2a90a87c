"""Reads what `retrainer serve-log` writes: a line for each request, with both bodies as text."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..logged import OTHER_COUNT, Logged, LoggedRequest, Unreadable
from ..moments import read_moment
from ..opened_log import OpenedLog
from ..payloads import PayloadError, read_body, read_error, read_instances, read_predictions
from .json_records import ENDINGS, read_objects
from .reader import ReadContext

_OK_BELOW = 400
_KEYS = frozenset(("status", "request", "request_base64"))
_TEXT_KEPT = 300
_TIME = re.compile(rb'"time"\s*:\s*"([^"]*)"')


def open_reader(context: ReadContext) -> "ServeLogReader":
    """Make a reader; see `Reader`."""
    return ServeLogReader(context)


class ServeLogReader:
    """Reads the lines of `retrainer serve-log`."""

    endings = ENDINGS
    whole = pairs = False

    def __init__(self, context: ReadContext) -> None:
        """Take what it must know."""
        self._context = context

    def read_moments(self, log: OpenedLog) -> Iterator[tuple[int | None, bytes]]:
        """See `Reader`."""
        for _, line in log.lines():
            yield _find_time(line), line

    def read(self, log: OpenedLog) -> Iterator[Logged]:
        """See `Reader`."""
        for number, line, found in read_objects(log):
            if isinstance(found, Unreadable):
                found.time = _find_time(line)
                yield found
            else:
                yield self._request(found, number, line)

    def finish(self) -> Iterator[Logged]:
        """See `Reader`; each line is whole."""
        yield from ()

    def _request(self, record: Mapping[str, Any], number: int, line: bytes) -> Logged:
        time = _find_time(line)
        if _KEYS.isdisjoint(record):
            text = line[:_TEXT_KEPT].decode(errors="replace")
            return Unreadable("it is no line of serve-log", number, time, text)
        status = record.get("status")
        failed = bool(record.get("error")) or not isinstance(status, int) or status >= _OK_BELOW
        answer: Any = None
        try:
            try:
                instances = read_instances(read_body(record, "request"), self._context.only)
                answer = read_body(record, "response") if not failed else None
            except PayloadError:
                if not failed:
                    raise
                # It failed, whatever it was, and counts.
                instances = ()
            predictions = None if failed else read_predictions(answer, self._context.output)
            if predictions is not None and len(predictions) != len(instances):
                detail = f"{len(predictions)} for {len(instances)}"
                raise PayloadError(OTHER_COUNT, detail)
        except PayloadError as error:
            text = str(record.get("request") or "")[:_TEXT_KEPT]
            return Unreadable(error.reason, number, time, text, error.detail)
        version = record.get("model_version")
        if version is None and isinstance(answer, Mapping):
            # Protocol V2 names it in the answer.
            version = answer.get("model_version")
        return LoggedRequest(
            str(record.get("request_id") or record.get("id") or ""),
            time,
            instances,
            predictions,
            _why(record, status) if failed else None,
            "" if version is None else str(version),
            str(record.get("variant") or ""),
            _share(record.get("sample_rate")),
            _number(record.get("latency_ms")),
            line=number,
            content=line,
        )


def _find_time(line: bytes) -> int | None:
    # Without parsing the whole line. Within a body, which is text, quotes have a backslash.
    found = _TIME.search(line)
    return read_moment(found[1].decode(errors="replace")) if found else None


def _why(record: Mapping[str, Any], status: Any) -> str:
    try:
        said = read_error(read_body(record, "response"))
    except PayloadError:
        said = ""
    said = said or str(record.get("error") or "")
    code = f"status {status}" if status is not None else "no status"
    return f"{code}: {said}" if said else code


def _share(value: Any) -> float:
    rate = _number(value)
    return rate if rate is not None and 0 < rate <= 1 else 1.0


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value == value else None
