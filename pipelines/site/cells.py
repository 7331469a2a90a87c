"""Cells that the tables of the page share."""

from datetime import UTC, datetime

from markupsafe import Markup


def whole(text: str) -> Markup:
    """Keep a text that fits a line on one line."""
    return Markup('<span class="{}">{}</span>').format("nobreak" if len(text) <= 24 else "", text)


def moment(at: str) -> str:
    """Write a moment of ISO 8601 in UTC, to the minute; empty for none."""
    if not at:
        return ""
    return f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%d %H:%M}"
