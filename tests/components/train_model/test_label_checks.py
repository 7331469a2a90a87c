import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.examples import Examples
from retrainer.components.train_model import label_checks
from retrainer.components.train_model.label_checks import (
    Labels,
    check_labels,
    check_outputs,
    check_several_labels,
    count_labels,
    features_with_gaps,
    loss_name,
)

CLASSES = "sparse_categorical_crossentropy"


@pytest.mark.parametrize(
    ("counts", "outputs", "loss", "says"),
    [
        ({0: 700, 1: 800, 2: 685, 3: 215}, 3, CLASSES, "is 3 in 215 of 2,400 training rows, and the model has 3 "
         "outputs, which are for the classes 0 to 2. "
         "Give the last layer 4 units"),
        ({1: 10, 2: 10, 3: 10}, 3, CLASSES, "Number the classes from 0 at the source, or give the last layer 4 units"),
        ({-1: 10, 1: 10}, 2, CLASSES, "Number the classes from 0"),
        ({0: 5, 0.5: 5}, 2, CLASSES, "is 0.5 in 5 of 10 training rows"),
        ({0: 5, 1: 5}, 1, keras.losses.SparseCategoricalCrossentropy(), "the model has one output"),
        ({0: 5, 1: 5}, 2, "categorical_crossentropy", "Compile the model with sparse_categorical_crossentropy"),
        ({0: 5, 1: 5}, 2, keras.losses.binary_crossentropy, "the model has 2 outputs a row"),
        ({1.5: 5, 9.0: 5}, 3, keras.losses.MeanSquaredError(), "compare each of them with the one label"),
        ({0: 5, 1: 4, 2: 1}, 1, "binary_crossentropy",
         "is 2 in 1 of 10 training rows, and the loss binary_crossentropy takes labels from 0"),
    ],
)  # fmt: skip
def test_labels_that_the_loss_can_not_take_are_refused(counts, outputs, loss, says):
    with pytest.raises(RetrainerError) as raised:
        check_labels("kind", Labels(counts, sum(counts.values())), outputs, loss)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("counts", "outputs", "loss"),
    [
        ({0: 5, 1: 5, 2: 5}, 3, CLASSES),
        ({0: 5, 2: 5}, 3, CLASSES),
        ({0: 5, 1: 5}, 1, "binary_crossentropy"),
        ({0.2: 5, 0.9: 5}, 1, keras.losses.BinaryCrossentropy(from_logits=True)),
        ({-5: 5, 99: 5}, 1, "mse"),
        ({-5: 5, 99: 5}, 7, lambda label, score: score),
        ({-1: 5, 1: 5}, 1, keras.losses.Hinge()),
    ],
)
def test_labels_that_the_loss_takes_are_taken(counts, outputs, loss):
    check_labels("kind", Labels(counts, sum(counts.values())), outputs, loss)


def test_a_loss_has_one_name_however_it_is_given():
    assert loss_name(keras.losses.SparseCategoricalCrossentropy()) == CLASSES
    assert loss_name(keras.losses.sparse_categorical_crossentropy) == CLASSES
    assert loss_name("mse") == "mse"


def test_outputs_are_counted_and_wrong_ones_refused():
    assert check_outputs(tf.zeros((4, 3)), 4, [""]) == {"": 3}
    assert check_outputs(tf.zeros((4,)), 4, [""]) == {"": 1}
    with pytest.raises(RetrainerError, match=r"predictions of shape \(4, 2, 3\) for 4 rows"):
        check_outputs(tf.zeros((4, 2, 3)), 4, [""])
    with pytest.raises(RetrainerError, match=r"has 2 outputs \(price, size\)"):
        check_outputs({"size": tf.zeros((4, 1)), "price": tf.zeros((4, 1))}, 4, [""])


def test_features_with_gaps_are_counted():
    found = features_with_gaps(
        {
            "amount": tf.constant([[1.0], [np.nan], [np.inf]]),
            "word": tf.constant([[1], [2], [3]]),
            "text": tf.constant([["a"], ["b"], ["c"]]),
            "fine": tf.constant([[1.0], [2.0], [3.0]]),
            "sparse": tf.SparseTensor([[0, 0]], [np.nan], [3, 1]),
        }
    )
    assert found == {"amount": 2, "sparse": 1}


def test_labels_are_counted_and_many_are_a_range(make_examples, monkeypatch):
    monkeypatch.setattr(label_checks, "_MOST_COUNTED", 4)
    frame = pd.DataFrame({"late": [5.5, 1.0, 2.0, 2.0, 3.0, 4.0, -8.0]})
    found = count_labels(Examples.read(make_examples({"1": frame[:3], "2": frame[3:], "3": frame})))
    assert found.rows == 7
    assert found.counts[2.0] == 2
    assert (min(found.counts), max(found.counts)) == (-8.0, 5.5)
    with pytest.raises(
        RetrainerError, match=r"the label 'late' runs from -8 to 5\.5, and the loss"
    ):
        check_labels("late", found, 1, "binary_crossentropy")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([1.0, None, 0.0], "is missing in 1 of 3 training rows"),
        ([2.0, 2.0, 2.0], "is 2 in all 3 training rows"),
        (["yes", "no", "no"], "column 'late' holds .*string"),
    ],
)
def test_labels_that_teach_nothing_are_named(make_examples, values, says):
    frame = pd.DataFrame({"late": values})
    with pytest.raises(RetrainerError, match=says):
        count_labels(Examples.read(make_examples({"1": frame, "2": frame})))


def test_outputs_have_the_names_of_their_labels():
    late, minutes = tf.zeros((4, 1)), tf.zeros((4, 3))
    names = ["late", "minutes"]
    assert check_outputs({"late": late, "minutes": minutes}, 4, names) == {"late": 1, "minutes": 3}
    for outputs, says in (
        ({"late": late, "minute": late}, "no output 'minutes'.*Did you mean 'minute'"),
        ({"late": late, "minutes": late, "size": late}, "an output 'size', and .* no label for it"),
        ([late, late], "has 2 outputs without a name.*outputs={'late': ..., ...}"),
        (late, "has one output without a name"),
    ):
        with pytest.raises(RetrainerError, match=says):
            check_outputs(outputs, 4, names)


def test_several_labels_a_row_need_as_many_units_and_a_loss_of_each():
    check_several_labels(["a", "b"], 2, "binary_crossentropy")
    with pytest.raises(RetrainerError, match="gives 1 number a row for the labels a, b"):
        check_several_labels(["a", "b"], 1, "binary_crossentropy")
    with pytest.raises(RetrainerError, match="takes one class number a row"):
        check_several_labels(["a", "b"], 2, "sparse_categorical_crossentropy")
