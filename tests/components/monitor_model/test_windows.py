"""Which windows a run judges."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from retrainer.components.lib.predictions.prediction_sets import (
    INGEST_PREDICTIONS,
    PREDICT_BATCH,
    PredictionSet,
)
from retrainer.components.monitor_model.windows import choose_windows, read_feed

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def spans(*names, version="v1", scored="2000-01-01T00:00:00+00:00"):
    return [PredictionSet(name, version, f"/{name}", (), 1, 0, 1, "", scored) for name in names]


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def windows(names, judged=(), now="2026-12-31", since=LONG_AGO, **settings):
    feed = read_feed(spans(*names), at(now), 600)
    return [
        ([one.span for one in window.current], [one.span for one in window.earlier])
        for window in choose_windows(feed, settings, since, set(judged))
    ]


DAYS = [f"2026-11-{day:02d}" for day in range(1, 8)]


def test_each_window_after_the_newest_judged_one_is_judged_oldest_first():
    assert windows(DAYS[:3]) == [
        ([DAYS[0]], []), ([DAYS[1]], DAYS[:1]), ([DAYS[2]], DAYS[:2]),
    ]  # fmt: skip
    assert windows(DAYS[:3], judged=DAYS[:2]) == [([DAYS[2]], DAYS[:2])]


def test_the_newest_window_is_among_them_though_it_was_judged():
    assert windows(DAYS[:3], judged=DAYS[:3]) == [([DAYS[2]], DAYS[:2])]


def test_windows_have_their_number_of_spans_and_those_before():
    assert windows(DAYS, spans=2, earlier=3, catch_up=1) == [(DAYS[5:], DAYS[2:5])]


def test_what_ended_before_the_champion_came_is_only_compared_with():
    assert windows(DAYS[:4], since=at("2026-11-03T06:00")) == [
        ([DAYS[2]], DAYS[:2]), ([DAYS[3]], DAYS[:3]),
    ]  # fmt: skip


def test_what_the_champion_scored_later_is_judged_though_it_is_about_the_past():
    feed = read_feed(spans(*DAYS[:3]), at("2026-12-31"), 600)
    for version, count in ((1, 3), (2, 1), (None, 1)):
        found = choose_windows(feed, {}, at("2026-12-01"), set(), version)
        assert len(found) == count


@pytest.mark.parametrize(
    ("now", "over"),
    [("2026-11-03T00:00", 1), ("2026-11-03T00:09:59", 1), ("2026-11-03T00:10", 2)],
)
def test_a_span_is_over_some_time_after_its_end(now, over):
    feed = read_feed(spans(*DAYS[:2]), at(now), 600)
    assert len(feed.sets) == over


def test_of_several_versions_of_a_span_the_one_written_last_counts():
    found = [
        one
        for hour, version in ((2, "b"), (1, "a"))
        for one in spans(DAYS[0], version=version, scored=f"2026-11-02T0{hour}:00:00+00:00")
    ]
    assert [one.version for one in read_feed(found, at("2026-12-01"), 0).sets] == ["b"]


def test_numbered_spans_are_in_the_order_of_their_numbers():
    assert [one.span for one in read_feed(spans("10", "9", "8"), LONG_AGO, 0).sets] == [
        "8", "9", "10",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "now", "due"),
    [
        (DAYS[:2], "2026-11-04T00:05", []),
        (DAYS[:2], "2026-11-04T00:10", ["2026-11-03"]),
        (DAYS[:2], "2026-11-05T12:00", ["2026-11-03", "2026-11-04"]),
        (["2026-10", "2026-11"], "2026-12-31T12:00", []),
        (["2026-10", "2026-11"], "2027-01-01T12:00", ["2026-12-01"]),
        (["2026-11-01T05", "2026-11-01T06"], "2026-11-01T08:30", ["2026-11-01"]),
    ],
)
def test_a_span_is_due_when_its_time_is_over(names, now, due):
    found = read_feed(spans(*names), at(now), 600).due
    assert [f"{one.start:%Y-%m-%d}" for one in found] == due


@pytest.mark.parametrize(
    ("writer", "scored", "now", "due"),
    [
        # Scored at seven each morning, a day is late from ten past seven on.
        (PREDICT_BATCH, "07:00", "2026-11-08T07:05", 0),
        (PREDICT_BATCH, "07:00", "2026-11-08T07:15", 1),
        (INGEST_PREDICTIONS, "07:00", "2026-11-08T07:05", 1),
        # All of the past was scored at once, weeks after: a missing day is found a day later.
        (PREDICT_BATCH, "2026-12-24", "2026-11-08T23:00", 0),
        (PREDICT_BATCH, "2026-12-24", "2026-11-09T00:15", 1),
    ],
)
def test_a_batch_is_late_when_it_is_later_than_usual(writer, scored, now, due):
    found = []
    for name, after in itertools.pairwise(DAYS):
        moment = f"{after}T{scored}" if ":" in scored else f"{scored}T00:00"
        (one,) = spans(name, scored=f"{moment}:00+00:00")
        # A later champion scored it again, which says nothing of the schedule.
        again = replace(one, version="v2", scored="2027-01-01T00:00:00+00:00")
        found += [replace(one, writer=writer), replace(again, writer=writer)]
    assert len(read_feed(found, at(now), 600).due) == due


def test_weekdays_that_never_have_a_span_are_not_due():
    weekdays = [
        f"2026-11-{day:02d}" for day in range(2, 28) if datetime(2026, 11, day).weekday() < 5
    ]
    assert read_feed(spans(*weekdays), at("2026-11-30T00:05"), 600).due == ()
    assert len(read_feed(spans(*weekdays), at("2026-12-01T00:10"), 600).due) == 1
    # However long it is missing: nine weeks, and no weekend.
    due = read_feed(spans(*weekdays), at("2027-01-30T00:10"), 600).due
    assert len(due) == 45
    assert {one.start.weekday() for one in due} == {0, 1, 2, 3, 4}


def test_spans_between_others_that_are_missing_are_counted():
    assert read_feed(spans(DAYS[0], DAYS[1], DAYS[5]), at("2026-12-01"), 0).missing == 3
