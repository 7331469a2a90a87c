"""A model that calls Python serves only where it was made."""

import pytest
import tensorflow as tf

pytestmark = pytest.mark.usefixtures("serving_here")


def known(x):
    return tf.where(tf.math.is_nan(x), 0.0, x)


@pytest.mark.parametrize("call", [tf.py_function, tf.numpy_function])
def test_a_function_of_python_is_named(served, call):
    def through_python(x):
        return tf.ensure_shape(call(lambda values: values * 2, [known(x)], tf.float32), [None])

    verdict, record = served(through_python)
    assert "does not serve: the model calls a function of Python (" in verdict
    assert "which no server has" in verdict
    assert not record["ok"]


def test_a_function_of_python_within_a_branch_is_named(served):
    def branch(x):
        return tf.cond(
            tf.size(x) > 100,
            lambda: tf.ensure_shape(tf.py_function(lambda v: v, [x], tf.float32), [None]),
            lambda: known(x),
        )

    assert "calls a function of Python (EagerPyFunc" in served(branch)[0]


def test_python_that_no_signature_calls_is_no_matter(served):
    module = tf.Module()
    module.training = tf.function(lambda x: tf.py_function(lambda v: v, [x], tf.float32))
    module.training.get_concrete_function(tf.TensorSpec([None], tf.float32))
    verdict, record = served(known, state=module)
    assert record["ok"], verdict
