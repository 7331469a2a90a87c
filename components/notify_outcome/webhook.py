"""A message as JSON, to any web server."""

import hashlib
import hmac
from dataclasses import dataclass

from ..lib.messages.http_post import post
from .notification import Notification
from .secret_values import SecretValue

SIGNATURE_HEADER, ID_HEADER = "X-Retrainer-Signature-256", "X-Retrainer-Id"


@dataclass(frozen=True)
class Webhook:
    """A server that takes the message as JSON.

    Attributes:
        url: Its address; empty if `address` has it.
        address: Where its address is, if that is a secret.
        secret: Where the secret is that the message is signed with; None to sign nothing.
    """

    url: str
    address: SecretValue
    secret: SecretValue | None

    def send(self, notification: Notification, seconds: float) -> None:
        """Post a message.

        Args:
            notification: The message.
            seconds: How long to wait for the connection, and for the answer.

        Raises:
            NotSentError: If the server certainly did not take it.
            MaybeSentError: If the reply was lost.
        """
        body = notification.body()
        headers = {ID_HEADER: notification.id, "User-Agent": "retrainer"}
        if self.secret:
            headers[SIGNATURE_HEADER] = sign(body, self.secret.read())
        post(self.url or self.address.read(), body, headers, seconds)


def sign(body: bytes, secret: str) -> str:
    """Sign a message as GitHub's webhooks do in `X-Hub-Signature-256`, so that their receivers' code serves.

    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries

    Args:
        body: The body of the request.
        secret: What both sides know.

    Returns:
        `sha256=` and the HMAC-SHA-256 in hexadecimal digits.
    """
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
