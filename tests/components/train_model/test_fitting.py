"""What fitting costs and does to models, on small ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from retrainer.components.train_model.fitting import Fitted, Stopping, fit, still_learning


@keras.saving.register_keras_serializable("tests")
class Counted(keras.layers.Dense):
    """Counts how often Python runs its training step: once for each trace."""

    def __init__(self, **options):
        super().__init__(1, **options)
        self.traces = 0

    def call(self, inputs, training=False):
        self.traces += bool(training)
        return super().call(inputs)


@keras.saving.register_keras_serializable("tests")
class Late(keras.Model):
    """Has a layer that only training calls."""

    def __init__(self):
        super().__init__()
        self.first, self.second = keras.layers.Dense(1), keras.layers.Dense(1)

    def call(self, inputs, training=False):
        outputs = self.first(inputs)
        return outputs + self.second(inputs) if training else outputs


def batches():
    inputs = np.arange(8.0, dtype=np.float32)[:, np.newaxis]
    return tf.data.Dataset.from_tensor_slices((inputs, 2 * inputs)).batch(4).repeat()


def train(model):
    model.compile("sgd", "mse")
    model(np.zeros((1, 1), np.float32), training=False)
    return fit(model, batches(), None, 4, 2, Stopping(), "model.py")


def test_a_training_step_is_traced_once():
    counted = Counted()
    assert len(train(keras.Sequential([counted])).curve) == 2
    assert counted.traces == 1


@pytest.mark.filterwarnings("ignore:.*has trainable weights:UserWarning")
def test_a_layer_that_only_training_calls_is_trained():
    model = Late()
    train(model)
    assert model.second.built
    assert {id(variable) for variable in model.second.trainable_variables} <= {
        id(variable) for variable in model.optimizer._trainable_variables
    }


def losses(*values, name="loss", best=None):
    curve = tuple({name: value} for value in values)
    return Fitted(curve, len(curve) - 1 if best is None else best, stopped=False)


@pytest.mark.parametrize(
    ("fitted", "steps", "why"),
    [
        (losses(1.0, 0.8), 500, "and loss still fell by 20 % in the last of 2 epochs"),
        (
            losses(1.0, 0.8, name="val_loss"),
            2,
            "and val_loss still fell by 20 % in the last of 2 epochs",
        ),
        (losses(1.0, 0.951), 2, ""),
        (losses(0.8, 1.0), 2, ""),
        (losses(1.0, 0.8, best=0), 500, ""),
        # A loss below 0 has no share that it falls by.
        (losses(-1.0, -2.0), 500, ""),
        (losses(1.0), 99, "which are few"),
        (losses(1.0), 100, ""),
    ],
)
def test_a_loss_that_still_falls_at_the_end_and_very_few_steps_are_named(fitted, steps, why):
    assert still_learning(fitted, steps) == why
