"""Stands in for Cloud Run in front of a service that requires authentication: IAM checks each token, and alters it.

The rules, with their sources (by reading; none was seen on the live service):
- A token in X-Serverless-Authorization is checked in place of the one in Authorization, which is then handed on
  untouched (cloud.google.com/run/docs/authenticating/service-to-service).
- The signature of the token that was checked is replaced by SIGNATURE_REMOVED_BY_GOOGLE before the container sees it
  (cloud.google.com/run/docs/troubleshooting#signature-removed).
- A request without a token, or with one that is expired or for another audience, is answered with 401; one of an
  account without the role run.invoker with 403 (the same page, "401" and "403"). Neither reaches the container.
- A request of HTTP/1 may have 32 MiB (cloud.google.com/run/quotas#request_limits); a larger one is answered with 413.
"""

import aiohttp
from aiohttp import web
from google.auth import jwt

from .google_tokens import SigningKey
from .local_http import LocalServer

MAX_BODY_BYTES = 32 << 20
_AUTHORIZATION, _SERVERLESS = "Authorization", "X-Serverless-Authorization"


def strip(token: str) -> str:
    """Replace a token's signature, as Cloud Run does."""
    return f"{token.rpartition('.')[0]}.SIGNATURE_REMOVED_BY_GOOGLE"


class CloudRun(LocalServer):
    """Forwards to a container what IAM lets through.

    Args:
        container: The container's URL.
        key: Who signs tokens.
        audience: A custom audience of the service.
        invokers: E-mails of the accounts that have the role run.invoker.
    """

    def __init__(self, container: str, key: SigningKey, audience: str, *invokers: str) -> None:
        super().__init__()
        self._container, self._key = container, key
        self._audience, self._invokers = audience, invokers

    def routes(self) -> list[web.RouteDef]:
        return [web.route("*", "/{path:.*}", self._forward)]

    async def _forward(self, request: web.Request) -> web.Response:
        name = _SERVERLESS if _SERVERLESS in request.headers else _AUTHORIZATION
        token = request.headers.get(name, "").removeprefix("Bearer ")
        try:
            claims = jwt.decode(
                token, certs={self._key.key_id: self._key.certificate}, audience=self._audience
            )
        except ValueError:
            return web.Response(status=401)
        if claims.get("email") not in self._invokers:
            return web.Response(status=403)
        body = await request.read()
        if len(body) > MAX_BODY_BYTES:
            return web.Response(status=413)
        headers = {**request.headers, name: f"Bearer {strip(token)}"}
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method, self._container + request.path, data=body, headers=headers
            ) as answer,
        ):
            return web.Response(status=answer.status, body=await answer.read())
