"""What a process needs that answers many requests at once."""

import contextlib
import gc
import resource
import sys

# A thread that compresses or parses gives way to the one that answers after this long, in place of 5 ms.
_SWITCH_SECONDS = 0.0005


def prepare_process() -> None:
    """Allow this process as many connections as the system does, and keep its pauses short."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    with contextlib.suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # What is imported lives as long as the process: the collector need not walk it again and again.
    gc.collect()
    gc.freeze()
