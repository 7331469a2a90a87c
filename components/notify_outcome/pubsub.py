"""A message in a Pub/Sub topic, for programs that act on it."""

from dataclasses import dataclass
from typing import Any

from .notification import Notification
from .send_errors import MaybeSentError, NotSentError

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
        # Its gRPC clients take a second to import.
        from google.api_core import exceptions
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import pubsub_v1

        batch = pubsub_v1.types.BatchSettings(max_messages=1)
        try:
            client: Any = pubsub_v1.PublisherClient(batch_settings=batch)
            # The trigger service sends for weeks, and a client keeps its connection and threads until it is closed.
            with client:
                # One try: whether there is another is decided here, for all channels alike.
                client.publish(
                    self.name,
                    notification.body(),
                    retry=None,
                    timeout=seconds,
                    **attributes(notification),
                ).result(timeout=seconds + 1)
        except GoogleAuthError as error:
            raise NotSentError(f"no Google credentials to publish with: {_first(error)}") from None
        except (exceptions.DeadlineExceeded, exceptions.Unknown, TimeoutError) as error:
            raise MaybeSentError(f"Pub/Sub did not answer: {_first(error)}") from None
        except exceptions.NotFound:
            raise NotSentError(f"there is no topic '{self.name}'") from None
        except exceptions.PermissionDenied:
            raise NotSentError(
                f"this account may not publish to '{self.name}': grant it roles/pubsub.publisher there"
            ) from None
        except exceptions.GoogleAPICallError as error:
            transient = isinstance(error, exceptions.ServerError | exceptions.TooManyRequests)
            raise NotSentError(f"Pub/Sub refuses: {_first(error)}", transient) from None


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


def _first(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
