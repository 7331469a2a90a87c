"""The format number of a JSON record: a release reads the one that it writes."""

from collections.abc import Mapping
from typing import Any

from .errors import RetrainerError

_OTHER_RELEASE = "Use the version of retrainer that wrote it, or a newer one."


def check_format(content: Any, expected: int, what: str, fix: str = _OTHER_RELEASE) -> None:
    """Check that a record has the format that this release reads.

    Args:
        content: The record's JSON value; one that is no mapping has no format.
        expected: The format number.
        what: Which record it is, such as its URI in quotes.
        fix: What to do about another format.

    Raises:
        RetrainerError: If it has another format, or none.
    """
    found = content.get("format") if isinstance(content, Mapping) else None
    if found != expected:
        raise RetrainerError(
            f"{what} has format {found}, and this version of retrainer reads format {expected}. {fix}"
        )
