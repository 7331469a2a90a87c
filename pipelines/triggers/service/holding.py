"""Deferred messages that wait in this process until they are due."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(order=True)
class _Held:
    due: float
    number: int
    item: Any = field(compare=False)


class Holding:
    """Holds a bounded number of items, and hands each over when it is due, in a thread of its own."""

    def __init__(self, release: Callable[[Any], None], most: int) -> None:
        """Start holding.

        Args:
            release: Called with an item that is due.
            most: How many items may be held at once.
        """
        self._release = release
        self._most = most
        self._numbers = itertools.count()
        self._held: list[_Held] = []
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="holding", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, item: Any, seconds: float) -> bool:
        """Hold an item.

        Args:
            item: The item.
            seconds: For how long.

        Returns:
            False if too many are held already, or no more are taken.
        """
        with self._changed:
            if self._stopped or len(self._held) >= self._most:
                return False
            due = time.monotonic() + max(seconds, 0.0)
            heapq.heappush(self._held, _Held(due, next(self._numbers), item))
            self._changed.notify()
            return True

    def stop(self) -> list[Any]:
        """Accept and release no more.

        Returns:
            The items that were still held.
        """
        with self._changed:
            self._stopped = True
            left, self._held = [held.item for held in self._held], []
            self._changed.notify()
        self._thread.join()
        return left

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopped:
                    return
                wait = self._held[0].due - time.monotonic() if self._held else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                item = heapq.heappop(self._held).item
            self._release(item)
