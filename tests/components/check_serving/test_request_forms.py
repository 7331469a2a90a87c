"""Each form of a request is answered, and as its equal form is; else the form and the column are named."""

import numpy as np
import pytest
import tensorflow as tf

from retrainer.components.check_serving.request_forms import check_forms
from retrainer.components.lib.saved_models.prediction_tolerance import Tolerance

pytestmark = pytest.mark.usefixtures("serving_here")


def known(values, default=0.5):
    return tf.where(tf.math.is_nan(values), default, values)


def test_forms_that_a_model_answers_leave_no_warning(served):
    kinds = {"gap": tf.float32, "word": tf.string, "count": tf.int64}
    verdict, record = served(
        lambda gap, word, count: (
            known(gap) + tf.cast(tf.strings.length(word), tf.float32) + tf.cast(count, tf.float32)
        ),
        kinds=kinds,
    )
    assert record["ok"], verdict
    assert record["warnings"] == []


def test_a_value_never_seen_that_a_model_has_no_place_for_is_named(served):
    def position(word):
        return tf.argmax(tf.cast(word[:, None] == tf.constant(["a", "b", "c"]), tf.int64), axis=1)

    def strict(word):
        found = tf.reduce_any(word[:, None] == tf.constant(["", "a", "b", "c"]), axis=1)
        with tf.control_dependencies([tf.debugging.assert_equal(found, True, "no such word")]):
            return tf.cast(position(word), tf.float32)

    verdict, record = served(strict, kinds={"word": tf.string})
    assert "does not serve: a value never seen in 'word': InvalidArgumentError" in verdict
    assert "Unicode in 'word': InvalidArgumentError" in verdict
    assert not record["ok"]


def test_a_missing_cell_that_no_row_has_is_a_warning_and_names_the_columns(served):
    verdict, record = served(
        lambda x, count: x + tf.cast(count, tf.float32), kinds={"x": tf.float32, "count": tf.int64}
    )
    assert record["ok"]
    assert record["warnings"] == ["null in 'x': the prediction is not finite"]
    assert "null in 'x'" in verdict


def test_a_tf_example_without_a_feature_must_be_answered_as_null_is(served):
    verdict, _ = served(lambda x: known(x), kinds={"x": tf.float32})
    assert verdict.startswith("serves 3 rows")
    verdict, _ = served(
        lambda gap: known(gap, 7.0), kinds={"gap": tf.float32}, defaults={"gap": 0.0}
    )
    assert "does not serve: null and a tf.Example without 'gap': different predictions" in verdict


def test_an_integer_that_a_model_makes_up_is_a_warning(served):
    def counted(count):
        return tf.cast(count, tf.float32)

    assert served(counted, kinds={"count": tf.int64})[1]["warnings"] == []
    _, record = served(counted, kinds={"count": tf.int64}, defaults={"count": 7})
    assert record["ok"]
    assert "a tf.Example without 'count': answered" in record["warnings"][0]


def test_an_order_of_features_that_matters_is_named():
    # Four features, of which "c" comes last in one order alone; and no call says more than one order.
    found = check_forms(
        lambda columns: columns["a"],
        lambda rows: np.array([float(row.rfind(b"c") > len(row) - 12) for row in rows]),
        dict.fromkeys("abcd", tf.float32),
        [dict.fromkeys("abcd", 1.0)],
        Tolerance(scale=1.0),
    )
    assert "tf.Examples with features in another order give another prediction" in found.problems
