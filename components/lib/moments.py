"""Moments that people and pipelines write: ISO 8601, in UTC where no offset says otherwise."""

from datetime import UTC, datetime

from .errors import RetrainerError


def parse_now(text: str) -> datetime | None:
    """Read what counts as the time.

    Args:
        text: A moment in ISO 8601; empty for the clock's time.

    Returns:
        The moment in UTC; None for the clock's time.

    Raises:
        RetrainerError: If it is no moment.
    """
    if not text:
        return None
    try:
        return with_offset(datetime.fromisoformat(text)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RetrainerError(
            f"now is '{text}'; write a moment such as 2026-11-26T12:00:00+00:00, or leave it out."
        ) from error


def with_offset(moment: datetime) -> datetime:
    """Return a moment with its offset: UTC where it has none."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def now_text() -> str:
    """Return the time as records have it: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
