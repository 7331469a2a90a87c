"""Passes requests on to a model server and its answers back, and logs both when the client has its answer."""

import asyncio
import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from ..log_files.writer import LogWriter
from .exchange import Exchange
from .forwarding import REQUEST_ID, Tee, given_id, is_small, pass_on, whole_body
from .metrics import ProxyMetrics
from .requests import PREDICTING, read_path
from .versions import ServedVersions

# aiohttp would add its own.
_NO_OWN_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_ID_RANGE = 1 << 64
# nginx's status for a client that closed its connection before it was answered.
_CLIENT_GONE = 499


@dataclass(frozen=True)
class ProxySettings:
    """How requests are logged.

    Attributes:
        sample: Share of the requests that is logged, from 0 to 1.
        variant: The part that the model plays.
        model_version: The model's version, where neither path nor answer name it.
        version_header: Header of an answer that names the model's version.
        largest_body: Larger bodies are passed on and not logged.
        paths: Regular expression of the paths that are logged.
        concurrent: Requests that are passed on at once; more of them wait.
    """

    sample: float = 1.0
    variant: str = "stable"
    model_version: str | None = None
    version_header: str = "X-Model-Version"
    largest_body: int = 1 << 20
    paths: str = PREDICTING
    concurrent: int = 1024


class ClientGoneError(Exception):
    """The client closed its connection."""


