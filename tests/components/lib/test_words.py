import math

import pytest

from retrainer.components.lib.words import (
    decimals,
    did_you_mean,
    name_spans,
    near,
    number,
    of_spans,
    percent,
    plural,
    signed,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2013, "2013"),
        (9_999.96, "10,000"),
        (336_776.0, "336,776"),
        (0.123456, "0.1235"),
        (-5.0, "-5"),
        (-0.0, "0"),
        (1.2e-7, "1.2e-07"),
        (1e20, "1e+20"),
        (math.nan, "NaN"),
        (-math.inf, "-infinity"),
    ],
)
def test_a_number_has_four_significant_digits_and_a_whole_one_all_of_them(value, text):
    assert number(value) == text


def test_numbers_side_by_side_have_as_many_digits_as_tell_them_apart():
    assert number(0.71050001, 0.71049999) != number(0.71049999, 0.71050001)
    assert (number(12_345.1, 12_345.3), number(12_345.3, 12_345.1)) == ("12,345.1", "12,345.3")
    assert number(0.5, 0.5) == "0.5"
    assert number(0.5, math.inf) == "0.5"


def test_a_difference_has_a_sign():
    assert [signed(x) for x in (-0.25, 0.0, 12_345.0)] == ["-0.25", "±0", "+12,345"]


def test_a_share_distinguishes_a_little_from_nothing_and_most_from_all():
    assert [percent(x) for x in (0, 0.00001, 0.005, 0.5, 0.99999, 1)] == [
        "0 %", "<0.1 %", "0.5 %", "50 %", ">99.9 %", "100 %",
    ]  # fmt: skip


def test_one_thing_has_no_plural():
    assert [plural(n, "row") for n in (0, 1, 2, 12_000)] == [
        "0 rows",
        "1 row",
        "2 rows",
        "12,000 rows",
    ]
    assert plural(2, "class", "classes") == "2 classes"


def test_many_spans_are_named_by_the_first_and_the_last():
    assert name_spans([]) == "none"
    assert name_spans(["a", "b", "c"]) == "a, b, c"
    assert name_spans(["a", "b", "c", "d"]) == "a to d (4 spans)"
    assert [of_spans(["a"]), of_spans(["a", "b"]), of_spans(list("abcd"))] == [
        "span a", "spans a, b", "spans a to d (4)",
    ]  # fmt: skip


def test_a_slip_gets_the_nearest_name_and_each_name_once():
    assert did_you_mean("distanse", ["carrier", "distance"]) == " Did you mean 'distance'?"
    assert did_you_mean("SquaredHing", ["SquaredHinge", "SquaredHinge"], most=3) == (
        " Did you mean 'SquaredHinge'?"
    )
    assert near("auc", ["AUC", "auk"]) == ["AUC"], "case alone is the nearest"


def test_without_a_near_name_the_known_ones_are_listed_if_asked_for():
    assert did_you_mean("zzz", ["fare", "tip"]) == ""
    assert did_you_mean("zzz", ["fare", "tip"], "It has") == " It has: fare, tip."
    assert did_you_mean("zzz", [], "It has") == ""
    many = did_you_mean("zzz", [f"column_{i}" for i in range(1_000)], "It has")
    assert many.endswith(" and 970 more."), "a wide table does not fill the screen"


@pytest.mark.parametrize(
    ("values", "places"),
    [([0.8, 1.0], 4), ([1.0000001], 4), ([1.001], 3), ([9.99], 3), ([0.01234], 5), ([], 4)],
)
def test_a_column_has_four_digits_of_its_largest_number(values, places):
    assert decimals(values) == places
