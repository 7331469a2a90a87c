"""Channels: parsing their settings into senders."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..lib.errors import RetrainerError
from ..lib.messages.http_post import host_of
from ..lib.messages.send_errors import NotSentError
from ..lib.words import one_of
from .mail import PORTS, Mail
from .notification import Notification
from .pubsub import PubSubTopic
from .secret_values import SecretValue
from .slack import Slack
from .webhook import Webhook

SLACK_VARIABLE, PASSWORD_VARIABLE = "RETRAINER_SLACK_URL", "RETRAINER_SMTP_PASSWORD"
_TOPIC = re.compile(r"projects/[^/\s]+/topics/[A-Za-z][\w.~+%-]{2,254}")
_ADDRESS = re.compile(r"[^@\s<>,;:\"()]+@[^@\s<>,;:\"()]+")
_NAMED_ADDRESS = re.compile(rf"[^<>@\r\n]*<({_ADDRESS.pattern})>")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+")


class Sender(Protocol):
    """What sends a message over one channel."""

    def send(self, notification: Notification, seconds: float) -> None:
        """Send a message; raises NotSentError or MaybeSentError."""


@dataclass(frozen=True)
class Channel:
    """A channel.

    Attributes:
        name: What messages call it, such as `slack` or `email[1]`.
        on: The outcomes that it is for.
        sender: What sends.
        digest: A name of its settings: the same channel, though its place in the list changed.
    """

    name: str
    on: frozenset[str]
    sender: Sender
    digest: str

    def secrets(self) -> list[SecretValue]:
        """List where its secrets are."""
        found = [one for one in vars(self.sender).values() if isinstance(one, SecretValue)]
        return [secret for secret in found if secret.env or secret.file]


def parse_channel(settings: Mapping[str, Any]) -> Channel:
    """Read a channel's settings.

    Args:
        settings: `kind` (`webhook`, `slack`, `email` or `pubsub`), `name`, `on`, and what the kind takes.

    Returns:
        The channel.

    Raises:
        RetrainerError: If a setting is wrong.
    """
    make = {"webhook": _webhook, "slack": _slack, "email": _email, "pubsub": _pubsub}
    kind = str(settings.get("kind"))
    if kind not in make:
        raise RetrainerError(f"the channel kind '{kind}' is unknown; use {one_of(list(make))}.")
    destination = {key: settings[key] for key in sorted(settings) if key not in ("name", "on")}
    digest = hashlib.sha256(json.dumps(destination).encode()).hexdigest()[:12]
    name = str(settings.get("name") or kind)
    on = frozenset(map(str, settings.get("on") or ()))
    return Channel(name, on, make[kind](settings, name), digest)


def _webhook(settings: Mapping[str, Any], name: str) -> Sender:
    ways = [key for key in ("url", "url_env", "url_file") if settings.get(key)]
    if len(ways) != 1:
        raise RetrainerError(
            f"notify.{name} needs one of url, url_env and url_file, and has {' and '.join(ways) or 'none'}."
        )
    url = str(settings.get("url") or "")
    if url:
        try:
            host_of(url)
        except NotSentError as error:
            raise RetrainerError(f"notify.{name}.url is '{url}': {error}.") from error
    secret = _secret(settings, name, "secret", "the secret", "")
    return Webhook(
        url, _secret(settings, name, "url", "the address", "") or SecretValue(""), secret
    )


def _slack(settings: Mapping[str, Any], name: str) -> Sender:
    address = _secret(settings, name, "url", "the address", SLACK_VARIABLE)
    return Slack(address or SecretValue("the address", SLACK_VARIABLE))


def _email(settings: Mapping[str, Any], name: str) -> Sender:
    security = str(settings.get("security") or "starttls")
    if security not in PORTS:
        raise RetrainerError(
            f"notify.{name}.security is '{security}'; it must be one of {', '.join(PORTS)}."
        )
    host = str(settings.get("host") or "")
    if not _HOST.fullmatch(host):
        raise RetrainerError(
            f"notify.{name}.host is '{host}'; it must be the name of an SMTP server, such as smtp.example.com, "
            "without a scheme or a port."
        )
    sender, to = str(settings.get("sender") or ""), tuple(map(str, settings.get("to") or ()))
    for key, address in (("sender", sender), *(("to", one) for one in to)):
        if not (_ADDRESS.fullmatch(address) or _NAMED_ADDRESS.fullmatch(address)):
            raise RetrainerError(
                f"notify.{name}.{key} has '{address}', which is not an e-mail address, such as team@example.com."
            )
    if not to:
        raise RetrainerError(f"notify.{name}.to names nobody.")
    user = str(settings.get("user") or "")
    default = PASSWORD_VARIABLE if user else ""
    password = _secret(settings, name, "password", "the password", default)
    if not user and any(settings.get(f"password_{way}") for way in ("env", "file")):
        raise RetrainerError(f"notify.{name} names a password and no user; set user.")
    if user and security == "none":
        raise RetrainerError(
            f"notify.{name} would send the password of '{user}' unencrypted; set security to starttls or tls."
        )
    # KFP hands numbers over as floating point.
    port = int(settings.get("port") or PORTS[security])
    return Mail(host, port, security, sender, to, user, password or SecretValue("the password"))


def _pubsub(settings: Mapping[str, Any], name: str) -> Sender:
    topic = str(settings.get("topic") or "")
    if not _TOPIC.fullmatch(topic):
        raise RetrainerError(
            f"notify.{name}.topic is '{topic}'; it must be projects/<project>/topics/<name>, "
            "the name of 3 to 255 characters, the first a letter."
        )
    return PubSubTopic(topic)


def _secret(
    settings: Mapping[str, Any], name: str, key: str, what: str, default: str
) -> SecretValue | None:
    env, file = str(settings.get(f"{key}_env") or ""), str(settings.get(f"{key}_file") or "")
    if env and file:
        raise RetrainerError(f"notify.{name} has both {key}_env and {key}_file; keep one of them.")
    if not env and not file and not default:
        return None
    return SecretValue(what, "" if file else env or default, file)