class LoggingProxy:
    """Handles requests: passes them on, passes the answer back, then hands a row to the log."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        log: LogWriter,
        metrics: ProxyMetrics,
        settings: ProxySettings,
    ) -> None:
        """Assemble a proxy.

        Args:
            session: Asks the target; paths are relative to its address.
            log: Takes the rows.
            metrics: Where requests are counted.
            settings: How requests are logged.
        """
        self._session = session
        self._log = log
        self._metrics = metrics
        self._settings = settings
        self._paths = re.compile(settings.paths)
        self._versions = ServedVersions(session)
        self._places = asyncio.Semaphore(settings.concurrent)
        self._bound = round(settings.sample * _ID_RANGE)
        self._waiting: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Log what still waits for its version."""
        await self._versions.close()
        await asyncio.gather(*self._waiting)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Handle a request; an answer is complete before anything of it is logged."""
        exchange = self._begin(request)
        try:
            # Before its turn: a client that sends slowly keeps no other from a place.
            sent = await self._receive(request, exchange)
            async with self._places:
                # A server that is overloaded must not work for clients that wait no more.
                if _is_gone(request):
                    raise ClientGoneError("it was not passed on yet")
                response = await self._forward(request, exchange, sent)
        except (aiohttp.ClientError, TimeoutError, ConnectionError, ClientGoneError) as error:
            response = await self._fail(request, exchange, error)
        exchange.end()
        self._metrics.count(exchange.status, exchange.seconds)
        if exchange.kept:
            self._keep(exchange)
        return response

    def _begin(self, request: web.BaseRequest) -> Exchange:
        path = request.rel_url.raw_path
        request_id = given_id(request.headers) or secrets.token_hex(16)
        predicts = request.method == "POST" and self._paths.search(path) is not None
        kept = predicts and self._is_sampled(request_id)
        asked = read_path(path) if predicts else None
        return Exchange(request_id, request.method, path, kept, asked)

    def _is_sampled(self, request_id: str) -> bool:
        """Return whether a request is logged: by its id, so that a retry is where the first attempt was."""
        if self._bound >= _ID_RANGE:
            return True
        digest = hashlib.blake2b(request_id.encode(errors="replace"), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self._bound

    async def _receive(self, request: web.BaseRequest, exchange: Exchange) -> bytes | Tee | None:
        """Return a small body, or what keeps a large one while it passes; None if there is none."""
        if not request.body_exists:
            return None
        await _let_the_body_come(request)
        if is_small(request.headers):
            return await self._read_body(request, exchange)
        return Tee(self._settings.largest_body if exchange.kept else 0)

    async def _forward(
        self, request: web.BaseRequest, exchange: Exchange, sent: bytes | Tee | None
    ) -> web.StreamResponse:
        headers = pass_on(request.headers, "Host")
        headers[REQUEST_ID] = exchange.request_id
        tee = sent if isinstance(sent, Tee) else None
        body = sent.pass_through(request.content) if isinstance(sent, Tee) else sent
        # What was asked whole and is answered without a trace may be asked again; predicting changes nothing.
        attempts = 2 if exchange.asked and tee is None else 1
        try:
            while True:
                attempts -= 1
                try:
                    async with self._session.request(
                        request.method,
                        request.rel_url,
                        data=body,
                        headers=headers,
                        allow_redirects=False,
                        skip_auto_headers=_NO_OWN_HEADERS,
                    ) as answer:
                        return await self._pass_back(request, answer, exchange)
                except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                    # A server may close an idle connection just when a request is on its way.
                    lost = not isinstance(error, aiohttp.ClientConnectorError)
                    if not (lost and attempts) or exchange.began:
                        raise
        finally:
            if tee:
                exchange.request = tee.body(request.headers.get("Content-Encoding", ""))

    async def _read_body(self, request: web.BaseRequest, exchange: Exchange) -> bytes:
        try:
            body = await request.content.read()
        except (ConnectionError, web.RequestPayloadError) as error:
            raise ClientGoneError("the request is not whole") from error
        if exchange.kept:
            encoding = request.headers.get("Content-Encoding", "")
            exchange.request = whole_body(body, self._settings.largest_body, encoding)
        return body

    async def _pass_back(
        self, request: web.BaseRequest, answer: aiohttp.ClientResponse, exchange: Exchange
    ) -> web.StreamResponse:
        exchange.version = answer.headers.get(self._settings.version_header)
        headers = pass_on(answer.headers)
        headers[REQUEST_ID] = exchange.request_id
        encoding = answer.headers.get("Content-Encoding", "")
        if request.method != "HEAD" and is_small(answer.headers):
            content = await answer.read()
            exchange.status = answer.status
            if exchange.kept:
                exchange.response = whole_body(content, self._settings.largest_body, encoding)
            whole = web.Response(
                status=answer.status, reason=answer.reason, headers=headers, body=content
            )
            await _send(request, whole, exchange)
            return whole
        exchange.status = answer.status
        tee = Tee(self._settings.largest_body if exchange.kept else 0)
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
        try:
            await _send(request, response, exchange, tee.pass_through(answer.content))
        finally:
            exchange.response = tee.body(encoding)
        return response

    async def _fail(
        self, request: web.BaseRequest, exchange: Exchange, error: Exception
    ) -> web.StreamResponse:
        """Answer in place of the target; or end the connection, where an answer has begun."""
        transport, gone = request.transport, _is_gone(request)
        if gone or isinstance(error, ClientGoneError):
            status = exchange.status if exchange.began else _CLIENT_GONE
            exchange.fail(status, f"the client closed the connection ({_describe(error)})")
        elif isinstance(error, TimeoutError):
            exchange.fail(504, f"the target did not answer in time ({_describe(error)})")
        elif exchange.began:
            exchange.fail(502, f"the target broke its answer off ({_describe(error)})")
        else:
            exchange.fail(502, f"the target is unreachable ({_describe(error)})")
        failed = web.json_response(
            {"error": exchange.error},
            status=exchange.status or 502,
            headers={REQUEST_ID: exchange.request_id},
        )
        if exchange.began:
            # The client must not take a part for the whole.
            if transport is not None:
                transport.abort()
        elif not gone:
            with suppress(ClientGoneError):
                await _send(request, failed, exchange)
        return failed

    def _keep(self, exchange: Exchange) -> None:
        settings, asked = self._settings, exchange.asked
        version = settings.model_version
        if version is None and asked and asked.status_path and not (asked.version or asked.label):
            version = self._versions.find(asked.status_path)
            first = self._versions.first_answer(asked.status_path)
            if first and exchange.version is None:
                task = asyncio.create_task(self._keep_later(exchange, first))
                self._waiting.add(task)
                task.add_done_callback(self._waiting.discard)
                return
        self._log.add(exchange.row(version, settings.variant, settings.sample))

    async def _keep_later(self, exchange: Exchange, first: asyncio.Task[None]) -> None:
        assert exchange.asked
        assert exchange.asked.status_path
        await asyncio.wait([first])
        version = self._versions.find(exchange.asked.status_path)
        self._log.add(exchange.row(version, self._settings.variant, self._settings.sample))


def _is_gone(request: web.BaseRequest) -> bool:
    return request.transport is None or request.transport.is_closing()


async def _let_the_body_come(request: web.BaseRequest) -> None:
    """Answer a client that waits for a word before it sends its body: RFC 9110, section 10.1.1."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # What is counted is the answer, which has not begun.
        request.writer.output_size = 0


async def _send(
    request: web.BaseRequest,
    response: web.StreamResponse,
    exchange: Exchange,
    pieces: AsyncIterator[bytes] | None = None,
) -> None:
    """Send an answer, in pieces if there are any.

    Raises:
        ClientGoneError: If the client closed its connection.
    """
    if _is_gone(request):
        raise ClientGoneError("before it was answered")
    try:
        await response.prepare(request)
        exchange.began = True
    except ConnectionError as error:
        raise ClientGoneError(_describe(error)) from error
    if pieces is not None:
        async for piece in pieces:
            try:
                await response.write(piece)
            except ConnectionError as error:
                raise ClientGoneError(_describe(error)) from error
    try:
        await response.write_eof()
    except ConnectionError as error:
        raise ClientGoneError(_describe(error)) from error


def _describe(error: Exception) -> str:
    return str(error) or type(error).__name__
