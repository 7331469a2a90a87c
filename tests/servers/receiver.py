"""A server that takes messages by POST, as a webhook's receiver or Slack does."""

from aiohttp import web
from servers.local_http import LocalServer


class Receiver(LocalServer):
    """Takes anything at `/hook`; answers `ok` as Slack does.

    Attributes:
        status: What to answer.
        text: With which text.
    """

    status, text = 200, "ok"

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/hook/{secret}", self._take), web.post("/hook", self._take)]

    async def _take(self, _: web.Request) -> web.Response:
        headers = {"Location": "/elsewhere"} if self.status in (301, 302, 307, 308) else {}
        return web.Response(status=self.status, text=self.text, headers=headers)
