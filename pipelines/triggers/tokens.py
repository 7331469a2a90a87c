"""Whether a push request comes from Pub/Sub: Google's signature, our audience, the account that was agreed on."""

import hashlib
import time
from typing import Any, Protocol

import cachetools
from google.auth import jwt
from google.auth.exceptions import GoogleAuthError, InvalidValue

CLOCK_SKEW_SECONDS = 10
ISSUERS = ("https://accounts.google.com", "accounts.google.com")
# Pub/Sub sends the same token for an hour, so a service sees a handful.
_MAX_KNOWN = 1024


class Verifier(Protocol):
    """What lets push requests in."""

    async def verify(self, authorization: str) -> None:
        """Let a request in, or raise TokenError or CertificatesUnavailableError."""

    async def warm(self) -> None:
        """Get ready, or raise CertificatesUnavailableError."""


class KeySource(Protocol):
    """Where public certificates come from."""

    async def get(self, key_id: str) -> str | None:
        """Give a PEM certificate, or None if there is none of that id."""

    async def warm(self) -> None:
        """Fetch them."""


class TokenError(Exception):
    """A token that does not let a request in; the text is for the log.

    Attributes:
        kind: `missing`, `malformed`, `unknown_key`, `forged`, `expired`, `issuer`, `audience` or `account`.
        status: HTTP status: 401 if another token may do, 403 if Google's signature is right and it is not for us.
    """

    def __init__(self, kind: str, text: str, status: int = 401) -> None:
        super().__init__(text)
        self.kind = kind
        self.status = status


class TokenVerifier:
    """Verifies OpenID Connect tokens as Pub/Sub sends them; for use within one event loop."""

    def __init__(self, audience: str, service_account: str, certificates: KeySource) -> None:
        """Say who may come in.

        Args:
            audience: What a token must be for.
            service_account: E-mail of the account that it must be of.
            certificates: Google's.
        """
        self._audience = audience
        self._account = service_account
        self._certificates = certificates
        # By digest, so that no token lies in memory longer than its request.
        self._known: cachetools.TLRUCache[bytes, float] = cachetools.TLRUCache(
            _MAX_KNOWN, ttu=lambda _, expiry, __: expiry, timer=time.time
        )

    async def warm(self) -> None:
        """Fetch the certificates.

        Raises:
            CertificatesUnavailableError: If that is not possible.
        """
        await self._certificates.warm()

    async def verify(self, authorization: str) -> None:
        """Check a request's token.

        Args:
            authorization: The header's value, empty if there is none.

        Raises:
            TokenError: If it does not let the request in.
            CertificatesUnavailableError: If that can't be told now.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenError("missing", "the request has no bearer token.")
        digest = hashlib.sha256(token.encode(errors="surrogateescape")).digest()
        if digest in self._known:
            return
        claims = await self._read(token)
        if claims.get("iss") not in ISSUERS:
            raise TokenError("issuer", f"the token's issuer is {claims.get('iss')!r}.", 403)
        if claims.get("aud") != self._audience:
            raise TokenError(
                "audience",
                f"the token's audience is {claims.get('aud')!r}; trigger_service.audience is '{self._audience}'.",
                403,
            )
        if claims.get("email") != self._account or claims.get("email_verified") is not True:
            raise TokenError(
                "account",
                f"the token's account is {claims.get('email')!r} (verified: {claims.get('email_verified')!r}); "
                f"trigger_service.service_account is '{self._account}'.",
                403,
            )
        self._known[digest] = claims["exp"] + CLOCK_SKEW_SECONDS

    async def _read(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.decode_header(token)
        except (GoogleAuthError, ValueError, TypeError) as error:
            raise TokenError("malformed", "the token is no JSON web token.") from error
        key_id = header.get("kid")
        if header.get("alg") != "RS256" or not isinstance(key_id, str):
            raise TokenError(
                "malformed", f"the token is signed by {header.get('alg')!r} with key {key_id!r}."
            )
        certificate = await self._certificates.get(key_id)
        if certificate is None:
            raise TokenError("unknown_key", f"the token's key {key_id!r} is none of Google's.")
        try:
            # Signature, expiry and time of issue; what it says is checked by the caller.
            claims: dict[str, Any] = jwt.decode(
                token, certs={key_id: certificate}, clock_skew_in_seconds=CLOCK_SKEW_SECONDS
            )
        except InvalidValue as error:
            raise TokenError("expired", f"the token is not valid now: {error}.") from error
        except (GoogleAuthError, ValueError, TypeError) as error:
            raise TokenError("forged", f"the token is forged or broken: {error}.") from error
        return claims
