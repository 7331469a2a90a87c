"""A message in the format of Slack's incoming webhooks."""

import json
from dataclasses import dataclass
from typing import Any

from ..lib.messages.http_post import post
from .notification import Notification, is_page
from .secret_values import SecretValue

# Limits of a block: https://docs.slack.dev/reference/block-kit/blocks/section-block and header-block.
_MOST_HEADER, _MOST_TEXT, _MOST_FIELD, _MOST_FIELDS = 150, 3000, 2000, 10
_MARKS = {
    "pushed": ":white_check_mark:",
    "pending": ":raising_hand:",
    "refused": ":no_entry_sign:",
    "rolled_back": ":rewind:",
    "stopped": ":octagonal_sign:",
    "failed": ":x:",
    "waiting": ":hourglass:",
    "incident": ":warning:",
    "needs_a_person": ":raising_hand:",
    "escalated": ":rotating_light:",
    "resolved": ":white_check_mark:",
}


@dataclass(frozen=True)
class Slack:
    """An incoming webhook.

    Attributes:
        address: Where its address is, which is a secret.
    """

    address: SecretValue

    def send(self, notification: Notification, seconds: float) -> None:
        """Post a message.

        Args:
            notification: The message.
            seconds: How long to wait for the connection, and for the answer.

        Raises:
            NotSentError: If Slack certainly did not take it.
            MaybeSentError: If the reply was lost.
        """
        body = json.dumps(slack_content(notification), ensure_ascii=False).encode()
        post(self.address.read(), body, {}, seconds)


def slack_content(notification: Notification) -> dict[str, Any]:
    """Lay a message out in blocks.

    Args:
        notification: The message.

    Returns:
        `text`, which notifications show, and `blocks`, which the channel shows.
    """
    mark = _MARKS.get(notification.outcome, ":information_source:")
    fields = [
        {"type": "mrkdwn", "text": _cut(f"*{escape(name)}*\n{escape(value)}", _MOST_FIELD)}
        for name, value in notification.facts()[:_MOST_FIELDS]
    ]
    # A path on a machine is no link that Slack would open.
    links = [
        f"<{link}|{word}>" if is_page(link) else f"{word}: `{escape(link)}`"
        for word, link in notification.links()
    ]
    blocks: list[dict[str, Any]] = [
        {
            "type": "header",
            "text": {
                "type": "plain_text",
                "text": _cut(f"{mark} {notification.title}", _MOST_HEADER),
            },
        }
    ]
    if notification.text:
        text = _cut(escape(notification.text), _MOST_TEXT)
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text}})
    blocks.append({"type": "section", "fields": fields})
    if links:
        elements = [{"type": "mrkdwn", "text": _cut("  |  ".join(links), _MOST_TEXT)}]
        blocks.append({"type": "context", "elements": elements})
    return {"text": escape(f"{notification.title}. {notification.text}"), "blocks": blocks}


def escape(text: str) -> str:
    """Escape the three characters that mean something in Slack's mrkdwn.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 4]} ..."
