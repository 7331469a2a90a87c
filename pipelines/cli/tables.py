"""Tables on the console, and what stands in their cells."""

import re
from datetime import datetime

from rich.console import Console

_PIPE_COLUMNS = 1_000
_MOMENT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def open_console() -> Console:
    """Open the standard output for tables; what a program reads is not cut to a terminal's width."""
    # Names and messages are printed as they are, also where `:x:` stands in them.
    console = Console(emoji=False)
    return console if console.is_terminal else Console(width=_PIPE_COLUMNS, emoji=False)


def local_time(moment: str) -> str:
    """Format a time of a record in this machine's time zone, to the second."""
    if not moment:
        return "-"
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def local_times(text: str) -> str:
    """Format each time with a zone in a text of a record as `local_time` does."""
    return _MOMENT.sub(lambda found: local_time(found[0]), text)


def format_size(size: float) -> str:
    """Format a number of bytes, such as `1.5 MiB`."""
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{size:.0f} B"
