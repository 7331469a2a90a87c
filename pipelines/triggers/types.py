"""What a message is, what it causes, and its outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ...components.lib.errors import RetrainerError
from ..project.formats.names import to_run_id

MESSAGE_ID_ATTRIBUTE = "retrainer-message-id"
"""Attribute of a dead letter, and of its replay: the id that the message had first."""
PUBLISHED_ATTRIBUTE = "retrainer-published"
"""Attribute of a dead letter, and of its replay: when the message was published first, as RFC 3339 says."""


class InvalidMessageError(RetrainerError):
    """A permanently invalid message; the text is the reason that goes to the dead-letter topic with it."""


@dataclass(frozen=True)
class Message:
    """A message, however it arrived.

    Attributes:
        message_id: Its id; equal for each delivery of the same message, and for its replay from the dead letters.
        data: Its body.
        attributes: Its attributes.
        published: When it was published first, by Google's clock.
        delivery_attempt: Which delivery this is, from 1; 0 where the subscription does not count.
        queued: When the queue that delivers it took it; later than `published` if it was replayed.
    """

    message_id: str
    data: bytes
    attributes: Mapping[str, str]
    published: datetime
    delivery_attempt: int = 0
    queued: datetime | None = None


@dataclass(frozen=True)
class Cause:
    """Why a run shall start: equal causes are one run.

    Attributes:
        trigger: Name of the trigger.
        readable: A few words for people, part of the run's id: the span, the incident, the request's id.
        key: Identifies this cause among those of the same trigger.
        parameters: The pipeline's parameters.
        ready: When its run may start at the earliest.
        since: A run covers this cause only if it was created at or after this moment (Google's clock), because an
            earlier one can't have seen the data. None if any run of its id does.
        coalesce_seconds: The run starts when nothing newer of the same key has come for so long; `ready` is then the
            end of that time after this cause's own file. 0 if nothing else is waited for.
        done_since: Any run of the trigger that was created at or after this moment does what this cause asks for. None
            if only a run of its own does.
    """

    trigger: str
    readable: str
    key: str
    parameters: Mapping[str, str]
    ready: datetime
    since: datetime | None = None
    coalesce_seconds: int = 0
    done_since: datetime | None = None

    def run_id(self, pipeline: str, generation: int) -> str:
        """Name the run of a cause.

        Args:
            pipeline: The pipeline's name.
            generation: 1 for its first run, 2 for the one that covers what came after that, and so on.
        """
        later = [str(generation)] if generation > 1 else []
        return to_run_id(pipeline, self.readable, self.trigger, self.key, *later)


class Result(StrEnum):
    """The results of handling a message."""

    STARTED = "started"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    DEFERRED = "deferred"
    FAILED = "failed"
    INVALID = "invalid"

    @property
    def acknowledged(self) -> bool:
        """Whether the message is done with; INVALID is once it lies in the dead-letter topic."""
        return self in (Result.STARTED, Result.DUPLICATE, Result.IGNORED)


@dataclass(frozen=True)
class Outcome:
    """The outcome of handling a message, and why.

    Attributes:
        result: DEFERRED and FAILED ask for another delivery, INVALID goes to the dead-letter topic.
        reason: In words.
        trigger: Name of the trigger; empty if none matched.
        run_ids: Runs that it started or that were there.
        retry_seconds: When another delivery makes sense, in seconds from now.
        urls: Pages of these runs.
        waiting: Runs that wait for their trigger's cool-down or daily limit.
        refused: Whether the target refuses the run, until somebody changes something there.
    """

    result: Result
    reason: str = ""
    trigger: str = ""
    run_ids: tuple[str, ...] = ()
    retry_seconds: float = 0.0
    urls: tuple[str, ...] = field(default_factory=tuple)
    waiting: tuple[str, ...] = ()
    refused: bool = False
