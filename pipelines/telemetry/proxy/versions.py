"""Which version answers a request that names none, as TensorFlow Serving says."""

import asyncio
import contextlib
import time

import aiohttp

_AGE_SECONDS = 10.0
# A server that does not say is asked rarely.
_UNKNOWN_SECONDS = 300.0
_TIMEOUT = aiohttp.ClientTimeout(total=5)
_MOST_MODELS = 256


class ServedVersions:
    """Remembers versions for some seconds, and asks in the background, so that no request waits.

    A request without a version goes to the newest that is loaded (github.com/tensorflow/serving,
    tensorflow_serving/g3doc/api_rest.md, "Model status API" and "Predict API").
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """Take the session, whose paths are relative to the server's address."""
        self._session = session
        self._known: dict[str, tuple[str | None, float]] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    def find(self, status_path: str) -> str | None:
        """Return the version that a model serves; None if it is not known (yet).

        Args:
            status_path: Where the server says so.
        """
        version, until = self._known.get(status_path, (None, 0.0))
        if time.monotonic() >= until and status_path not in self._asking:
            # Clients choose the paths: there must not be one task for each that they make up.
            if status_path not in self._known and len(self._known) >= _MOST_MODELS:
                return None
            self._asking[status_path] = asyncio.create_task(self._ask(status_path))
        return version

    def first_answer(self, status_path: str) -> asyncio.Task[None] | None:
        """Return what waits for the first word on a model; None if there was one, or nobody asks."""
        return None if status_path in self._known else self._asking.get(status_path)

    async def close(self) -> None:
        """End what is in progress."""
        for task in list(self._asking.values()):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _ask(self, status_path: str) -> None:
        version = None
        try:
            async with self._session.get(status_path, timeout=_TIMEOUT) as answer:
                if answer.status == 200:
                    version = read_version(await answer.json(content_type=None))
        except (aiohttp.ClientError, TimeoutError, ValueError):
            pass
        finally:
            age = _UNKNOWN_SECONDS if version is None else _AGE_SECONDS
            known = self._known.get(status_path, (None, 0.0))[0]
            if version is None and known is not None:
                # Not answering for once means nothing; the version is not known any more, though.
                age = _AGE_SECONDS
            self._known[status_path] = (version, time.monotonic() + age)
            self._asking.pop(status_path, None)


def read_version(status: object) -> str | None:
    """Read the newest version that is loaded from a model's status.

    Args:
        status: What TensorFlow Serving answers, parsed.
    """
    listed = status.get("model_version_status") if isinstance(status, dict) else None
    numbers = [
        int(one["version"])
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict)
        and one.get("state") == "AVAILABLE"
        and str(one.get("version", "")).isdecimal()
    ]
    return str(max(numbers)) if numbers else None
