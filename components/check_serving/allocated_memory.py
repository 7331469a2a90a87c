"""How much memory is allocated in this process, by the C library's own count.

It runs in the process that serves: Python alone.
"""

import ctypes
from typing import Any


class _Counts(ctypes.Structure):
    """The `struct mallinfo2` of glibc 2.33 and later; see mallinfo(3)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


def allocated_bytes() -> int | None:
    """Return how many bytes are allocated and not freed; None where the C library does not say."""
    library: Any = ctypes.CDLL(None)
    function = getattr(library, "mallinfo2", None)
    if function is None:
        return None
    function.restype = _Counts
    counts = function()
    # Of the arenas, and of blocks that are mapped each by itself.
    return int(counts.uordblks + counts.hblkhd)
