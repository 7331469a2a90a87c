"""Stands in for Google as an issuer of tokens: signs them, and serves the certificates that they are checked by.

Claims of a push's token: cloud.google.com/pubsub/docs/authenticate-push-subscriptions. Certificates by key id:
googleapis/google-auth-library-python, google/oauth2/id_token.py, whose address is
www.googleapis.com/oauth2/v1/certs; how long they hold is in Cache-Control. By reading; nothing was seen from the
live issuer.
"""

import datetime
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from google.auth import crypt, jwt

from .local_http import LocalServer

AUDIENCE = "https://trigger.example.com/push"
ACCOUNT = "pusher@acme-ml.iam.gserviceaccount.com"


@dataclass(frozen=True)
class SigningKey:
    """A key of the issuer's."""

    key_id: str
    # Made at once: server and test ask for it from threads of their own.
    _private: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
        repr=False,
    )

    @cached_property
    def certificate(self) -> str:
        """Its certificate as PEM."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
        now = datetime.datetime.now(datetime.UTC)
        built = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._private.public_key())
            .serial_number(1)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .sign(self._private, hashes.SHA256())
        )
        return built.public_bytes(serialization.Encoding.PEM).decode()

    def token(self, **changes: Any) -> str:
        """Sign a token as Pub/Sub sends it; a claim given as None is left out."""
        now = int(time.time())
        claims = {
            "iss": "https://accounts.google.com",
            "aud": AUDIENCE,
            "email": ACCOUNT,
            "email_verified": True,
            "iat": now,
            "exp": now + 3600,
            "sub": "1",
            **changes,
        }
        pem = self._private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        signer = crypt.RSASigner.from_string(pem, self.key_id)
        kept = {key: value for key, value in claims.items() if value is not None}
        return jwt.encode(signer, kept).decode()


class CertificateServer(LocalServer):
    """Serves certificates by key id, as www.googleapis.com/oauth2/v1/certs does."""

    def __init__(self, *keys: SigningKey, max_age: int = 3600) -> None:
        super().__init__()
        self.keys = list(keys)
        self.max_age = max_age

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/certs", self._certs)]

    @property
    def certs_url(self) -> str:
        return f"{self.url}/certs"

    async def _certs(self, _: web.Request) -> web.Response:
        return web.json_response(
            {key.key_id: key.certificate for key in self.keys},
            headers={"Cache-Control": f"public, max-age={self.max_age}, must-revalidate"},
        )
