"""A message as e-mail, handed to an SMTP server."""

import hashlib
import html
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate

from ..lib.errors import RetrainerError
from ..lib.messages.send_errors import MaybeSentError, NotSentError
from ..lib.network import advice, certificates
from .notification import Notification, is_page
from .secret_values import SecretValue

PORTS = {"starttls": 587, "tls": 465, "none": 25}
"""The usual port by kind of encryption: RFC 8314 and RFC 5321."""


@dataclass(frozen=True)
class Mail:
    """Recipients, and the server that takes mail for them.

    Attributes:
        host: SMTP server.
        port: Its port.
        security: `starttls`, `tls` or `none`.
        sender: Address that the message comes from.
        to: Addresses that it goes to.
        user: User to log in as; empty for no login.
        password: Where the user's password is.
    """

    host: str
    port: int
    security: str
    sender: str
    to: tuple[str, ...]
    user: str
    password: SecretValue

    def send(self, notification: Notification, seconds: float) -> None:
        """Hand a message to the server.

        Args:
            notification: The message.
            seconds: How long to wait for each answer of the server.

        Raises:
            NotSentError: If the server certainly did not take it.
            MaybeSentError: If the reply was lost, or the server took it for some recipients only.
        """
        password = self.password.read() if self.user else ""
        message = compose(notification, self.sender, self.to)
        try:
            server = self._connect(seconds)
        except ssl.SSLError as error:
            raise NotSentError(
                f"no encrypted connection to {self.host}: {_words(error)}.{advice(error)}"
            ) from None
        except RetrainerError as error:
            raise NotSentError(str(error)) from None
        except smtplib.SMTPNotSupportedError:
            raise NotSentError(
                f"{self.host}:{self.port} offers no encryption (STARTTLS); if it encrypts from the start, set security "
                "to tls"
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            raise NotSentError(
                f"{self.host}:{self.port} can't be reached: {_words(error)}", transient=True
            ) from None
        try:
            self._log_in(server, password)
            self._hand_over(server, message)
        finally:
            server.close()

    def _connect(self, seconds: float) -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=certificates() or None)
        if self.security == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=seconds, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=seconds)
        try:
            server.ehlo_or_helo_if_needed()
            if self.security == "starttls":
                server.starttls(context=context)
        except BaseException:
            server.close()
            raise
        return server

    def _log_in(self, server: smtplib.SMTP, password: str) -> None:
        if not self.user:
            return
        try:
            server.login(self.user, password)
        except smtplib.SMTPAuthenticationError as error:
            raise NotSentError(
                f"{self.host} refuses the password of '{self.user}' ({error.smtp_code})"
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            raise NotSentError(
                f"{self.host} does not let '{self.user}' log in: {_words(error)}", transient=True
            ) from None

    def _hand_over(self, server: smtplib.SMTP, message: EmailMessage) -> None:
        try:
            refused = server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            who = ", ".join(error.recipients)
            raise NotSentError(
                f"{self.host} refuses the recipients {who}", _are_transient(codes)
            ) from None
        except smtplib.SMTPSenderRefused as error:
            raise NotSentError(
                f"{self.host} refuses the sender {self.sender}: {_words(error)}",
                _are_transient([error.smtp_code]),
            ) from None
        except smtplib.SMTPResponseException as error:
            raise NotSentError(
                f"{self.host} refuses the message: {_words(error)}",
                _are_transient([error.smtp_code]),
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            raise MaybeSentError(f"the connection to {self.host} broke: {_words(error)}") from None
        if refused:
            raise MaybeSentError(f"{self.host} refuses {', '.join(refused)}, and took the others")


def compose(notification: Notification, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """Write a message as plain text, and as HTML beside it.

    Args:
        notification: The message.
        sender: Address that it comes from.
        to: Addresses that it goes to.
    """
    message = EmailMessage()
    message["Subject"] = " ".join(notification.title.split())
    message["From"], message["To"] = sender, ", ".join(to)
    message["Date"] = formatdate(usegmt=True)
    # The same each time, so that mail programs show a second copy once.
    name = hashlib.sha256(notification.id.encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{name}@{sender.rpartition('@')[2].strip('> ') or 'retrainer'}>"
    # Keeps out-of-office programs from answering (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_plain(notification))
    message.add_alternative(_html(notification), subtype="html")
    return message


def _plain(notification: Notification) -> str:
    width = max(len(name) for name, _ in notification.facts())
    lines = [notification.title, "", notification.text, ""]
    lines += [f"{name.ljust(width)}  {value}" for name, value in notification.facts()]
    lines += ["", *(f"{word}: {link}" for word, link in notification.links())]
    return "\n".join(lines).rstrip() + "\n"


def _html(notification: Notification) -> str:
    rows = "".join(
        f'<tr><td style="padding:2px 16px 2px 0;color:#666">{html.escape(name)}</td>'
        f"<td>{html.escape(value)}</td></tr>"
        for name, value in notification.facts()
    )
    links = "<br>".join(
        f'<a href="{html.escape(link)}">{word}</a>'
        if is_page(link)
        else f"{word}: <code>{html.escape(link)}</code>"
        for word, link in notification.links()
    )
    text = html.escape(notification.text).replace("\n", "<br>")
    return (
        f'<html><body style="font-family:sans-serif"><h2>{html.escape(notification.title)}</h2>'
        f"<p>{text}</p><table>{rows}</table><p>{links}</p></body></html>"
    )


def _are_transient(codes: list[int]) -> bool:
    # RFC 5321, 4.2.1: 4yz is a transient refusal, 5yz a permanent one.
    return all(400 <= code < 500 for code in codes)


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        return " ".join(f"{error.smtp_code} {text}".split())
    return " ".join(str(error).split()) or type(error).__name__
