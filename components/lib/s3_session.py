"""HTTP for s3:// that checks who answers.

Before its version 3, aiobotocore checks no host names, so that any certificate of a known authority passes, and behind
a proxy it checks no certificate at all: aio-libs/aiobotocore 2.26.0 aiobotocore/httpsession.py gives aiohttp a context
of botocore's, which leaves host names to urllib3, and with a proxy `ssl=ssl_context or False`. 3.10.0 has both right.
"""

import ssl
from typing import Any

from aiobotocore.httpsession import AIOHTTPSession  # type: ignore[import-untyped]


class CheckedSession(AIOHTTPSession):
    """Checks certificates and host names, with a proxy and without."""

    def _get_ssl_context(self) -> ssl.SSLContext:
        context: ssl.SSLContext = super()._get_ssl_context()
        context.check_hostname = True
        return context

    def _setup_proxy_ssl_context(self, proxy_url: Any) -> ssl.SSLContext:
        context: ssl.SSLContext | None = super()._setup_proxy_ssl_context(proxy_url)
        return context or self._get_ssl_context()
