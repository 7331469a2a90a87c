"""Whether a push request comes from Pub/Sub: Google's signature, our audience, the account that was agreed on."""

import hashlib
import time
from collections.abc import Mapping
from typing import Any, Protocol, TypeGuard

import cachetools
from google.auth import jwt
from google.auth.exceptions import GoogleAuthError, InvalidValue

from ...project.sections.triggers import PushAuth

CLOCK_SKEW_SECONDS = 10
ISSUERS = ("https://accounts.google.com", "accounts.google.com")
REMOVED_SIGNATURE = "SIGNATURE_REMOVED_BY_GOOGLE"
"""What Cloud Run puts in place of the signature of a token that its IAM has checked, before it hands the request on, so
that the service can't use the token elsewhere (cloud.google.com/run/docs/troubleshooting#signature-removed)."""
SERVERLESS_HEADER = "X-Serverless-Authorization"
"""If a request has it, Cloud Run's IAM checks the token in it and leaves Authorization alone
(cloud.google.com/run/docs/authenticating/service-to-service)."""
# Pub/Sub sends the same token for an hour, so a service sees a handful.
_MAX_KNOWN = 1024


class Verifier(Protocol):
    """Authenticates push requests."""

    async def verify(self, headers: Mapping[str, str]) -> None:
        """Accept a request with these headers, or raise TokenError or CertificatesUnavailableError."""

    async def warm(self) -> None:
        """Get ready, or raise CertificatesUnavailableError."""


class KeySource(Protocol):
    """Where public certificates come from."""

    async def get(self, key_id: str) -> str | None:
        """Return a PEM certificate, or None if there is none of that id."""

    async def warm(self) -> None:
        """Fetch them."""


class TokenError(Exception):
    """A token that is not accepted; the text is for the log.

    Attributes:
        kind: `missing`, `malformed`, `signature_removed`, `unknown_key`, `forged`, `expired`, `issuer`, `audience` or
            `account`.
        status: HTTP status: 401 if another token may do, 403 if Google's signature is right and it is not for us.
    """

    def __init__(self, kind: str, text: str, status: int = 401) -> None:
        super().__init__(text)
        self.kind = kind
        self.status = status


class TokenVerifier:
    """Verifies OpenID Connect tokens as Pub/Sub sends them; for use within one event loop."""

    def __init__(
        self, audience: str, account: str, certificates: KeySource, auth: PushAuth = PushAuth.TOKEN
    ) -> None:
        """Set whose requests are accepted.

        Args:
            audience: What a token must be for; one of several, with commas between them.
            account: E-mail of the account that it must be of; one of several, with commas between them.
            certificates: Google's.
            auth: Who checks the signature. With IAM, a token whose signature Cloud Run has replaced is checked for
                all else; one that has its signature is checked here as ever, since IAM has not seen it.
        """
        self._audiences = _split(audience)
        self._accounts = _split(account)
        self._certificates = certificates
        self._auth = auth
        # By digest, so that no token lies in memory longer than its request.
        self._known: cachetools.TLRUCache[bytes, float] = cachetools.TLRUCache(
            _MAX_KNOWN, ttu=lambda _, expiry, __: expiry, timer=time.time
        )

    async def warm(self) -> None:
        """Fetch the certificates, if tokens are checked by them.

        Raises:
            CertificatesUnavailableError: If that is not possible.
        """
        if self._auth == PushAuth.TOKEN:
            await self._certificates.warm()

    async def verify(self, headers: Mapping[str, str]) -> None:
        """Check a request's token.

        Args:
            headers: The request's headers; names are compared as the mapping compares them.

        Raises:
            TokenError: If it is not accepted.
            CertificatesUnavailableError: If that can't be decided now.
        """
        authorization = headers.get("Authorization", "")
        if self._auth == PushAuth.IAM:
            # The token that IAM has checked; with both headers, the other one is anybody's.
            authorization = headers.get(SERVERLESS_HEADER, authorization)
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenError("missing", "the request has no bearer token.")
        digest = hashlib.sha256(token.encode(errors="surrogateescape")).digest()
        if digest in self._known:
            return
        claims = await self._read(token)
        if claims.get("iss") not in ISSUERS:
            raise TokenError("issuer", f"the token's issuer is {claims.get('iss')!r}.", 403)
        if claims.get("aud") not in self._audiences:
            raise TokenError(
                "audience",
                f"the token's audience is {claims.get('aud')!r}; trigger_service.audience is "
                f"'{', '.join(self._audiences)}'.",
                403,
            )
        if claims.get("email") not in self._accounts or claims.get("email_verified") is not True:
            raise TokenError(
                "account",
                f"the token's account is {claims.get('email')!r} (verified: {claims.get('email_verified')!r}); "
                f"trigger_service.push_account is '{', '.join(self._accounts)}'.",
                403,
            )
        self._known[digest] = claims["exp"] + CLOCK_SKEW_SECONDS

    async def _read(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.decode_header(token)
        except (GoogleAuthError, ValueError, TypeError) as error:
            raise TokenError("malformed", "the token is not a JSON web token.") from error
        key_id = header.get("kid")
        if header.get("alg") != "RS256" or not isinstance(key_id, str):
            raise TokenError(
                "malformed", f"the token is signed by {header.get('alg')!r} with key {key_id!r}."
            )
        if token.endswith(f".{REMOVED_SIGNATURE}"):
            return self._read_checked(token)
        certificate = await self._certificates.get(key_id)
        if certificate is None:
            raise TokenError("unknown_key", f"the token's key {key_id!r} is not one of Google's.")
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

    def _read_checked(self, token: str) -> dict[str, Any]:
        """Read a token whose signature was replaced: only Cloud Run's IAM, if it is there, can have checked it."""
        if self._auth == PushAuth.TOKEN:
            # Anybody can write that word. It means something only where nobody comes in but through Cloud Run's IAM.
            raise TokenError(
                "signature_removed",
                f"the token's signature is '{REMOVED_SIGNATURE}', as Cloud Run leaves it when its IAM has checked the "
                "token. If this is a Cloud Run service that requires authentication, set trigger_service.auth to 'iam' "
                "(RETRAINER_TRIGGER_AUTH=iam); anywhere else the token is forged.",
            )
        try:
            claims: dict[str, Any] = jwt.decode(token, verify=False)
        except (GoogleAuthError, ValueError, TypeError) as error:
            raise TokenError("malformed", "the token is not a JSON web token.") from error
        issued, expires = claims.get("iat"), claims.get("exp")
        if not _is_number(issued) or not _is_number(expires):
            raise TokenError("forged", "the token does not say when it was issued and expires.")
        now = time.time()
        if not issued - CLOCK_SKEW_SECONDS <= now <= expires + CLOCK_SKEW_SECONDS:
            raise TokenError(
                "expired", f"the token is not valid now: it is from {issued} to {expires}."
            )
        return claims


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _split(texts: str) -> tuple[str, ...]:
    return tuple(text.strip() for text in texts.split(",") if text.strip())
