"""The HTTP service that messages are posted to, by Pub/Sub and others."""

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web

from ..messages.http_requests import read_request
from ..messages.pubsub_envelope import EnvelopeError
from ..types import Message
from .certificates import CertificatesUnavailableError
from .logs import LOGGER
from .metrics import Metrics
from .processing import Answer, Processed, Processor
from .readiness import Readiness, health_routes
from .tokens import TokenError, Verifier

# Pub/Sub pushes at most 10 MB, which base64 makes a third longer. Cloud Run itself lets 32 MiB through
# (cloud.google.com/run/quotas#request_limits).
MAX_BODY_BYTES = 14 << 20
# A submission is mostly waiting, but what it computes competes with everything else for one interpreter.
THREADS = 16
# Past this, another second of waiting would be another second of work: Pub/Sub's back-off is the better queue.
MAX_IN_FLIGHT = 512

_STATUS = {Answer.DONE: 204, Answer.LATER: 429, Answer.FAILED: 503, Answer.REFUSED: 422}


class PushService:
    """Takes push requests: verifies, parses, hands over to threads, and answers."""

    def __init__(
        self,
        processor: Processor,
        metrics: Metrics,
        readiness: Readiness,
        verifier: Verifier | None,
        threads: int = THREADS,
        max_in_flight: int = MAX_IN_FLIGHT,
    ) -> None:
        """Assemble a service.

        Args:
            processor: What handles messages.
            metrics: Where requests are counted.
            readiness: Whether the service is ready.
            verifier: Authenticates requests; None accepts all.
            threads: How many messages may wait for the network at once.
            max_in_flight: How many messages may be in work or waiting for a thread; what comes on top is sent back.
        """
        self._processor = processor
        self._metrics = metrics
        self._readiness = readiness
        self._verifier = verifier
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="message")
        self._max_in_flight = max_in_flight
        self._in_flight = 0

    def app(self) -> web.Application:
        """Make the application: POST /push (and /), GET /healthz, /readyz, /metrics."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.add_routes(health_routes(self._readiness, self._metrics))
        app.add_routes([web.post("/push", self._push), web.post("/", self._push)])
        app.on_cleanup.append(self._close)
        return app

    async def _push(self, request: web.Request) -> web.Response:
        refusal = await self._refuse(request)
        if refusal is not None:
            return refusal
        try:
            received = read_request(request.headers, await request.read())
        except EnvelopeError as error:
            LOGGER.warning("a request without a message: %s.", error)
            return self._refused(error.kind, 400, str(error))
        except web.HTTPRequestEntityTooLarge:
            LOGGER.warning("a request of more than %d bytes.", MAX_BODY_BYTES)
            return self._refused("size", 413, f"the body has more than {MAX_BODY_BYTES} bytes")
        self._metrics.received.labels(received.form).inc()
        done = self._processor.glance(received.message)
        return _respond(done) if done else await self._hand_over(received.message)

    async def _hand_over(self, message: Message) -> web.Response:
        if self._in_flight >= self._max_in_flight:
            return self._refused("busy", 429, "too many messages at once; send it again later")
        self._in_flight += 1
        try:
            done = await asyncio.get_running_loop().run_in_executor(
                self._threads, self._processor.process, message
            )
        finally:
            self._in_flight -= 1
        return _respond(done)

    async def _refuse(self, request: web.Request) -> web.Response | None:
        if self._verifier is None:
            return None
        try:
            await self._verifier.verify(request.headers)
        except TokenError as error:
            # The reason is for the log: a caller who tries keys learns nothing.
            LOGGER.warning("a push request was denied: %s", error)
            self._metrics.auth_failures.labels(error.kind).inc()
            return web.Response(status=error.status)
        except CertificatesUnavailableError as error:
            LOGGER.error("a push request can't be verified: %s", error)
            self._metrics.auth_failures.labels("certificates").inc()
            return web.Response(status=503)
        return None

    def _refused(self, kind: str, status: int, reason: str) -> web.Response:
        self._metrics.refused.labels(kind).inc()
        return web.Response(status=status, text=f"{reason}.\n")

    async def _close(self, _: web.Application) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _respond(done: Processed) -> web.Response:
    # Why a service did not answer may name projects and hosts: that is in the log alone.
    text = f"{done.reason}\n" if done.answer == Answer.REFUSED else None
    response = web.Response(status=_STATUS[done.answer], text=text)
    if done.answer == Answer.LATER:
        response.headers["Retry-After"] = str(math.ceil(done.retry_seconds))
    return response
