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
