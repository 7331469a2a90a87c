"""What a log holds, request by request, whatever its format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NO_JSON = "its payload is no JSON"
OTHER_COUNT = "another number of predictions than instances"
NO_NAMES = "its instances have no column names"
NOT_LOGGED = "its body was not logged"
CUT_OFF = "it is cut off"
ORPHAN = "it is an answer without its request"
"""Reasons of quarantine that several readers give."""
UNANSWERED = "no answer was logged"
"""Why a request failed whose answer is missing."""
_TEXT_KEPT = 300


@dataclass(slots=True)
class LoggedRequest:
    """A request, and what was answered.

    Attributes:
        request_id: The request; empty if the log has none.
        time: When it came, in microseconds since 1970, UTC; None if the log does not say.
        instances: Cells by column, a mapping for each row; of a request that failed perhaps none.
        predictions: What was answered for each row; None if the request failed.
        error: Why it failed; None if it did not.
        model_version: The model's version as the server names it; empty if unknown.
        variant: The part that the model played; empty if unknown.
        sample_rate: The share of requests that are logged.
        latency_ms: How long the answer took, in milliseconds; None if unknown.
        first_row: Place of the first instance in its request.
        line: Its place in the file, from 1.
        time_fault: What is counted of its time, if another counts than its own; empty if not.
        content: Bytes that it was made of, by which one without an ID gets one.
    """

    request_id: str
    time: int | None
    instances: Sequence[Mapping[str, Any]]
    predictions: Sequence[Any] | None
    error: str | None = None
    model_version: str = ""
    variant: str = ""
    sample_rate: float = 1.0
    latency_ms: float | None = None
    first_row: int = 0
    line: int = 0
    time_fault: str = ""
    content: bytes = b""


@dataclass(slots=True)
class Unreadable:
    """What a log holds and nobody can use.

    Attributes:
        reason: What is wrong with it, the same words for all of its kind.
        line: Its place in the file, from 1.
        time: As of `LoggedRequest`.
        text: The start of it.
        detail: What is wrong with this one.
    """

    reason: str
    line: int
    time: int | None = None
    text: str = ""
    detail: str = ""

    def as_json(self, file: str, withheld: bool) -> dict[str, Any]:
        """Return what the quarantine keeps.

        Args:
            file: The file's name.
            withheld: Whether its text may show private cells, and is left out.
        """
        return {
            "file": file,
            "line": self.line,
            "reason": self.reason,
            "detail": "" if withheld else self.detail[:_TEXT_KEPT],
            "text": "" if withheld else self.text[:_TEXT_KEPT],
        }


Logged = LoggedRequest | Unreadable


@dataclass(frozen=True)
class LogFile:
    """A file of a log.

    Attributes:
        uri: Where it is.
        name: Its path below the log's folder.
        size: Bytes.
        modified: When it was last written, in microseconds since 1970, UTC; None if the file system does not say.
        fingerprint: Changes when the file does, without reading it.
    """

    uri: str
    name: str
    size: int
    modified: int | None
    fingerprint: str = field(default="", compare=False)
