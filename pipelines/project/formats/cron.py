"""Cron expressions and time zones, checked before a service is asked to keep them."""

import re
from zoneinfo import ZoneInfo

from ....components.lib.errors import RetrainerError

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
# Name, least and greatest value, and the words for them from the least on. Sunday is 0: not every service takes 7.
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of the month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]+))?")


UTC_NAMES = frozenset({"UTC", "Etc/UTC"})
_SHORT = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


def expand_cron(cron: str) -> str:
    """Return the five fields of an expression such as `@daily`; any other one with single spaces.

    Raises:
        ValueError: If it starts with @ and is none of those that are known.
    """
    text = " ".join(cron.split())
    if text.startswith("@") and text.lower() not in _SHORT:
        raise ValueError(
            f"the cron expression '{text}' is not known; take five fields, or {', '.join(_SHORT)}"
        )
    return _SHORT.get(text.lower(), text)


def check_cron(cron: str, time_zone: str) -> None:
    """Check when a schedule shall start runs.

    Args:
        cron: Five fields: minute, hour, day of the month, month, day of the week.
        time_zone: Name in the IANA database, such as `Europe/Berlin`.

    Raises:
        RetrainerError: If a field or the time zone is wrong, with what it takes.
    """
    parts = cron.split()
    if len(parts) != len(_FIELDS):
        raise RetrainerError(
            f"the cron expression '{cron}' has {len(parts)} fields and needs {len(_FIELDS)}: "
            f"{', '.join(name for name, *_ in _FIELDS)}. '30 6 * * 1-5' is half past six on weekdays."
        )
    for text, (name, least, greatest, words) in zip(parts, _FIELDS, strict=True):
        if not all(_is_right(part, least, greatest, words) for part in text.split(",")):
            spoken = f" or {words[0]}-{words[-1]}" if words else ""
            raise RetrainerError(
                f"the cron expression '{cron}': the {name} is '{text}', and it takes {least}-{greatest}{spoken}, '*', "
                "lists (1,15), ranges (1-5) and steps (*/10)."
            )
    try:
        ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError) as error:
        raise RetrainerError(
            f"there is no time zone '{time_zone}'. Take a name of the IANA database, such as UTC, Europe/Berlin or "
            "America/New_York."
        ) from error


def _is_right(part: str, least: int, greatest: int, words: list[str]) -> bool:
    match = _PART.fullmatch(part)
    if not match:
        return False
    step = match["step"]
    if step is not None and not 1 <= int(step) <= greatest:
        return False
    if match["first"] is None:
        return True
    ends = [_number(end, least, words) for end in (match["first"], match["last"]) if end]
    return all(least <= end <= greatest for end in ends) and ends == sorted(ends)


def _number(text: str, least: int, words: list[str]) -> int:
    """Read a number or a word; what is neither is below every field's range."""
    if text.isascii() and text.isdigit():
        return int(text)
    return least + words.index(text.lower()) if text.lower() in words else -1
