"""What stands in tables on the console."""

import time

import pytest

from retrainer.pipelines.cli.tables import local_time, local_times


@pytest.fixture
def berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_times_within_a_text_are_those_of_tables(berlin):
    moment = "2026-11-26T08:00:00+00:00"
    assert local_time(moment) == "2026-11-26 09:00:00"
    text = (
        f"no observations since {moment}; the newest is of 2026-06-01T23:30:00.5Z, span 2026-06-01"
    )
    assert local_times(text) == (
        "no observations since 2026-11-26 09:00:00; the newest is of 2026-06-02 01:30:00, span 2026-06-01"
    )
