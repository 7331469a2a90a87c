"""Whether a model has seen older data than the champion, which it must not replace by accident."""

from datetime import datetime

from ..errors import RetrainerError
from ..spans.span_patterns import compile_pattern, span_order
from .registry import ModelVersion


def is_older(span: str, other: str, pattern: str = "") -> bool | None:
    """Compare two spans in the order in which a pattern's spans are sorted.

    Args:
        span: A span's name.
        other: Another span's name.
        pattern: The pattern with `{span}` that they were found with; it has the format of their dates. Empty: numbers
            are compared as numbers, and other names as text.

    Returns:
        Whether `span` is older than `other`; None if the pattern's dates do not fit one of the names, as after a change
        of the pattern.
    """
    date_format = compile_pattern(pattern).date_format if pattern else None
    if date_format:
        for name in (span, other):
            try:
                datetime.strptime(name, date_format)
            except ValueError:
                return None
    key = span_order([span, other], date_format)
    return bool(key(span) < key(other))


def older_than_champion(
    span: str, champion: ModelVersion | None, pattern: str = ""
) -> tuple[bool, str]:
    """Return whether a model's newest span is older than the newest that the champion has seen.

    Args:
        span: The newest span of the model's window; empty if it is not known.
        champion: The champion; None for no champion.
        pattern: As `is_older` takes it.

    Returns:
        Whether it is older, and a clause about it: how much older, or that it can't be known. The clause is empty where
        there is nothing to say.
    """
    if champion is None or not span or not champion.newest_span:
        return False, ""
    seen = champion.newest_span
    older = is_older(span, seen, pattern)
    if older is None:
        return (
            False,
            f"'{span}' and the champion's newest span '{seen}' can't be ordered by '{pattern}'",
        )
    if older:
        return (
            True,
            f"span {span} is older than {seen}, which champion version {champion.version} has seen",
        )
    return False, ""


def parse_flag(name: str, flag: bool | str) -> bool:
    """Read a flag that may be text, as the parameters of a message or a schedule are.

    Args:
        name: What it is called.
        flag: The flag, or `true` or `false` as text; empty text means false.

    Raises:
        RetrainerError: If it is anything else.
    """
    word = str(flag).strip().lower()
    if word not in ("true", "false", ""):
        raise RetrainerError(f"{name} is '{flag}'; it must be true or false.")
    return word == "true"
