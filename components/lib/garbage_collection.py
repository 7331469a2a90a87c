"""Python's garbage collector: rarely in processes that run one task or command, and not at all within a block."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Importing TensorFlow makes a million objects that stay; by Python's default of 700 new ones they are looked at again
# and again, which takes a third of the import's time.
_NEW_OBJECTS = 50_000


def collect_seldom() -> None:
    """Look for cycles seldom while the process runs, and not at all when it ends.

    It holds for the whole process. Without it `predict_batch` takes over a second more of CPU time, whatever the rows,
    and `retrainer compile` half as much again.
    """
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
    # What is alive at the end is the operating system's to free.
    atexit.register(gc.freeze)


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the collection of cycles, which walks all objects of TensorFlow's modules again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
