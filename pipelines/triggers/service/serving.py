"""A service's life: it listens, works until it is stopped, finishes what it has begun, and ends."""

import asyncio
import contextlib
import signal

from aiohttp import web

from ....components.lib.errors import RetrainerError
from ...targets.interface import SUBMIT_SECONDS
from .logs import LOGGER
from .readiness import Readiness

GRACE_SECONDS = SUBMIT_SECONDS
"""As long as a submission may take, so that what has begun is answered."""


async def serve(
    app: web.Application, readiness: Readiness, host: str, port: int, stop: asyncio.Event
) -> None:
    """Serve an application until SIGTERM or SIGINT, and finish what is in flight.

    Args:
        app: The application.
        readiness: Established meanwhile, and withdrawn at the end.
        host: Address to listen on.
        port: Port to listen on; 0 for a free one, which is logged.
        stop: Set by a signal; whoever sets it ends the service, too.

    Raises:
        RetrainerError: If the port is taken.
    """
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    # The access log would have a line a message; what became of each is logged already.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
    except OSError as error:
        await runner.cleanup()
        raise RetrainerError(
            f"can't listen on {host}:{port}: {error.strerror}. --port or PORT names another port."
        ) from error
    fields = {"port": runner.addresses[0][1]}
    LOGGER.info("listening on %s:%d.", host, fields["port"], extra={"fields": fields})
    establishing = asyncio.create_task(readiness.establish())
    await stop.wait()
    LOGGER.info("stopping: requests in progress are finished within %g seconds.", GRACE_SECONDS)
    readiness.stopping = True
    establishing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await establishing
    await runner.cleanup()
    LOGGER.info("stopped.")
