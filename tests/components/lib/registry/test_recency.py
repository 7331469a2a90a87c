"""A model that has seen older data than the champion is recognised, whatever the spans' names are."""

import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.registry.recency import is_older, older_than_champion, parse_flag
from retrainer.components.lib.registry.registry import ModelVersion

DAY_FIRST = "d/{span:%d-%m-%Y}.csv"


@pytest.mark.parametrize(
    ("span", "other", "pattern", "older"),
    [
        ("9", "10", "", True),
        ("10", "9", "", False),
        ("10", "10", "", False),
        ("a9", "a10", "", False),
        ("9", "a", "", True),
        ("02-01-2024", "01-02-2024", DAY_FIRST, True),
        ("01-02-2024", "02-01-2024", DAY_FIRST, False),
        ("02-01-2024", "02-01-2024", DAY_FIRST, False),
        ("9", "10", "d/{span}.csv", True),
        # After a change of the pattern one of the two is no date.
        ("2024-01-02", "01-02-2024", DAY_FIRST, None),
        ("01-02-2024", "2024-01-02", DAY_FIRST, None),
    ],
)
def test_spans_are_compared_as_their_pattern_orders_them(span, other, pattern, older):
    assert is_older(span, other, pattern) is older


def champion(**info):
    return ModelVersion(3, "models/3", "d3", info)


def test_a_model_is_older_than_a_champion_that_has_seen_a_newer_span():
    older = (True, "span 9 is older than 10, which champion version 3 has seen")
    assert older_than_champion("9", champion(span="10")) == older
    assert older_than_champion("10", champion(span="10")) == (False, "")
    assert older_than_champion("11", champion(span="10")) == (False, "")


@pytest.mark.parametrize(
    ("span", "against"), [("9", None), ("", champion(span="10")), ("9", champion())]
)
def test_where_a_span_is_not_known_nothing_is_older(span, against):
    assert older_than_champion(span, against) == (False, "")


def test_dates_that_do_not_fit_the_pattern_do_not_stop_a_push_and_are_reported():
    older, words = older_than_champion("2024-01-02", champion(span="01-02-2024"), DAY_FIRST)
    assert not older
    assert "'2024-01-02' and the champion's newest span '01-02-2024' can't be ordered" in words


def test_the_newest_span_of_a_version_is_the_one_noted_or_its_newest_eval_span():
    spans = {"train_spans": ["1", "2"], "eval_spans": ["3", "4"]}
    assert champion(span="9", **spans).newest_span == "9"
    assert champion(**spans).newest_span == "4"
    assert champion(train_spans=["1", "2"]).newest_span == "2"
    assert champion().newest_span == ""


@pytest.mark.parametrize(
    ("flag", "value"),
    [(True, True), (False, False), ("true", True), (" True ", True), ("false", False), ("", False)],
)
def test_a_flag_may_be_text(flag, value):
    assert parse_flag("allow_older", flag) is value


def test_a_flag_that_is_neither_is_refused():
    with pytest.raises(RetrainerError, match="allow_older is 'yes'; it must be true or false"):
        parse_flag("allow_older", "yes")
