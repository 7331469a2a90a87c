"""`retrainer metrics serve`: reads the store now and then, and answers scrapes from memory."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from aiohttp import web

from ..http_server import Listener, answer_status, serve_until_signalled

LOGGER = logging.getLogger("retrainer.metrics")


def run_metrics_server(
    render: Callable[[], bytes], host: str, port: int, refresh_seconds: float
) -> None:
    """Serve metrics until SIGTERM.

    Args:
        render: Reads the store, and returns the text to serve.
        host: Address to listen on.
        port: Port to listen on.
        refresh_seconds: Pause between two readings of the store.

    Raises:
        RetrainerError: If the port is taken.
    """
    asyncio.run(_serve(render, host, port, refresh_seconds))


async def _serve(render: Callable[[], bytes], host: str, port: int, pause: float) -> None:
    # The first scrape must not find an empty page and take it for a loop without signals.
    text = await asyncio.to_thread(render)

    async def refresh() -> None:
        nonlocal text
        while True:
            await asyncio.sleep(pause)
            try:
                text = await asyncio.to_thread(render)
            except Exception:
                # The time of the last reading, which stands still then, is a metric.
                LOGGER.exception("the store can't be read.")

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return answer_status(request.rel_url.raw_path, lambda: text)

    refreshing = asyncio.create_task(refresh())
    try:
        await serve_until_signalled(Listener(answer, host, port, purpose="scrapes"))
    finally:
        refreshing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await refreshing
