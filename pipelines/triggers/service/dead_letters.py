"""The topic for permanently invalid messages."""

from typing import Any

from ....components.lib.errors import RetrainerError
from ....components.lib.network import advice, route
from ..types import MESSAGE_ID_ATTRIBUTE, PUBLISHED_ATTRIBUTE, Message

REASON_ATTRIBUTE = "retrainer-reason"
"""Attribute of a dead letter: why it is invalid."""

PUBLISH_SECONDS = 10.0
# Pub/Sub's own limits.
_MAX_ATTRIBUTES = 100
_MAX_KEY_BYTES = 256
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
        try:
            # This client, and not the API's alone, knows PUBSUB_EMULATOR_HOST.
            self._client: Any = pubsub_v1.PublisherClient()
        except DefaultCredentialsError as error:
            raise RetrainerError(
                f"no Google credentials to publish to '{topic}': {error}."
            ) from error

    def publish(self, message: Message, reason: str) -> None:
        """Put a message into the topic, with the reason, and wait until it is stored.

        Args:
            message: The message; its body and attributes go along.
            reason: Why it is invalid.

        Raises:
            DeadLetterError: If the topic did not take it.
        """
        from google.api_core.exceptions import GoogleAPIError
        from google.api_core.retry import Retry, if_transient_error
        from google.auth.exceptions import GoogleAuthError
        from google.pubsub_v1 import PublisherClient

        try:
            # The API's own method: the client's takes attributes as keywords, beside `topic`, `data`, `retry`,
            # `timeout` and `ordering_key` of its own, and a message may have attributes of those names.
            PublisherClient.publish(
                self._client,
                topic=self.topic,
                messages=[{"data": message.data, "attributes": describe(message, reason)}],
                retry=Retry(predicate=if_transient_error, timeout=PUBLISH_SECONDS),
                timeout=PUBLISH_SECONDS,
            )
        # A TypeError is protobuf's for a text that it can't encode.
        except (GoogleAPIError, GoogleAuthError, TimeoutError, TypeError, ValueError) as error:
            way = route(_ADDRESS, http_only=True)
            raise DeadLetterError(
                f"message {message.message_id} could not be put into '{self.topic}'{way}: {error}."
                f"{advice(error) or _FIX}"
            ) from error


def describe(message: Message, reason: str) -> dict[str, str]:
    """Return a dead letter's attributes: the message's own, its id and time, and the reason, within Pub/Sub's limits.

    Pub/Sub takes at most 100 attributes, keys of 256 bytes that do not begin with `goog`, and values of 1,024 bytes
    (cloud.google.com/pubsub/quotas#resource_limits, cloud.google.com/pubsub/docs/publisher#using-attributes); it adds
    some that begin so itself to messages that it delivers.
    """
    added = {
        MESSAGE_ID_ATTRIBUTE: message.message_id,
        PUBLISHED_ATTRIBUTE: message.published.isoformat(),
        REASON_ATTRIBUTE: reason,
    }
    own = [
        (key, value)
        for key, value in message.attributes.items()
        if key not in added and not key.startswith("goog") and _cut(key, _MAX_KEY_BYTES) == key
    ]
    kept = {**dict(own[: _MAX_ATTRIBUTES - len(added)]), **added}
    return {key: _cut(value, _MAX_VALUE_BYTES) for key, value in kept.items()}


def _cut(text: str, size: int) -> str:
    """Cut a text to so many bytes; half of a surrogate pair, which JSON can spell, becomes a question mark."""
    return text.encode(errors="replace")[:size].decode(errors="ignore")
