"""An HTTP server on loopback, in a thread of its own, that fails on demand."""

import asyncio
import re
import ssl
import threading
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import Any

from aiohttp import web


@dataclass
class Fault:
    """One request that goes wrong.

    Attributes:
        status: HTTP status to answer with, in place of the service's own; 0 to answer nothing at all.
        after: Whether the service does its work first, so that only the reply is lost.
        delay: Seconds to wait before answering (or hanging up).
        path: Regular expression that the path must contain.
        method: HTTP method, or empty for any.
    """

    status: int = 503
    after: bool = False
    delay: float = 0.0
    path: str = ""
    method: str = ""


@dataclass
class Seen:
    """A request as it came over the wire."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class LocalServer(ABC):
    """Serves `routes()` of a subclass at `url` from `start` to `stop`, or within a `with`.

    Attributes:
        requests: Every request, in order, those that failed included.
        down: While true, every connection is hung up on without a word.
        tls: What it answers TLS with; None for plain HTTP.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.requests: list[Seen] = []
        self.down = False
        self.keeps_requests = True
        self.tls: ssl.SSLContext | None = None
        self._faults: deque[Fault] = deque()
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """Return what it serves."""

    def fail_next(self, times: int = 1, **fault: Any) -> None:
        """Let the next matching requests go wrong; see Fault."""
        self._faults.extend(Fault(**fault) for _ in range(times))

    def error(self, status: int) -> web.Response:
        """Return the service's own way to say an error."""
        return web.json_response(
            {"error": {"code": status, "message": "fails on demand"}}, status=status
        )

    def start(self) -> "LocalServer":
        self._ready.clear()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._ready.wait(60)
        return self

    def stop(self) -> None:
        if self._thread:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(60)
            self._thread = None

    def __enter__(self) -> Any:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _serve(self) -> None:
        asyncio.run(self._serve_until_stopped())

    async def _serve_until_stopped(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(middlewares=[self._watch], client_max_size=64 << 20)
        app.add_routes(self.routes())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=self.tls)
        await site.start()
        # The port stays after a restart: clients hold its address.
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    @web.middleware
    async def _watch(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.keeps_requests:
            self.requests.append(
                Seen(
                    request.method,
                    request.path,
                    dict(request.query),
                    dict(request.headers),
                    await request.read(),
                )
            )
        if self.down:
            return self._hang_up(request)
        fault = self._take_fault(request)
        if fault is None:
            return await handler(request)
        response = await handler(request) if fault.after else None
        await asyncio.sleep(fault.delay)
        if fault.status:
            return self.error(fault.status)
        if response is not None and fault.delay:
            return response
        return self._hang_up(request)

    def _take_fault(self, request: web.Request) -> Fault | None:
        for fault in self._faults:
            if fault.method in ("", request.method) and re.search(fault.path, request.path):
                self._faults.remove(fault)
                return fault
        return None

    def _hang_up(self, request: web.Request) -> web.Response:
        if request.transport:
            request.transport.abort()
        return web.Response(status=500)
