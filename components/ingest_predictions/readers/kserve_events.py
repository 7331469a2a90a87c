"""Reads KServe's CloudEvents, one a line in JSON's structured form, as `retrainer monitor sink` writes them.

Events: kserve/kserve, pkg/logger/worker.go (types, extensions, one ID for a request and its answer); CloudEvents 1.0,
JSON format, section 3 (`data`, `data_base64`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ..logged import Logged, Unreadable
from ..moments import CLOCK_DIFFERS, choose_moment, read_moment
from ..opened_log import OpenedLog
from ..payloads import PayloadError, read_body
from .json_records import ENDINGS, read_objects
from .paired_events import Event, PairedEvents
from .reader import ReadContext

REQUEST, ANSWER = ".inference.request", ".inference.response"
_NO_EVENT = "it is no event of a request or an answer"
_VARIANTS = {"": "", "default": "stable"}
_TEXT_KEPT = 300
# By these the sink says when it received an event.
_RECEIVED = ("receivedtime", "sinktime", "recordedtime")


def open_reader(context: ReadContext) -> "KServeEventsReader":
    """Make a reader; see `Reader`."""
    return KServeEventsReader(context)


class KServeEventsReader:
    """Reads events line by line."""

    endings = ENDINGS
    whole = False
    pairs = True

    def __init__(self, context: ReadContext) -> None:
        """Take what it must know."""
        self._tolerance = context.tolerance
        self._pairs = PairedEvents(context)

    def read_moments(self, log: OpenedLog) -> Iterator[tuple[int | None, bytes]]:
        """See `Reader`."""
        for _, line, found in read_objects(log):
            yield None if isinstance(found, Unreadable) else self._moment(found)[0], line

    def read(self, log: OpenedLog) -> Iterator[Logged]:
        """See `Reader`."""
        for number, line, found in read_objects(log):
            if isinstance(found, Unreadable):
                yield found
                continue
            time, fault = self._moment(found)
            # Another file may end the pair, whose own time is another.
            chosen = choose_moment(time, log.file.modified, self._tolerance)
            time, fault = (chosen.time, chosen.fault or fault) if chosen else (None, fault)
            kind = str(found.get("type", ""))
            if kind.endswith(REQUEST):
                yield from self._pairs.add_request(_to_event(found, time, fault, number))
            elif kind.endswith(ANSWER):
                yield from self._pairs.add_answer(_to_event(found, time, fault, number))
            else:
                text = line[:_TEXT_KEPT].decode(errors="replace")
                yield Unreadable(_NO_EVENT, number, time, text, f"type '{kind}'")

    def finish(self) -> Iterator[Logged]:
        """See `Reader`."""
        return self._pairs.finish()

    def _moment(self, event: Mapping[str, Any]) -> tuple[int | None, str]:
        """Return when an event is from, and what is counted if that is when it was received."""
        own = read_moment(event.get("time"))
        received = next((read_moment(event[name]) for name in _RECEIVED if name in event), None)
        if received is None or (own is not None and abs(received - own) <= self._tolerance):
            return own, ""
        return received, CLOCK_DIFFERS


def _to_event(found: Mapping[str, Any], time: int | None, fault: str, number: int) -> Event:
    endpoint = str(found.get("endpoint") or "")
    event = Event(
        str(found.get("id") or ""),
        time,
        number,
        _VARIANTS.get(endpoint, endpoint),
        time_fault=fault,
    )
    try:
        event.body = read_body(found, "data")
    except PayloadError as error:
        event.fault = error
    return event
