"""The logging proxy, from listening to the last row of its log."""

import asyncio
import logging
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from ....components.lib.errors import RetrainerError
from ....components.lib.words import plural
from ..http_server import STATUS_PATHS, Listener, answer_status, serve_until_signalled
from ..log_files.waiting_rows import Limits
from ..log_files.writer import LogWriter, Rolling
from ..process import prepare_process
from .handler import LoggingProxy, ProxySettings
from .metrics import ProxyMetrics

LOGGER = logging.getLogger("retrainer.proxy")
DRAIN_SECONDS = 15.0
"""How long rows may be written after the last request. With the grace of requests it is less than Kubernetes' 30."""
# Below it of all servers that serve models by far: uvicorn closes idle connections after 5 seconds.
_KEEPALIVE_SECONDS = 4.0
_LONGEST_HEADER = 64 << 10


@dataclass(frozen=True)
class ProxyService:
    """What a proxy is made of.

    Attributes:
        target: The model server's address.
        log: URI of the log.
        settings: How requests are logged.
        rolling: When a file is written.
        limits: How much may wait in memory.
        timeout: How many seconds the target may be silent.
    """

    target: str
    log: str
    settings: ProxySettings
    rolling: Rolling
    limits: Limits
    timeout: float


def run_proxy(service: ProxyService, host: str, port: int, status_port: int | None) -> None:
    """Serve until SIGTERM, then write what is left of the log.

    Args:
        service: What the proxy is made of.
        host: Address to listen on.
        port: Port to listen on.
        status_port: Port of /healthz and /metrics; on `port` if None.

    Raises:
        RetrainerError: If the target is no address, the log no URI, or the port is taken.
    """
    target = check_target(service.target)
    log = LogWriter(service.log, service.rolling, service.limits)
    log.start()
    # A client's connection and one to the target are two files each, and clients keep connections that rest.
    concurrent = max(1, min(service.settings.concurrent, prepare_process() // 4))
    service = replace(service, settings=replace(service.settings, concurrent=concurrent))
    try:
        asyncio.run(_serve(service, target, log, host, port, status_port))
    finally:
        state = log.close(DRAIN_SECONDS)
        level = logging.WARNING if state.dropped else logging.INFO
        written = plural(state.written, "row")
        LOGGER.log(level, "stopped: %s written, %s dropped.", written, f"{state.dropped:,}")


def check_target(target: str) -> str:
    """Check the address of a model server.

    Args:
        target: Such as `http://localhost:8501`.

    Returns:
        The address without a slash at its end.

    Raises:
        RetrainerError: If it is none.
    """
    try:
        parts = urlsplit(target)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        whole = False
    if not whole or parts.path.strip("/") or parts.query or parts.fragment:
        raise RetrainerError(
            f"--target is '{target}', which is no address of a server: write it as http://host:port, without a path "
            "(the paths of requests are passed on as they are)."
        )
    return target.rstrip("/")


async def _serve(
    service: ProxyService,
    target: str,
    log: LogWriter,
    host: str,
    port: int,
    status_port: int | None,
) -> None:
    metrics = ProxyMetrics(log)
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=service.timeout, sock_read=service.timeout
    )
    async with aiohttp.ClientSession(
        f"{target}/",
        # The handler has the limit, where a request whose client has gone leaves the queue.
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=timeout,
        max_line_size=_LONGEST_HEADER,
        max_field_size=_LONGEST_HEADER,
    ) as session:
        proxy = LoggingProxy(session, log, metrics, service.settings)

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            if request.method == "CONNECT":
                return web.json_response({"error": "this is no tunnel"}, status=501)
            path = request.rel_url.raw_path
            if status_port is None and path in STATUS_PATHS:
                return answer_status(path, metrics.render)
            return await proxy.handle(request)

        async def answer_of_status(request: web.BaseRequest) -> web.StreamResponse:
            return answer_status(request.rel_url.raw_path, metrics.render)

        listeners = [Listener(answer, host, port, decompress=False)]
        if status_port is not None:
            listeners.append(Listener(answer_of_status, host, status_port, purpose="status"))
        await serve_until_signalled(*listeners)
        await proxy.close()
