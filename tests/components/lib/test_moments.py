"""Moments that people write."""

from datetime import UTC, datetime

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.moments import parse_now


@pytest.mark.parametrize(
    ("text", "hour"),
    [("2026-11-26", 0), ("2026-11-26T12:00", 12), ("2026-11-26T12:00+02:00", 10)],
)
def test_a_moment_is_in_utc_unless_it_has_an_offset(text, hour):
    assert parse_now(text) == datetime(2026, 11, 26, hour, tzinfo=UTC)


def test_no_moment_is_the_clocks():
    assert parse_now("") is None


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "0001-01-01T00:00+23:00"])
def test_what_is_no_moment_is_named(text):
    with pytest.raises(RetrainerError, match=f"now is '{text[:9]}"):
        parse_now(text)
