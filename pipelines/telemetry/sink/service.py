"""The sink of CloudEvents, from listening to the last row of its log."""

import asyncio
import logging
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, ProcessCollector
from prometheus_client.exposition import generate_latest

from ....components.lib.words import plural
from ..http_server import STATUS_PATHS, Listener, answer_status, serve_until_signalled
from ..log_files.metrics import LogCollector
from ..log_files.waiting_rows import Limits
from ..log_files.writer import LogWriter, Rolling
from ..process import prepare_process
from .events import EventError, read_events

LOGGER = logging.getLogger("retrainer.sink")
DRAIN_SECONDS = 15.0


@dataclass(frozen=True)
class SinkService:
    """What a sink is made of.

    Attributes:
        log: URI of the log.
        rolling: When a file is written.
        limits: How much may wait in memory.
        largest_event: Larger requests are refused.
    """

    log: str
    rolling: Rolling
    limits: Limits
    largest_event: int


def run_sink(service: SinkService, host: str, port: int) -> None:
    """Take events until SIGTERM, then write what is left of the log.

    Args:
        service: What the sink is made of.
        host: Address to listen on.
        port: Port to listen on.

    Raises:
        RetrainerError: If the log is no URI, or the port is taken.
    """
    log = LogWriter(service.log, service.rolling, service.limits)
    log.start()
    prepare_process()
    try:
        sink = EventSink(log, service.largest_event)
        asyncio.run(serve_until_signalled(Listener(sink.handle, host, port)))
    finally:
        state = log.close(DRAIN_SECONDS)
        level = logging.WARNING if state.dropped else logging.INFO
        written = plural(state.written, "event")
        LOGGER.log(level, "stopped: %s written, %s dropped.", written, f"{state.dropped:,}")


class EventSink:
    """Answers requests with events: 200 once they wait to be written, 503 if there is no room."""

    def __init__(self, log: LogWriter, largest_event: int) -> None:
        """Assemble a sink.

        Args:
            log: Takes the events.
            largest_event: Bytes of a request at most.
        """
        self._log = log
        self._largest = largest_event
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "retrainer_sink_requests",
            "Requests by status of their answer.",
            ["status"],
            registry=self._registry,
        )
        self._registry.register(LogCollector(log))
        ProcessCollector(registry=self._registry)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        if request.method != "POST":
            path = request.rel_url.raw_path
            if path in STATUS_PATHS:
                return answer_status(path, lambda: generate_latest(self._registry))
            return self._answer(405, "events are sent by POST")
        try:
            body = await self._read(request)
        except (ConnectionError, web.RequestPayloadError) as error:
            return self._answer(400, f"the request is not whole ({error})")
        if body is None:
            return self._answer(413, f"the request has more than {self._largest} bytes")
        try:
            events = read_events(request.headers, body)
        except EventError as error:
            LOGGER.warning("a request without an event: %s.", error)
            return self._answer(400, str(error))
        if not all(self._log.add(event) for event in events):
            # What was taken of a batch comes twice then, and is counted as a duplicate when the log is read.
            return self._answer(
                503, "the log can't be written, and memory is full", {"Retry-After": "5"}
            )
        return self._answer(200, "")

    async def _read(self, request: web.BaseRequest) -> bytes | None:
        parts: list[bytes] = []
        size = 0
        async for part in request.content.iter_any():
            size += len(part)
            if size > self._largest:
                return None
            parts.append(part)
        return b"".join(parts)

    def _answer(
        self, status: int, error: str, headers: dict[str, str] | None = None
    ) -> web.Response:
        self._requests.labels(str(status)).inc()
        if error:
            return web.json_response({"error": error}, status=status, headers=headers)
        return web.Response(status=status)
