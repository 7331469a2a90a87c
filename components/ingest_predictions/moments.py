"""Moments of requests: reading them as logs write them, and what counts where a clock is wrong."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from ..lib.moments import with_offset

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Seconds, milliseconds, microseconds and nanoseconds since 1970 differ in their size: from 1973 to 5138 they
# do not overlap.
_UNITS = ((10**11, 10**6), (10**14, 10**3), (10**17, 1))
_PERIODS = {"hour": (3_600_000_000, "%Y-%m-%dT%H"), "day": (86_400_000_000, "%Y-%m-%d")}
# Beyond, a datetime can't hold it.
_LAST = 253_402_300_800_000_000
WITHOUT_TIME, CLOCK_AHEAD, CLOCK_DIFFERS = "without_time", "clock_ahead", "clock_differs"
"""What is counted of moments that do not count."""


class Moment(NamedTuple):
    """When a request counts as made.

    Attributes:
        time: Microseconds since 1970, UTC.
        fault: Why the log's own moment does not count; empty if it does.
    """

    time: int
    fault: str = ""


def to_microseconds(moment: datetime) -> int:
    """Return microseconds since 1970, UTC; a moment without a time zone is UTC."""
    return (with_offset(moment) - _EPOCH) // _MICROSECOND


def to_datetime(time: int) -> datetime:
    """Return a moment in UTC."""
    return _EPOCH + time * _MICROSECOND


def read_moment(value: Any) -> int | None:
    """Read a moment.

    Args:
        value: ISO 8601 text, or a number of seconds, milliseconds, microseconds or nanoseconds since 1970.

    Returns:
        Microseconds since 1970, UTC; None if it is none.
    """
    if isinstance(value, datetime):
        return to_microseconds(value)
    if isinstance(value, str):
        try:
            return to_microseconds(datetime.fromisoformat(value))
        except ValueError:
            pass
        try:
            value = float(value)
        except ValueError:
            return _read_long_fraction(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    size = abs(value)
    for below, factor in _UNITS:
        if size < below:
            time = int(value * factor)
            break
    else:
        time = int(value // 1000) if size < 10**20 else _LAST
    return time if 0 <= time < _LAST else None


def choose_moment(logged: int | None, written: int | None, tolerance: int) -> Moment | None:
    """Choose the moment that counts.

    A row is written after its request. One that says that it came later than its file was written has a clock that is
    wrong: the file's time counts. This depends on the file alone, so that a row stays in its span whenever it is read.

    Args:
        logged: What the log says; None if nothing.
        written: When the file was written; None if unknown.
        tolerance: By how much clocks may differ, in microseconds.

    Returns:
        The moment; None if neither is known.
    """
    if logged is None:
        return None if written is None else Moment(written, WITHOUT_TIME)
    if written is not None and logged > written + tolerance:
        return Moment(written, CLOCK_AHEAD)
    return Moment(logged)


class Periods:
    """Spans of time: hours or days, in UTC.

    Attributes:
        length: Of a span, in microseconds.
    """

    def __init__(self, period: str) -> None:
        """Take the period: `hour` or `day`."""
        self.length, self._format = _PERIODS[period]

    def index(self, time: int) -> int:
        """Return the number of the span that a moment lies in."""
        return time // self.length

    def name(self, index: int) -> str:
        """Return a span's name, such as `2026-11-26` or `2026-11-26T11`."""
        return to_datetime(index * self.length).strftime(self._format)

    def parse(self, name: str) -> int:
        """Return the number of the span of a name."""
        return self.index(to_microseconds(datetime.strptime(name, self._format)))

    def start(self, index: int) -> int:
        """Return a span's first moment."""
        return index * self.length


def _read_long_fraction(text: Any) -> int | None:
    """Read ISO 8601 with more digits of a second than Python takes, as Go writes them."""
    if not isinstance(text, str) or "." not in text:
        return None
    head, _, rest = text.partition(".")
    digits = next((i for i, one in enumerate(rest) if not one.isdigit()), len(rest))
    try:
        moment = datetime.fromisoformat(f"{head}.{rest[:digits][:6].ljust(6, '0')}{rest[digits:]}")
    except ValueError:
        return None
    return to_microseconds(moment)
