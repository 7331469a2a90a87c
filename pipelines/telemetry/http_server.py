"""An HTTP server from listening to the last answer."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ...components.lib.errors import RetrainerError

LOGGER = logging.getLogger("retrainer.telemetry")
GRACE_SECONDS = 10.0
"""How long requests in progress may take after SIGTERM."""
STATUS_PATHS = ("/healthz", "/metrics")
"""Paths that `answer_status` answers."""
_BACKLOG = 4096
# A header may be as long as any server's limit lets it be.
_LONGEST_HEADER = 64 << 10

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Listener:
    """Where a handler is served.

    Attributes:
        handler: Answers requests.
        host: Address to listen on.
        port: Port to listen on; 0 for a free one, which is logged.
        decompress: Whether the handler gets compressed bodies unpacked.
        purpose: What it is for, in the log.
    """

    handler: Handler
    host: str
    port: int
    decompress: bool = True
    purpose: str = "requests"


async def serve_until_signalled(*listeners: Listener) -> None:
    """Serve until SIGTERM or SIGINT, and finish the requests in progress.

    Args:
        listeners: Where to listen.

    Raises:
        RetrainerError: If a port is taken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        for listener in listeners:
            runner = _make_runner(listener)
            stack.push_async_callback(runner.cleanup)
            await _listen(runner, listener)
        await stop.wait()
        LOGGER.info("stopping: requests in progress are finished within %g seconds.", GRACE_SECONDS)


def _make_runner(listener: Listener) -> web.ServerRunner:
    server = web.Server(
        listener.handler,
        access_log=None,
        auto_decompress=listener.decompress,
        max_line_size=_LONGEST_HEADER,
        max_field_size=_LONGEST_HEADER,
    )
    return web.ServerRunner(server, shutdown_timeout=GRACE_SECONDS)


async def _listen(runner: web.ServerRunner, listener: Listener) -> None:
    host, port = listener.host, listener.port
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
    except OSError as error:
        raise RetrainerError(
            f"can't listen on {host}:{port}: {error.strerror}. --port names another port."
        ) from error
    fields = {"port": runner.addresses[0][1]}
    LOGGER.info(
        "listening for %s on %s:%d.",
        listener.purpose,
        host,
        fields["port"],
        extra={"fields": fields},
    )


def answer_status(path: str, render_metrics: Callable[[], bytes]) -> web.Response:
    """Answer whoever runs the service.

    Args:
        path: Path of the request.
        render_metrics: Returns the metrics.

    Returns:
        The answer to one of `STATUS_PATHS`; for other paths that there is nothing.
    """
    if path == "/healthz":
        return web.json_response({"alive": True})
    if path == "/metrics":
        return web.Response(body=render_metrics(), headers={"Content-Type": CONTENT_TYPE_LATEST})
    return web.json_response({"error": "not found"}, status=404)
