"""Rows as clients send them, and what they become."""

import numpy as np
import pytest
import tensorflow as tf

from retrainer.components.check_serving.client_rows import RefusedError, convert_rows, serialise


def test_missing_cells_are_nan_and_empty_text():
    rows = [{"size": 1, "word": "a"}, {"size": None, "word": None}, {}]
    columns = convert_rows({"size": tf.float32, "word": tf.string}, rows)
    np.testing.assert_array_equal(columns["size"], [1, np.nan, np.nan])
    assert columns["word"].tolist() == [b"a", b"", b""]


@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [
        (tf.int64, [1, None, 3], "has no missing value, and it is missing in 1 of 3 rows"),
        (tf.int64, [1, float("nan"), 3], "has no missing value, and it is missing in 1 of 3 rows"),
        (tf.int64, [1, 2.5, 3], "takes 'size' as int64, and the rows have fractions"),
        (tf.float32, [1, "2", 3], "takes 'size' as float32, and the rows have text"),
    ],
)
def test_a_number_that_a_server_would_refuse_is_refused(kind, values, says):
    with pytest.raises(RefusedError, match=says):
        convert_rows({"size": kind}, [{"size": value} for value in values])


def test_whole_numbers_that_are_written_as_fractions_are_taken():
    columns = convert_rows({"size": tf.int64}, [{"size": 2.0}, {"size": 3}])
    assert columns["size"].tolist() == [2, 3]
    assert columns["size"].dtype == np.int64


def test_a_tf_example_has_its_features_in_the_order_asked_for():
    columns = {
        "word": np.array(["\u6771" * 60, "a"], dtype=object),
        "size": np.array([1.5, np.nan], np.float32),
        "count": np.array([-3, 4]),
    }
    columns["word"] = np.array([word.encode() for word in columns["word"]], dtype=object)
    both = [serialise(columns, names, [0])[0] for names in (list(columns), list(columns)[::-1])]
    assert both[0] != both[1]
    assert sorted(both[0]) == sorted(both[1])
    assert both[0].index(b"word") < both[0].index(b"size") < both[0].index(b"count")
    assert both[1].index(b"count") < both[1].index(b"size") < both[1].index(b"word")
    for message in both:
        found = tf.train.Example.FromString(message).features.feature
        assert found["word"].bytes_list.value == [columns["word"][0]]
        assert found["size"].float_list.value == [1.5]
        assert found["count"].int64_list.value == [-3]
