"""A registry of container images on loopback, as far as a client asks what a tag is.

Its answers follow opencontainers/distribution-spec (spec.md, "Pulling manifests") and, where it wants a login,
distribution.github.io/distribution/spec/auth/token and /oauth.
"""

import base64
import hashlib
import urllib.parse

from aiohttp import web
from servers.local_http import LocalServer

LIST_TYPE = "application/vnd.oci.image.index.v1+json"
TOKEN = "the-token-of-the-service"


class ImageRegistry(LocalServer):
    """Keeps manifests by repository and tag.

    Attributes:
        manifests: Manifests by (repository, tag).
        wants: What a request must show: nothing, or `bearer` or `basic`.
        login: User and password that are let in; None lets anybody in who asks the token service.
        refresh_token: Token that is let in, in place of the login.
        says_digest: Whether answers have the header Docker-Content-Digest, which the specification leaves open.
    """

    def __init__(self):
        super().__init__()
        self.manifests: dict[tuple[str, str], bytes] = {}
        self.wants = ""
        self.login: tuple[str, str] | None = None
        self.refresh_token = ""
        self.says_digest = True

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def push(self, repository: str, tag: str, content: str) -> str:
        """Make a tag another image, and give its digest."""
        manifest = content.encode()
        self.manifests[repository, tag] = manifest
        return f"sha256:{hashlib.sha256(manifest).hexdigest()}"

    def routes(self):
        return [
            web.get("/v2/{repository:.+}/manifests/{reference}", self._manifest),
            web.get("/token", self._token),
            web.post("/token", self._token),
        ]

    async def _manifest(self, request: web.Request) -> web.Response:
        repository, reference = request.match_info["repository"], request.match_info["reference"]
        shown = request.headers.get("Authorization", "")
        if self.wants == "bearer" and shown != f"Bearer {TOKEN}":
            challenge = f'Bearer realm="{self.url}/token",service="{self.host}",scope="repository:{repository}:pull"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        if self.wants == "basic" and not self._knows(shown):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="images"'})
        manifest = self.manifests.get((repository, reference))
        # A registry without a manifest of a type that is asked for answers as if there were none.
        if manifest is None or LIST_TYPE not in request.headers.get("Accept", ""):
            return web.json_response({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, status=404)
        headers = {"Content-Type": LIST_TYPE}
        if self.says_digest:
            headers["Docker-Content-Digest"] = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        return web.Response(body=manifest, headers=headers)

    async def _token(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            # The body is in memory already, which aiohttp's own reader of forms does not take.
            form = dict(urllib.parse.parse_qsl((await request.read()).decode()))
            let_in = bool(self.refresh_token) and form.get("refresh_token") == self.refresh_token
        else:
            shown = request.headers.get("Authorization", "")
            let_in = self._knows(shown) or (
                not shown and self.login is None and not self.refresh_token
            )
            form = dict(request.query)
        if not let_in or form.get("service") != self.host:
            return web.json_response({"errors": [{"code": "UNAUTHORIZED"}]}, status=401)
        return web.json_response({"token": TOKEN, "expires_in": 300})

    def _knows(self, shown: str) -> bool:
        if self.login is None:
            return False
        return shown == f"Basic {base64.b64encode(':'.join(self.login).encode()).decode()}"
