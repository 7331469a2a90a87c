"""Whether a service can do its work: asked by whoever runs it, over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from .logs import LOGGER
from .metrics import CONTENT_TYPE, Metrics

_FIRST_RETRY_SECONDS = 0.5
_LONGEST_RETRY_SECONDS = 30.0

Check = Callable[[], Awaitable[object]]


class Readiness:
    """What must hold before a service is ready; it is no longer once it shuts down.

    Attributes:
        stopping: Whether the service shuts down.
    """

    def __init__(self, checks: dict[str, Check]) -> None:
        """Set what must hold.

        Args:
            checks: By name, what raises as long as it does not hold.
        """
        self._checks = checks
        self._missing = dict.fromkeys(checks, "not checked yet")
        self.stopping = False

    @property
    def missing(self) -> dict[str, str]:
        """What does not hold yet, by name, with the reason."""
        return {"service": "shutting down"} if self.stopping else dict(self._missing)

    async def establish(self) -> None:
        """Check until everything holds, with growing pauses."""
        pause = _FIRST_RETRY_SECONDS
        while True:
            for name in list(self._missing):
                await self._check(name)
            if not self._missing:
                LOGGER.info("ready.")
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_RETRY_SECONDS)

    async def _check(self, name: str) -> None:
        try:
            await self._checks[name]()
        except Exception as error:
            # Whatever is wrong, the service must stay up to report it.
            reason = str(error) or type(error).__name__
            if self._missing[name] != reason:
                LOGGER.warning("not ready: %s: %s", name, reason)
            self._missing[name] = reason
        else:
            del self._missing[name]


def health_routes(readiness: Readiness, metrics: Metrics) -> list[web.RouteDef]:
    """Make the routes that whoever runs a service asks.

    Args:
        readiness: Whether it is ready.
        metrics: What it counts.

    Returns:
        GET /healthz (200 as long as the process lives), /readyz (200, or 503 with what is missing), /metrics.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def readyz(_: web.Request) -> web.Response:
        # Reasons may name projects and hosts: they are in the log, not for every caller.
        missing = sorted(readiness.missing)
        return web.json_response(
            {"ready": not missing, "missing": missing}, status=503 if missing else 200
        )

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    return [
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.get("/metrics", show_metrics),
    ]
