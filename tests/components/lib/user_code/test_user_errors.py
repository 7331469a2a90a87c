import keras
import numpy as np
import pytest
import tensorflow as tf

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.user_code.user_errors import reason_of, user_call


def raised(function, *arguments, **named) -> str:
    """What is kept of the error that a call raises."""
    try:
        function(*arguments, **named)
    except Exception as error:
        return reason_of(error)
    raise AssertionError("it raised nothing")


def test_labels_in_bulk_are_left_out_and_the_reason_is_kept():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(3, activation="softmax")])
    model.compile(loss="sparse_categorical_crossentropy")
    labels = np.arange(64) % 3
    labels[-1] = 3
    said = raised(model.fit, np.zeros((64, 1)), labels, batch_size=64, verbose=0)
    assert "label value of 3 which is outside the valid range of [0, 3)" in said
    assert "0 1 2 0 1 2" not in said
    assert len(said.splitlines()) <= 4


def test_a_shape_that_does_not_fit_is_named_without_frames():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    said = raised(model.fit, np.zeros((4, 2)), np.zeros(4), verbose=0)
    assert "expected" in said
    assert "File " not in said


def test_an_error_in_a_graph_function_keeps_its_last_sentence():
    @tf.function
    def add(x):
        return x + tf.constant([1.0, 2.0, 3.0])

    said = raised(add, tf.constant([1.0, 2.0]))
    assert "must be equal" in said or "Incompatible shapes" in said
    assert "File " not in said


def test_an_error_without_text_is_named_by_its_class():
    assert reason_of(AssertionError()) == "AssertionError"


def test_the_users_line_is_named():
    code = compile("def f(x):\n    return x['units']\n", "model.py", "exec")
    scope: dict = {}
    exec(code, scope)
    with pytest.raises(RetrainerError, match=r"f failed, line 2: .*\nKeyError: 'units'"):
        user_call(scope["f"], "f failed", "model.py")({})
