"""Requests and answers that are two records, put together by their ID, over files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..logged import NO_NAMES, ORPHAN, OTHER_COUNT, UNANSWERED, Logged, LoggedRequest, Unreadable
from ..payloads import PayloadError, read_instances, read_predictions
from .reader import ReadContext

# An answer follows its request within seconds: of so many that wait the oldest has none.
MOST_WAITING = 100_000


@dataclass(slots=True)
class Event:
    """A request or an answer.

    Attributes:
        request_id: What both have.
        time: Microseconds since 1970; None if unknown.
        line: Its place in the file, from 1.
        variant: The part that the model played; empty if unknown.
        body: Its JSON value; None if it can't be read.
        fault: Why it can't be read.
        time_fault: As of `LoggedRequest`.
    """

    request_id: str
    time: int | None
    line: int
    variant: str = ""
    body: Any = None
    fault: PayloadError | None = None
    time_fault: str = ""


class PairedEvents:
    """Puts requests and answers together; whichever comes first waits for the other."""

    def __init__(self, context: ReadContext) -> None:
        """Take what a reader must know."""
        self._context = context
        self._requests: dict[str, Event] = {}
        self._answers: dict[str, Event] = {}

    def add_request(self, event: Event) -> Iterator[Logged]:
        """Add a request; yield it with its answer if that has come."""
        if not event.request_id:
            yield Unreadable("it has no ID, so its answer can't be found", event.line, event.time)
        elif answer := self._answers.pop(event.request_id, None):
            yield self._pair(event, answer)
        else:
            self._requests[event.request_id] = event
            if len(self._requests) > MOST_WAITING:
                yield self._unanswered(self._requests.pop(next(iter(self._requests))))

    def add_answer(self, event: Event) -> Iterator[Logged]:
        """Add an answer; yield its request with it if that has come."""
        if request := self._requests.pop(event.request_id, None):
            yield self._pair(request, event)
        else:
            self._answers[event.request_id] = event
            if len(self._answers) > MOST_WAITING:
                yield _orphan(self._answers.pop(next(iter(self._answers))))

    def finish(self) -> Iterator[Logged]:
        """Return what has waited in vain."""
        requests, answers = self._requests, self._answers
        self._requests, self._answers = {}, {}
        for request in requests.values():
            yield self._unanswered(request)
        for answer in answers.values():
            yield _orphan(answer)

    def _pair(self, request: Event, answer: Event) -> Logged:
        try:
            instances = self._instances(request)
            if answer.fault:
                raise answer.fault
            predictions = read_predictions(answer.body, self._context.output)
            if len(predictions) != len(instances):
                raise PayloadError(OTHER_COUNT, f"{len(predictions)} for {len(instances)}")
        except PayloadError as error:
            return Unreadable(error.reason, request.line, request.time, detail=error.detail)
        version = answer.body.get("model_version") if isinstance(answer.body, Mapping) else None
        latency = None
        own_times = not (request.time_fault or answer.time_fault)
        if own_times and request.time and answer.time and answer.time >= request.time:
            latency = (answer.time - request.time) / 1000
        return LoggedRequest(
            request.request_id,
            request.time,
            instances,
            predictions,
            None,
            "" if version is None else str(version),
            request.variant or answer.variant,
            latency_ms=latency,
            line=request.line,
            time_fault=request.time_fault,
        )

    def _unanswered(self, request: Event) -> Logged:
        try:
            instances = self._instances(request)
        except PayloadError:
            instances = ()
        return LoggedRequest(
            request.request_id,
            request.time,
            instances,
            None,
            UNANSWERED,
            variant=request.variant,
            line=request.line,
            time_fault=request.time_fault,
        )

    def _instances(self, request: Event) -> Any:
        if request.fault:
            raise request.fault
        if request.body is None:
            raise PayloadError(NO_NAMES)
        return read_instances(request.body, self._context.only)


def _orphan(answer: Event) -> Unreadable:
    return Unreadable(ORPHAN, answer.line, answer.time)
