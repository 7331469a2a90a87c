import pytest

from retrainer.components.lib.whole_numbers import whole_numbers


@pytest.mark.parametrize(
    ("value", "whole"),
    [
        ({"a": 1.0, "b": {"c": [2.0, 2.5, "3.0"]}}, {"a": 1, "b": {"c": [2, 2.5, "3.0"]}}),
        ({"a": True, "b": None, "c": float("inf")}, {"a": True, "b": None, "c": float("inf")}),
    ],
)
def test_whole_floats_become_integers_at_any_depth(value, whole):
    converted = whole_numbers(value)
    assert converted == whole
    assert repr(converted) == repr(whole)
