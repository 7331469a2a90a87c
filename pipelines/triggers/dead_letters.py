"""The topic for messages that can never work."""

from typing import Any

from ...components.lib.errors import RetrainerError
from ...components.lib.network import advice, route
from .interface import Message

PUBLISH_SECONDS = 10.0
# Pub/Sub's own limits.
_MAX_ATTRIBUTES = 100
_MAX_VALUE_BYTES = 1024
_ADDRESS = "https://pubsub.googleapis.com"
_FIX = (
    " Does the topic exist, and has this service's account the role roles/pubsub.publisher on it?"
)


class DeadLetterError(RetrainerError):
    """A message could not be put into the dead-letter topic."""


class DeadLetters:
    """Publishes messages into the dead-letter topic; may be used by several threads at once."""

    def __init__(self, topic: str) -> None:
        """Connect to a topic.

        Args:
            topic: `projects/<project>/topics/<name>`.

        Raises:
            RetrainerError: If it is not named like that, or no credentials are found.
        """
        from google.auth.exceptions import DefaultCredentialsError
        from google.cloud import pubsub_v1

        parts = topic.split("/")
        if len(parts) != 4 or (parts[0], parts[2]) != ("projects", "topics") or not all(parts):
            raise RetrainerError(
                f"trigger_service.dead_letter_topic is '{topic}'; it must be projects/<project>/topics/<name>."
            )
        self.topic = topic
        # A batch of one: the message is acknowledged only once this one is stored.
        batch = pubsub_v1.types.BatchSettings(max_messages=1)
        try:
            self._client: Any = pubsub_v1.PublisherClient(batch_settings=batch)
        except DefaultCredentialsError as error:
            raise RetrainerError(
                f"no Google credentials to publish to '{topic}': {error}."
            ) from error

    def publish(self, message: Message, reason: str) -> None:
        """Put a message into the topic, with the reason, and wait until it is stored.

        Args:
            message: The message; its body and attributes go along.
            reason: Why it can never work.

        Raises:
            DeadLetterError: If the topic did not take it.
        """
        from google.api_core.exceptions import GoogleAPIError
        from google.api_core.retry import Retry, if_transient_error
        from google.auth.exceptions import GoogleAuthError

        try:
            self._client.publish(
                self.topic,
                message.data,
                retry=Retry(predicate=if_transient_error, timeout=PUBLISH_SECONDS),
                timeout=PUBLISH_SECONDS,
                **describe(message, reason),
            ).result(timeout=PUBLISH_SECONDS + 1)
        except (GoogleAPIError, GoogleAuthError, TimeoutError, ValueError) as error:
            raise DeadLetterError(
                f"message {message.message_id} could not be put into '{self.topic}'{route(_ADDRESS)}: {error}."
                f"{advice(error) or _FIX}"
            ) from error


def describe(message: Message, reason: str) -> dict[str, str]:
    """Give the attributes of a dead letter: the message's own, its id and the reason, within Pub/Sub's limits."""
    added = {
        "retrainer-message-id": message.message_id,
        "retrainer-reason": reason.encode()[:_MAX_VALUE_BYTES].decode(errors="ignore"),
    }
    own = [item for item in message.attributes.items() if item[0] not in added]
    return {**dict(own[: _MAX_ATTRIBUTES - len(added)]), **added}
