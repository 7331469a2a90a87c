"""What of a request and of an answer is passed on, and how much of their bodies is kept."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import StreamReader

from .rows import Body

REQUEST_ID = "X-Request-Id"
_ID_HEADERS = (REQUEST_ID, "ce-id")
_LONGEST_ID = 256
# Of one connection and not of the message: RFC 9110, section 7.6.1. Lengths and codings are set again by whoever sends.
_HOP_BY_HOP = (
    *("Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization"),
    *("TE", "Trailer", "Transfer-Encoding", "Upgrade", "Expect"),
)
SMALL = 256 << 10
"""Bodies up to this many bytes are read whole, which is faster; larger ones are passed on piece by piece."""


def pass_on(headers: Any, *without: str) -> Any:
    """Copy the headers that are meant for whoever comes next.

    Args:
        headers: Headers of a request or an answer, as aiohttp has them.
        without: Names to leave out beside those of the connection.

    Returns:
        The headers as aiohttp takes them.
    """
    copied = headers.copy()
    named = headers.get("Connection", "")
    own = [name.strip() for name in named.split(",")] if named else []
    for name in (*_HOP_BY_HOP, *without, *own):
        copied.popall(name, None)
    return copied


def given_id(headers: Mapping[str, str]) -> str | None:
    """Return the id that a request came with; None for none, or for one that no log can use."""
    for name in _ID_HEADERS:
        value = headers.get(name, "").strip()
        if value and len(value) <= _LONGEST_ID and value.isprintable():
            return value
    return None


def is_small(headers: Mapping[str, str]) -> bool:
    """Return whether a message says that its body is small."""
    length = headers.get("Content-Length", "")
    return length.isdecimal() and int(length) <= SMALL


class Tee:
    """Passes pieces of a body on and keeps them, as long as they are not too many.

    Attributes:
        size: Bytes so far.
    """

    def __init__(self, most: int) -> None:
        """Set how many bytes are kept; a body that has more is not kept at all."""
        self._most = most
        self._kept: list[bytes] | None = []
        self.size = 0

    def keep(self, piece: bytes) -> None:
        """Keep a piece."""
        self.size += len(piece)
        if self.size > self._most:
            self._kept = None
        elif self._kept is not None:
            self._kept.append(piece)

    async def pass_through(self, stream: StreamReader) -> AsyncIterator[bytes]:
        """Yield the pieces of a stream, which are kept, too."""
        async for piece in stream.iter_any():
            self.keep(piece)
            yield piece

    def body(self, encoding: str) -> Body:
        """Return what was kept."""
        content = None if self._kept is None else b"".join(self._kept)
        return Body(content, self.size, encoding)


def whole_body(content: bytes, most: int, encoding: str) -> Body:
    """Return a body that was read whole, as the log keeps it."""
    return Body(content if len(content) <= most else None, len(content), encoding)
