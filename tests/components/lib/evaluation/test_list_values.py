"""Columns of lists: of every kind that Arrow has, with what is missing in and beside them."""

import numpy as np
import pyarrow as pa
import pytest

from retrainer.components.lib.evaluation.list_values import (
    flatten,
    is_list,
    lists_of_text,
    slice_column,
    without_missing_values,
)


@pytest.mark.parametrize(
    ("kind", "is_one"),
    [
        (pa.list_(pa.int64()), True),
        (pa.large_list(pa.int64()), True),
        (pa.list_(pa.int64(), 2), True),
        (pa.string(), False),
        (pa.struct([("x", pa.int64())]), False),
    ],
)
def test_a_list_may_be_of_any_length_of_very_many_or_of_one_length(
    kind: pa.DataType, is_one: bool
) -> None:
    assert is_list(kind) is is_one


def test_what_is_missing_is_left_out_of_lists_and_a_missing_list_stays_missing() -> None:
    numbers = pa.array([[1.5, None, float("nan"), 2.5], None, [], [None], [3.5]])
    assert without_missing_values(numbers).to_pylist() == [[1.5, 2.5], None, [], [], [3.5]]
    words = pa.array([["a", None], [None, "b"], None])
    assert without_missing_values(words).to_pylist() == [["a"], ["b"], None]


def test_the_values_of_lists_come_with_their_rows_over_chunks() -> None:
    column = pa.chunked_array([[[1, 2], None], [[], [3]]], pa.list_(pa.int64()))
    rows, values = flatten(column)
    assert (rows.tolist(), values.to_pylist()) == ([0, 0, 3], [1, 2, 3])
    empty = pa.chunked_array([], pa.list_(pa.int64()))
    assert [len(one) for one in flatten(empty)] == [0, 0]


def test_a_column_of_json_lists_that_is_empty_throughout_has_no_list() -> None:
    for column in (pa.nulls(2), pa.array([1, 2])):
        assert lists_of_text(column).to_pylist() == [None, None]
        assert slice_column(column, True).type == pa.list_(pa.string())
    assert slice_column(pa.array(['["a", 7]']), True).to_pylist() == [["a", "7"]]
    # Of another column the text is its value.
    assert slice_column(pa.array(['["a"]']), False).to_pylist() == ['["a"]']
    assert slice_column(pa.array([1.5, np.nan]), False).to_pylist() == [1.5, None]
