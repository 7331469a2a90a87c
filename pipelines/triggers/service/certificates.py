"""The public certificates that Google signs tokens with, fetched and cached."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping

import aiohttp

from ....components.lib.errors import RetrainerError
from ....components.lib.network import advice, proxy_for, route

GOOGLE_CERTIFICATES = "https://www.googleapis.com/oauth2/v1/certs"
FETCH_SECONDS = 5.0
# A key id that is not known may be new, or made up: it is looked up, but not at every request.
REFETCH_SECONDS = 10.0
# After a failure the callers that wait come again, and must not each wait for a server that does not answer.
FAILURE_SECONDS = 1.0
_DEFAULT_MAX_AGE = 300.0


class CertificatesUnavailableError(Exception):
    """The certificates can't be fetched now, so that no token can be judged."""


class Certificates:
    """Certificates by key id, as PEM; for use within one event loop."""

    def __init__(
        self, url: str = GOOGLE_CERTIFICATES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepare to fetch from a URL.

        Args:
            url: Answers with a JSON object of PEM certificates by key id.
            clock: Seconds that only go forward.
        """
        self._url = url
        self._clock = clock
        self._known: Mapping[str, str] = {}
        self._expires = self._fetched = self._failed = float("-inf")
        self._lock = asyncio.Lock()

    async def get(self, key_id: str) -> str | None:
        """Return a certificate.

        Args:
            key_id: Its id.

        Returns:
            The PEM text, or None if Google has no key of that id.

        Raises:
            CertificatesUnavailableError: If the certificates had to be fetched, and could not be.
        """
        if self._must_fetch(key_id):
            async with self._lock:
                # Another request may have fetched them while this one waited.
                if self._must_fetch(key_id):
                    await self._fetch()
        return self._known.get(key_id)

    async def warm(self) -> None:
        """Fetch the certificates, if they are not there.

        Raises:
            CertificatesUnavailableError: If that is not possible.
        """
        await self.get("")

    def _must_fetch(self, key_id: str) -> bool:
        now = self._clock()
        if now >= self._expires:
            return True
        return key_id not in self._known and now >= self._fetched + REFETCH_SECONDS

    async def _fetch(self) -> None:
        now = self._clock()
        if now < self._failed + FAILURE_SECONDS:
            raise CertificatesUnavailableError(f"{self._url} failed just now.")
        try:
            # Clusters may reach Google through a proxy that the environment names. Not by aiohttp's `trust_env`, which
            # would send a login of ~/.netrc, too.
            proxy = proxy_for(self._url) or None
        except RetrainerError as error:
            raise CertificatesUnavailableError(str(error)) from error
        try:
            timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(self._url, proxy=proxy) as response,
            ):
                response.raise_for_status()
                known = await response.json(content_type=None)
                header = response.headers.get("Cache-Control", "")
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            self._failed = self._clock()
            raise CertificatesUnavailableError(
                f"{self._url} gave no certificates{route(self._url)}: {error or type(error).__name__}.{advice(error)}"
            ) from error
        if not isinstance(known, dict) or not known:
            self._failed = self._clock()
            raise CertificatesUnavailableError(f"{self._url} gave no certificates by key id.")
        found = re.search(r"max-age=(\d+)", header)
        self._known, self._fetched = known, now
        self._expires = now + (float(found[1]) if found else _DEFAULT_MAX_AGE)
