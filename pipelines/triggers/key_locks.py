"""One lock for each key, for as long as somebody wants it."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from threading import Lock


class KeyLocks:
    """Locks by key, so that two threads of this process do not do the same at once."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._locks: dict[Hashable, tuple[Lock, int]] = {}

    @contextmanager
    def hold(self, key: Hashable, seconds: float) -> Iterator[bool]:
        """Hold the lock of a key.

        Args:
            key: What nobody else shall do at the same time.
            seconds: How long to wait for another thread.

        Yields:
            Whether it was got; if not, another thread still has it.
        """
        with self._guard:
            lock, users = self._locks.get(key, (Lock(), 0))
            self._locks[key] = (lock, users + 1)
        held = lock.acquire(timeout=seconds)
        try:
            yield held
        finally:
            if held:
                lock.release()
            with self._guard:
                _, users = self._locks[key]
                if users == 1:
                    del self._locks[key]
                else:
                    self._locks[key] = (lock, users - 1)
