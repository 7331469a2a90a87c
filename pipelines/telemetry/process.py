"""What a process needs that answers many requests at once."""

import contextlib
import gc
import resource
import sys

# A thread that compresses or parses gives way to the one that answers after this long, in place of 5 ms.
_SWITCH_SECONDS = 0.0005
# Python's own default.
_NEW_OBJECTS = 700


def prepare_process() -> int:
    """Allow this process as many connections as the system does, and keep its pauses short.

    Returns:
        How many files it may have open, connections included.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        allowed = most
    # What is imported lives as long as the process: the collector need not walk it again and again.
    gc.collect()
    gc.freeze()
    # A command collects seldom, and then for long.
    gc.set_threshold(_NEW_OBJECTS)
    return sys.maxsize if allowed == resource.RLIM_INFINITY else allowed
