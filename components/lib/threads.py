"""Work on threads whose results come in order, with few of them in memory at once."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def read_ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """Make the next item on another thread while the caller uses the present one.

    It pays where making an item releases the interpreter's lock, as Arrow's readers do.

    Args:
        items: Made one after the other.

    Yields:
        The items, in order.
    """
    end = object()
    with ThreadPoolExecutor(max_workers=1) as pool:
        ahead = pool.submit(next, items, end)
        while (item := ahead.result()) is not end:
            ahead = pool.submit(next, items, end)
            yield item  # type: ignore[misc]


class BackgroundItems(Generic[T]):
    """Items that a thread makes from now on, in order, a few more than were taken.

    Close it when it is needed no more: the thread ends, and the generator of the items with it.
    """

    _POLL_SECONDS = 0.05

    def __init__(self, items: Generator[T, None, None], ahead: int) -> None:
        """Start the thread.

        Args:
            items: Made one after the other, and closed, on the thread.
            ahead: How many items may wait; the thread holds one more.
        """
        self._items = items
        self._made: Queue[tuple[list[T], BaseException | None]] = Queue(ahead)
        self._closed = Event()
        self._thread = Thread(target=self._make, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        """Take the items; an error in making one is raised after those before it."""
        while True:
            item, error = self._made.get()
            if error is not None:
                raise error
            if not item:
                return
            yield item[0]

    def close(self) -> None:
        """Stop the thread, and wait until it has ended."""
        self._closed.set()
        while self._thread.is_alive():
            with suppress(Empty):
                self._made.get(timeout=self._POLL_SECONDS)
        self._thread.join()

    def _make(self) -> None:
        error = None
        try:
            for item in self._items:
                self._made.put(([item], None))
                if self._closed.is_set():
                    break
        except BaseException as raised:
            error = raised
        try:
            self._items.close()
        except BaseException as raised:
            error = error or raised
        self._made.put(([], error))


def ordered_map(
    pool: Executor, function: Callable[[T], R], items: Iterable[T], ahead: int
) -> Iterator[R]:
    """Map items in a pool.

    Args:
        pool: Runs the function.
        function: What to call for each item.
        items: Read as the results are taken.
        ahead: How many results may wait.

    Yields:
        The results, in the order of the items.
    """
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def cores() -> int:
    """Return how many cores this process may use; a container may be given fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
