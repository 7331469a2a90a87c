"""A row of the log: one request, as a line of JSON."""

import base64
import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime

# About what a row takes beside its bodies.
_OWN_SIZE = 600
# What a compressed body may become at most, so that a small one can't fill the memory.
_LARGEST_UNPACKED = 16 << 20


@dataclass(frozen=True, slots=True)
class Body:
    """A body of a request or an answer.

    Attributes:
        content: The bytes; None if they are not logged because there are too many.
        size: How many bytes there were.
        encoding: The header Content-Encoding.
    """

    content: bytes | None
    size: int
    encoding: str = ""


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request and its answer.

    Attributes:
        request_id: Its id.
        time: When it came, in seconds since 1970.
        method: Its method.
        path: Path of its URL.
        status: Status of the answer; 502 or 504 if the target gave none, 499 if the client went away.
        latency_ms: Time until the answer was complete, in milliseconds.
        model: The model's name.
        model_version: The model's version, as the server names it.
        model_label: TensorFlow Serving's label.
        variant: The part that the model plays.
        sample_rate: Share of the requests that is logged.
        request: What was asked.
        response: What was answered.
        error: Why there is no whole answer.
    """

    request_id: str
    time: float
    method: str
    path: str
    status: int
    latency_ms: float
    model: str | None
    model_version: str | None
    model_label: str | None
    variant: str
    sample_rate: float
    request: Body
    response: Body
    error: str | None = None

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, about."""
        held = (len(body.content) for body in (self.request, self.response) if body.content)
        return _OWN_SIZE + sum(held)

    def line(self) -> bytes:
        """Return it as JSON.

        Bodies are text within it, whatever they hold: parsing them here would cost time and could fail.
        """
        fields: dict[str, str | float | None] = {
            "request_id": self.request_id,
            "time": _text_of(self.time),
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "latency_ms": round(self.latency_ms, 3),
            "model": self.model,
            "model_version": self.model_version,
            "model_label": self.model_label,
            "variant": self.variant,
            "sample_rate": self.sample_rate,
            "error": self.error,
        }
        _add_body(fields, "request", self.request)
        _add_body(fields, "response", self.response)
        # Lone surrogates, which a header or a path may hold, have no place in UTF-8 but one in JSON's escapes.
        return json.dumps(fields).encode()


def _text_of(seconds: float) -> str:
    # A third of what strftime takes.
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _add_body(fields: dict[str, str | float | None], name: str, body: Body) -> None:
    fields[f"{name}_bytes"] = body.size
    fields[name] = None
    if body.content is None:
        return
    content = _unpack(body.content, body.encoding) if body.encoding else body.content
    try:
        fields[name] = content.decode()
    except UnicodeDecodeError:
        fields[f"{name}_base64"] = base64.b64encode(content).decode()


def _unpack(content: bytes, encoding: str) -> bytes:
    """Unpack a compressed body; one that can't be unpacked stays as it is."""
    if encoding.lower().strip() not in ("gzip", "x-gzip", "deflate"):
        return content
    unpacker = zlib.decompressobj(32 + zlib.MAX_WBITS)
    try:
        unpacked = unpacker.decompress(content, _LARGEST_UNPACKED)
    except zlib.error:
        return content
    return unpacked if unpacker.eof else content
