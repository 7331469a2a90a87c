"""A company's proxy on loopback: the only way out, and it reads all traffic with certificates of its own authority.

Names resolve nowhere but here. `CONNECT` is answered with a certificate for the name, so that only a client that trusts
the authority goes on; a request for an absolute http:// address is passed on as it is.
"""

import base64
import datetime
import select
import socket
import socketserver
import ssl
import threading
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_CHUNK = 1 << 16
_DAY = datetime.timedelta(days=1)


class Authority:
    """A certificate authority that nobody knows; its certificate is written to a file."""

    def __init__(self, folder: Path) -> None:
        """Make one; `folder` takes its files."""
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Acme inspection")])
        self._contexts: dict[tuple[str, bool], ssl.SSLContext] = {}
        self._lock = threading.Lock()
        certificate = self._sign(self._name, self._key, authority=True)
        self.file = folder / "acme-ca.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def context(self, host: str, grpc: bool) -> ssl.SSLContext:
        """Return what a server of that name answers TLS with."""
        with self._lock:
            if (host, grpc) not in self._contexts:
                self._contexts[host, grpc] = self._make_context(host, grpc)
            return self._contexts[host, grpc]

    def _make_context(self, host: str, grpc: bool) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        certificate = self._sign(name, key, host=host)
        file = self._folder / f"{host}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        context.set_alpn_protocols(["h2" if grpc else "http/1.1"])
        return context

    def _sign(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        host: str = "",
        authority: bool = False,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        usage = x509.KeyUsage(
            digital_signature=not authority, key_cert_sign=authority, crl_sign=authority,
            content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        built = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(own, critical=False)
            .add_extension(issuer, critical=False)
            .add_extension(usage, critical=True)
        )
        if host:
            names = x509.SubjectAlternativeName([x509.DNSName(host)])
            built = built.add_extension(names, critical=False)
        return built.sign(self._key, hashes.SHA256())


class Proxy(socketserver.ThreadingTCPServer):
    """The proxy, within a `with`.

    Attributes:
        ways: The port on loopback behind each name; what is not among them is answered 502.
        grpc: Names behind which there is gRPC.
        impostors: Names that are answered with a certificate for another name.
        login: `user:password` that it wants; empty for none.
        seen: `CONNECT host:port` or `GET http://...` of each request.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, authority: Authority) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.authority = authority
        self.ways: dict[str, int] = {}
        self.grpc: set[str] = set()
        self.impostors: set[str] = set()
        self.login = ""
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Connection(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        head = self._read_head()
        if not head:
            return
        method, target, _ = head[0].split(" ", 2)
        self.server.seen.append(f"{method} {target}")
        host = target.rpartition(":")[0] if method == "CONNECT" else urlsplit(target).hostname or ""
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])
        }
        expected = base64.b64encode(self.server.login.encode()).decode()
        if self.server.login and headers.get("proxy-authorization") != f"Basic {expected}":
            self._refuse(
                '407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="acme"'
            )
        elif host not in self.server.ways:
            self._refuse("502 Bad Gateway")
        elif method == "CONNECT":
            self._tunnel(host)
        else:
            self._pass_on(head, target, host)

    def _read_head(self) -> list[str]:
        lines = []
        while line := self.rfile.readline().decode("latin-1").rstrip("\r\n"):
            lines.append(line)
        return lines

    def _refuse(self, status: str) -> None:
        self.wfile.write(
            f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )

    def _tunnel(self, host: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        name = "somebody.else.example" if host in self.server.impostors else host
        context = self.server.authority.context(name, host in self.server.grpc)
        try:
            client = context.wrap_socket(self.connection, server_side=True)
        except (ssl.SSLError, OSError):
            # A client that does not trust the authority goes away.
            return
        with client, self._open(host) as service:
            _exchange(client, service)

    def _pass_on(self, head: list[str], target: str, host: str) -> None:
        method, _, version = head[0].split(" ", 2)
        parts = urlsplit(target)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        kept = [line for line in head[1:] if not line.lower().startswith(("connection:", "proxy-"))]
        first = f"{method} {path or '/'} {version}"
        with self._open(host) as service:
            service.sendall(
                "\r\n".join([first, *kept, "Connection: close", "", ""]).encode("latin-1")
            )
            # What of the body came with the head is in the reader's buffer.
            length = next(
                (int(its[15:]) for its in kept if its.lower().startswith("content-length:")), 0
            )
            service.sendall(self.rfile.read(length))
            while data := service.recv(_CHUNK):
                self.wfile.write(data)

    def _open(self, host: str) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.ways[host]))


def _exchange(client: ssl.SSLSocket, service: socket.socket) -> None:
    """Pass on what either side says until one has said all."""
    while True:
        waiting = [client] if client.pending() else select.select([client, service], [], [])[0]
        for one in waiting:
            try:
                data = one.recv(_CHUNK)
            except OSError:
                data = b""
            if not data:
                return
            (service if one is client else client).sendall(data)
