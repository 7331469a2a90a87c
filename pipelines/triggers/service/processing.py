"""One message from its arrival to the answer, however it arrived."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from ..notices import Notices
from ..types import Message, Outcome, Result
from .dead_letters import REASON_ATTRIBUTE, DeadLetterError, DeadLetters
from .logs import LOGGER, log_outcome
from .metrics import Metrics

LONGEST_WAIT = timedelta(days=30)
"""A message that still waits or fails after that becomes a dead letter, since its subscription forgets it the next day:
31 days are the most that Pub/Sub keeps a message (cloud.google.com/pubsub/docs/subscription-properties)."""


class Handler(Protocol):
    """What turns a message into a run; a Dispatcher."""

    def handle(self, message: Message) -> Outcome:
        """Handle a message; may be called from several threads at once."""

    def glance(self, message: Message) -> Outcome | None:
        """Return the outcome of a message if that needs no network, else None."""


class Answer(StrEnum):
    """What the sender of a message is answered."""

    DONE = "done"
    LATER = "later"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True)
class Processed:
    """A message that was handled.

    Attributes:
        answer: DONE if Pub/Sub may forget it. LATER if it should come again when it is due, FAILED if it should come
            again because something is broken, REFUSED if it is permanently invalid and there is no dead-letter topic.
        retry_seconds: When another delivery makes sense, in seconds from now.
        reason: Why, in words.
    """

    answer: Answer
    retry_seconds: float = 0.0
    reason: str = ""


class Processor:
    """Handles messages, puts invalid ones aside, counts and logs; may be used by several threads at once."""

    def __init__(
        self,
        handler: Handler,
        metrics: Metrics,
        dead_letters: DeadLetters | None = None,
        notices: Notices | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Set what handles messages.

        Args:
            handler: Turns a message into a run.
            metrics: Where messages are counted.
            dead_letters: Where permanently invalid messages go; None to refuse them.
            notices: Who is notified of messages that start no run; None for nobody.
            clock: Gives the time in seconds since 1970.
        """
        self._handler = handler
        self._metrics = metrics
        self._dead_letters = dead_letters
        self._notices = notices
        self._clock = clock
        self._warned = False

    def glance(self, message: Message) -> Processed | None:
        """Handle a message if that needs no network, in well under a millisecond.

        Args:
            message: The message.

        Returns:
            The answer, or None if `process` must be asked.
        """
        began = time.perf_counter()
        outcome = self._handler.glance(message)
        if outcome is None or self._give_up(message, outcome).result == Result.INVALID:
            return None
        return self._finish(message, outcome, began)

    def process(self, message: Message) -> Processed:
        """Handle a message, waiting for the network where needed.

        Args:
            message: The message.

        Returns:
            The answer.
        """
        began = time.perf_counter()
        with self._metrics.in_flight.track_inprogress():
            try:
                outcome = self._give_up(message, self._handler.handle(message))
                processed = self._finish(message, outcome, began)
            except Exception as error:
                # A bug must not lose a message, nor stop the service.
                LOGGER.exception("message %s: unexpected error.", message.message_id)
                outcome = Outcome(Result.FAILED, f"unexpected {type(error).__name__}.")
                return self._finish(message, outcome, began)
            if self._notices:
                self._notices.send(message, outcome)
            return processed

    def _give_up(self, message: Message, outcome: Outcome) -> Outcome:
        """Make a dead letter of a message that has waited or failed for as long as its subscription keeps it."""
        if outcome.result.acknowledged or outcome.result == Result.INVALID:
            return outcome
        self._warn(message, outcome)
        queued = message.queued or message.published
        age = datetime.fromtimestamp(self._clock(), UTC) - queued
        if age < LONGEST_WAIT or not self._dead_letters:
            return outcome
        reason = f"it was {outcome.result} for {LONGEST_WAIT.days} days: {outcome.reason}"
        return replace(outcome, result=Result.INVALID, reason=reason)

    def _warn(self, message: Message, outcome: Outcome) -> None:
        # Pub/Sub counts deliveries only where it gives a message up after so many; to it, one that waits has failed.
        if outcome.result != Result.DEFERRED or not message.delivery_attempt or self._warned:
            return
        self._warned = True
        if self._dead_letters:
            LOGGER.warning(
                "the subscription has a dead-letter policy of its own, which drops a message after a number of "
                "deliveries, also one that only waits. Remove it: this service itself publishes invalid messages to "
                "trigger_service.dead_letter_topic."
            )

    def _finish(self, message: Message, outcome: Outcome, began: float) -> Processed:
        answer = self._answer(message, outcome)
        seconds = time.perf_counter() - began
        self._metrics.messages.labels(outcome.trigger, outcome.result).inc()
        self._metrics.seconds.labels(outcome.result).observe(seconds)
        log_outcome(message, outcome, seconds)
        return Processed(answer, outcome.retry_seconds, outcome.reason)

    def _answer(self, message: Message, outcome: Outcome) -> Answer:
        if outcome.result.acknowledged:
            return Answer.DONE
        if outcome.result != Result.INVALID:
            return Answer.LATER if outcome.result == Result.DEFERRED else Answer.FAILED
        if self._dead_letters is None:
            return Answer.REFUSED
        if REASON_ATTRIBUTE in message.attributes:
            # Published there, it would come again, and so on for ever.
            LOGGER.error(
                "message %s is a dead letter: trigger_service.dead_letter_topic must not be a topic that this service "
                "listens to.",
                message.message_id,
            )
            return Answer.REFUSED
        try:
            self._dead_letters.publish(message, outcome.reason)
        except DeadLetterError as error:
            self._metrics.dead_letters.labels("failed").inc()
            LOGGER.error("%s", error)
            return Answer.FAILED
        self._metrics.dead_letters.labels("published").inc()
        return Answer.DONE
