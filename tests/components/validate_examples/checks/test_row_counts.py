"""The newest span's rows against those of the earlier spans, at the bounds and beside them."""

import pandas as pd
import pytest

from retrainer.components.validate_examples.checks.row_counts import check, find_many_duplicates
from retrainer.components.validate_examples.settings import parse_settings

SETTINGS = parse_settings(min_rows_fraction=0.2, max_rows_factor=3.0)


@pytest.fixture
def found(analysis):
    """A function that checks spans of so many rows, and names the findings and where they are."""

    def go(*rows):
        spans = {str(i): pd.DataFrame({"y": [0] * count}) for i, count in enumerate(rows, 1)}
        return [(one.kind.name, one.where) for one in check(analysis(spans), SETTINGS)]

    return go


@pytest.mark.parametrize(
    ("newest", "kinds"),
    [(20, []), (19, ["few_rows"]), (300, []), (301, ["many_rows"])],
)
def test_a_span_may_have_as_few_and_as_many_rows_as_the_settings_say(found, newest, kinds):
    assert found(100, 100, newest) == [(kind, "span 3") for kind in kinds]


def test_the_middle_of_the_earlier_spans_is_what_counts(found):
    assert found(10, 100, 1000, 21) == []
    assert found(10, 100, 1000, 19) == [("few_rows", "span 4")]
    assert found(10, 100, 1000, 301) == [("many_rows", "span 4")]


def test_spans_without_rows_are_named_and_do_not_count_as_usual(found):
    assert found(100, 0, 0, 19) == [
        ("no_rows", "span 2"),
        ("no_rows", "span 3"),
        ("few_rows", "span 4"),
    ]
    assert found(0, 0, 5) == [("no_rows", "span 1"), ("no_rows", "span 2")]
    assert found(100, 100, 0) == [("no_rows", "span 3")]


def test_a_first_span_has_nothing_to_be_compared_with(found):
    assert found(1) == []


def test_a_key_that_many_rows_share_is_reported_for_its_spans_together():
    counts = {
        "1": {"read": 100, "duplicate": 20},
        "2": {"read": 100, "duplicate": 21},
        "3": {"read": 50, "duplicate": 49},
        "4": {},
    }
    (one,) = find_many_duplicates(counts)
    assert (one.kind.name, one.where) == ("many_duplicates", "spans 2, 3")
    assert one.seen == "70 of 150 rows have the key of a later row and are left out"
    assert find_many_duplicates({"1": counts["1"]}) == []
