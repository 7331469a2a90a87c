"""Pulling messages from a subscription, where Pub/Sub can't reach in."""

from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from ....components.lib.errors import RetrainerError
from ....components.lib.network import advice, route
from ..messages.contents import restore
from ..types import Message
from .holding import Holding
from .logs import LOGGER
from .metrics import Metrics
from .processing import Answer, Processor

THREADS = 16
# The stream pauses at so many messages that are not acknowledged yet. Half of them may be held, so that a crowd of
# deferred messages never keeps the others out.
MAX_MESSAGES = 1000
MAX_HELD = MAX_MESSAGES // 2
# Past this a message goes back to Pub/Sub, which keeps it for days.
LONGEST_HOLD_SECONDS = 600.0
# A subscription without a retry policy delivers again at once; what is nacked waits here first, or a broken
# service would be asked without a pause.
SHORTEST_PAUSE_SECONDS = 1.0
_ADDRESS = "https://pubsub.googleapis.com"
_FIX = " Does the subscription exist, and has this service's account the role roles/pubsub.subscriber on it?"


@dataclass(frozen=True)
class _Waiting:
    received: Any
    look_again: bool


class Puller:
    """Pulls from one subscription until it is stopped."""

    def __init__(self, subscription: str, processor: Processor, metrics: Metrics) -> None:
        """Connect to a subscription.

        Args:
            subscription: `projects/<project>/subscriptions/<name>`.
            processor: What handles messages.
            metrics: Where messages are counted.

        Raises:
            RetrainerError: If it is not named like that, or no credentials are found.
        """
        from google.auth.exceptions import DefaultCredentialsError
        from google.cloud import pubsub_v1

        self.subscription = check_subscription(subscription)
        self._processor = processor
        self._metrics = metrics
        try:
            self._client: Any = pubsub_v1.SubscriberClient()
        except DefaultCredentialsError as error:
            raise RetrainerError(
                f"no Google credentials to pull from '{subscription}': {error}."
            ) from error
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="message")
        self._holding = Holding(self._release, MAX_HELD)
        metrics.held.set_function(lambda: len(self._holding))
        self._stream: Any = None
        self._not_opened: AttributeError | None = None

    def start(self, ended: Callable[[], object]) -> None:
        """Start pulling.

        Args:
            ended: Called when the stream ends, for whatever reason, from another thread.
        """
        from google.cloud.pubsub_v1.subscriber.scheduler import ThreadScheduler
        from google.cloud.pubsub_v1.types import FlowControl

        try:
            self._stream = self._client.subscribe(
                self.subscription,
                self._take,
                flow_control=FlowControl(max_messages=MAX_MESSAGES),
                scheduler=ThreadScheduler(self._pool),
                await_callbacks_on_shutdown=True,
            )
        except AttributeError as error:
            # A refusal that comes before StreamingPullManager.open is through removes the threads that open starts
            # next (google-cloud-pubsub 2.39), and the refusal itself is lost with them.
            self._not_opened = error
            ended()
            return
        self._stream.add_done_callback(lambda _: ended())

    def check(self) -> None:
        """Make sure that the stream is open.

        Raises:
            RetrainerError: If it is not.
        """
        if self._stream is None or self._stream.done():
            raise RetrainerError(f"no messages are being pulled from '{self.subscription}'.")

    def stop(self, seconds: float) -> None:
        """Nack messages that are not being handled, and finish the others.

        Args:
            seconds: How long that may take.

        Raises:
            RetrainerError: If the stream broke for good before.
        """
        from google.api_core.exceptions import GoogleAPICallError

        for waiting in self._holding.stop():
            waiting.received.nack()
        if self._not_opened is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._client.close()
            raise RetrainerError(
                f"'{self.subscription}' can't be pulled from{route(_ADDRESS, http_only=True)}: Pub/Sub closed the "
                f"stream while it was opened.{_FIX}"
            ) from self._not_opened
        if self._stream is not None:
            self._stream.cancel()
            try:
                self._stream.result(timeout=seconds)
            except (TimeoutError, CancelledError):
                LOGGER.warning("not all messages were finished; Pub/Sub delivers them again.")
            except GoogleAPICallError as error:
                raise RetrainerError(
                    f"'{self.subscription}' can't be pulled from{route(_ADDRESS, http_only=True)}: {error}."
                    f"{advice(error) or _FIX}"
                ) from error
            finally:
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._client.close()

    def _take(self, received: Any) -> None:
        processed = self._processor.process(to_message(received))
        if processed.answer == Answer.DONE:
            # Where delivery is exactly once, the answer says whether Pub/Sub took it.
            received.ack_with_response().add_done_callback(partial(self._confirm, received))
        elif processed.answer == Answer.LATER and processed.retry_seconds <= LONGEST_HOLD_SECONDS:
            self._wait(_Waiting(received, look_again=True), processed.retry_seconds)
        else:
            pause = max(processed.retry_seconds, SHORTEST_PAUSE_SECONDS)
            self._wait(_Waiting(received, look_again=False), min(pause, LONGEST_HOLD_SECONDS))

    def _wait(self, waiting: _Waiting, seconds: float) -> None:
        if not self._holding.hold(waiting, seconds):
            waiting.received.nack()

    def _release(self, waiting: _Waiting) -> None:
        if not waiting.look_again:
            waiting.received.nack()
            return
        try:
            self._pool.submit(self._take, waiting.received)
        except RuntimeError:
            # The pool closed in between: the service is stopping.
            waiting.received.nack()

    def _confirm(self, received: Any, answer: Any) -> None:
        error = answer.exception()
        if error is not None:
            self._metrics.unconfirmed.inc()
            LOGGER.warning(
                "message %s: Pub/Sub did not accept its acknowledgement and will deliver it again: %s.",
                received.message_id,
                error,
            )


def check_subscription(name: str) -> str:
    """Check a subscription's name.

    Returns:
        The name.

    Raises:
        RetrainerError: If it is missing or wrong.
    """
    parts = name.split("/")
    if len(parts) != 4 or (parts[0], parts[2]) != ("projects", "subscriptions") or not all(parts):
        raise RetrainerError(
            f"the subscription to pull from is '{name}'; trigger_service.subscription in retrain.yaml or "
            "--subscription must name it as projects/<project>/subscriptions/<name>."
        )
    return name


def to_message(received: Any) -> Message:
    """Return a message of Google's client as ours."""
    return restore(
        Message(
            message_id=received.message_id,
            data=received.data,
            attributes=dict(received.attributes),
            published=received.publish_time,
            delivery_attempt=received.delivery_attempt or 0,
        )
    )
