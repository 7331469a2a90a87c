"""A message in a Pub/Sub topic, for programs that act on it."""

from dataclasses import dataclass

from ..lib.messages.pubsub_publish import publish
from .notification import Notification

PREFIX = "retrainer-"


@dataclass(frozen=True)
class PubSubTopic:
    """A Pub/Sub topic.

    Attributes:
        name: `projects/<project>/topics/<name>`.
    """

    name: str

    def send(self, notification: Notification, seconds: float) -> None:
        """Publish a message: the JSON, with attributes that a subscription's filter can name.

        Args:
            notification: The message.
            seconds: How long to wait until Pub/Sub has stored it.

        Raises:
            NotSentError: If it was certainly not published.
            MaybeSentError: If the reply was lost.
        """
        publish(self.name, notification.body(), attributes(notification), seconds)


def attributes(notification: Notification) -> dict[str, str]:
    """Return what a subscription can filter by."""
    values = {
        "id": notification.id,
        "pipeline": notification.pipeline,
        "run": notification.run,
        "outcome": notification.outcome,
        "span": notification.span,
    }
    # Pub/Sub takes 1024 bytes for a value.
    return {
        f"{PREFIX}{key}": value.encode()[:1024].decode(errors="ignore")
        for key, value in values.items()
        if value
    }
