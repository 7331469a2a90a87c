"""When spans begin and end."""

from datetime import datetime

import pytest

from retrainer.components.lib.spans.span_periods import span_periods


@pytest.mark.parametrize(
    ("span", "pattern", "end"),
    [
        ("2012-12", "", datetime(2013, 1, 1)),
        ("2013-01-31", "", datetime(2013, 2, 1)),
        ("2013/01/31", "", datetime(2013, 2, 1)),
        ("20130131", "", datetime(2013, 2, 1)),
        ("2013-01-31T23", "", datetime(2013, 2, 1)),
        ("2013", "d/{span:%Y}.csv", datetime(2014, 1, 1)),
        ("31.01.2013", "d/{span:%d.%m.%Y}.csv", datetime(2013, 2, 1)),
        ("2013060", "d/{span:%Y%j}.csv", datetime(2013, 3, 2)),
        ("9999-12-31", "", datetime.max),
        ("201301312359", "d/{span:%Y%m%d%H%M}.csv", datetime(2013, 2, 1)),
    ],
)
def test_a_span_ends_when_the_next_one_begins(span, pattern, end):
    assert span_periods([span], pattern)[span].end == end


@pytest.mark.parametrize(
    ("spans", "pattern"),
    [
        (["17", "18"], ""),
        (["2013"], ""),
        (["2013-1"], ""),
        (["2013-01", "extra"], ""),
        (["99999999"], ""),
        (["01"], "2013/{span:%m}.csv"),
    ],
)
def test_names_that_are_no_dates_have_no_period(spans, pattern):
    assert span_periods(spans, pattern) == {}


def test_each_span_begins_where_its_name_says():
    periods = span_periods(["2012-12", "2013-01"])
    assert [(span, period.start) for span, period in periods.items()] == [
        ("2012-12", datetime(2012, 12, 1)), ("2013-01", datetime(2013, 1, 1)),
    ]  # fmt: skip
    hours = span_periods(["2013-01-31T22", "2013-01-31T23"])
    assert hours["2013-01-31T22"].end == hours["2013-01-31T23"].start == datetime(2013, 1, 31, 23)
    # The pattern's own format counts, though the name looks like another one.
    (period,) = span_periods(["20130112"], "d/{span:%Y%d%m}.csv").values()
    assert period.start == datetime(2013, 12, 1)
    assert span_periods(["2013-01"], "d/{span:%Y-%m-%d}.csv") == {}
    assert span_periods(["2013-01"], "d/{span}.csv")["2013-01"].start == datetime(2013, 1, 1)
