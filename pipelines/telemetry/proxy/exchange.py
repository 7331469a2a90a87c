"""A request and its answer while they pass through."""

import time
from dataclasses import dataclass, field

from .requests import Asked
from .rows import Body, RequestRow

NOTHING = Body(b"", 0)


@dataclass(slots=True)
class Exchange:
    """What is known so far of a request and its answer.

    Attributes:
        request_id: The request's id.
        method: The request's method.
        path: Path of its URL.
        kept: Whether it is logged.
        asked: What the path says; None if it is not logged.
        came: When it came, in seconds since 1970.
        status: Status of the answer; 0 as long as there is none.
        error: Why there is no whole answer.
        request: What was asked.
        response: What was answered.
        version: The version that the answer's headers name.
        began: Whether the client has a part of the answer.
        seconds: How long it took until the answer was complete.
    """

    request_id: str
    method: str
    path: str
    kept: bool
    asked: Asked | None
    came: float = field(default_factory=time.time)
    status: int = 0
    error: str | None = None
    request: Body = NOTHING
    response: Body = NOTHING
    version: str | None = None
    began: bool = False
    seconds: float = 0.0
    _started: float = field(default_factory=time.perf_counter)

    def fail(self, status: int, error: str) -> None:
        """Note that there is no whole answer."""
        self.status = status
        self.error = error

    def end(self) -> None:
        """Note that the answer is complete, or never will be."""
        self.seconds = time.perf_counter() - self._started

    def row(self, version: str | None, variant: str, sample_rate: float) -> RequestRow:
        """Make the row of the log.

        Args:
            version: The model's version where neither path nor answer name it.
            variant: The part that the model plays where the path has no label.
            sample_rate: Share of the requests that is logged.
        """
        assert self.asked
        return RequestRow(
            self.request_id,
            self.came,
            self.method,
            self.path,
            self.status,
            self.seconds * 1000,
            self.asked.model,
            self.asked.version or self.version or version,
            self.asked.label,
            self.asked.label or variant,
            sample_rate,
            self.request,
            self.response,
            self.error,
        )
