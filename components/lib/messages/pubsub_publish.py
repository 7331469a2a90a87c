"""Publishing to a Pub/Sub topic, so that it is known whether the message was taken."""

from collections.abc import Mapping
from typing import Any

from .send_errors import MaybeSentError, NotSentError


def publish(topic: str, body: bytes, attributes: Mapping[str, str], seconds: float) -> None:
    """Publish a message.

    Args:
        topic: `projects/<project>/topics/<name>`.
        body: Its data.
        attributes: Its attributes.
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
                topic,
                body,
                retry=None,
                timeout=seconds,
                **attributes,
            ).result(timeout=seconds + 1)
    except GoogleAuthError as error:
        raise NotSentError(f"no Google credentials to publish with: {_first(error)}") from None
    except (exceptions.DeadlineExceeded, exceptions.Unknown, TimeoutError) as error:
        raise MaybeSentError(f"Pub/Sub did not answer: {_first(error)}") from None
    except exceptions.NotFound:
        raise NotSentError(f"there is no topic '{topic}'") from None
    except exceptions.PermissionDenied:
        raise NotSentError(
            f"this account may not publish to '{topic}': grant it roles/pubsub.publisher there"
        ) from None
    except exceptions.GoogleAPICallError as error:
        transient = isinstance(error, exceptions.ServerError | exceptions.TooManyRequests)
        raise NotSentError(f"Pub/Sub refuses: {_first(error)}", transient) from None


def _first(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
