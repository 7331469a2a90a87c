"""An SMTP server on loopback, for smtplib to talk to: STARTTLS, TLS, logging in, and refusals on demand.

It answers as RFC 5321 (commands and codes), RFC 3207 (STARTTLS) and RFC 4954 (AUTH PLAIN) say.
"""

import base64
import datetime
import ipaddress
import socketserver
import ssl
import threading
import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"


def make_certificate(folder: Path) -> Path:
    """Write a certificate for loopback with its key into one file, which clients can trust; returns the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), False
        )
        .sign(key, hashes.SHA256())
    )
    file = folder / "loopback.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


class SmtpServer:
    """The server, within a `with`.

    Attributes:
        port: Where it listens.
        messages: What it took, each with its recipients.
        encrypted: For each message, whether its connection was encrypted.
        answers: What to answer in place of success, by command (`RCPT`, `END` of the data, ...): a line, or None to
            hang up; each is used once.
        hangs: Commands that get no answer.
    """

    def __init__(
        self, certificate: Path | None = None, tls: bool = False, password: str = ""
    ) -> None:
        self.messages: list[tuple[EmailMessage, list[str]]] = []
        self.encrypted: list[bool] = []
        self.answers: dict[str, list[str | None]] = {}
        self.hangs: set[str] = set()
        self.password = password
        self.tls = tls
        self.context: ssl.SSLContext | None = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate)

    def __enter__(self) -> "SmtpServer":
        self._server = socketserver.ThreadingTCPServer((HOST, 0), _Session)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.smtp = self  # type: ignore[attr-defined]
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.smtp: SmtpServer = self.server.smtp  # type: ignore[attr-defined]
        self.encrypted = False
        self.recipients: list[str] = []
        # A client that hangs up, or does not trust the certificate, is no error of the server.
        try:
            if self.smtp.tls:
                self._encrypt()
            self._serve()
        except OSError:
            return

    def _serve(self) -> None:
        self._say("220 loopback ESMTP")
        while line := self.rfile.readline().decode().strip():
            command, _, rest = line.partition(" ")
            command = command.upper()
            if command in self.smtp.hangs:
                time.sleep(60)
            if planned := self.smtp.answers.get(command):
                if not self._plan(planned):
                    return
            elif command == "QUIT":
                self._say("221 bye")
                return
            elif command in ("EHLO", "STARTTLS", "AUTH", "RCPT", "DATA"):
                getattr(self, f"_{command.lower()}")(rest)
            else:
                self._say("250 fine")

    def _plan(self, planned: list[str | None]) -> bool:
        answer = planned.pop(0)
        if answer is not None:
            self._say(answer)
        return answer is not None

    def _ehlo(self, _: str) -> None:
        can_encrypt = self.smtp.context is not None and not self.encrypted
        for line in [
            "loopback",
            *(["STARTTLS"] * can_encrypt),
            *(["AUTH PLAIN"] * bool(self.smtp.password)),
        ]:
            self._say(f"250-{line}")
        self._say("250 SIZE 1000000")

    def _starttls(self, _: str) -> None:
        self._say("220 go ahead")
        self._encrypt()

    def _auth(self, rest: str) -> None:
        given = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")[-1]
        self._say("235 welcome" if given == self.smtp.password else "535 5.7.8 wrong password")

    def _rcpt(self, rest: str) -> None:
        self.recipients.append(rest.partition("<")[2].partition(">")[0])
        self._say("250 fine")

    def _data(self, _: str) -> None:
        self._say("354 go ahead")
        lines: list[bytes] = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        if "END" in self.smtp.hangs:
            time.sleep(60)
        if planned := self.smtp.answers.get("END"):
            if not self._plan(planned):
                raise OSError("hung up")
            return
        message: Any = message_from_bytes(b"".join(lines), policy=policy.default)
        self.smtp.messages.append((message, self.recipients))
        self.smtp.encrypted.append(self.encrypted)
        self.recipients = []
        self._say("250 taken")

    def _encrypt(self) -> None:
        assert self.smtp.context
        self.connection = self.smtp.context.wrap_socket(self.request, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
        self.encrypted = True

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
        self.wfile.flush()
