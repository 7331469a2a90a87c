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
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RetrainerError(
            f"now is '{text}'; write a moment such as 2026-11-26T12:00:00+00:00, or leave it out."
        ) from error
