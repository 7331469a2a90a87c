"""Rows and classes that weigh differently, rows that are held out, and training that ends early."""

import json

import keras
import numpy as np
import pandas as pd
import pytest

from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.examples import Examples
from retrainer.components.train_model.fitting import Stopping, fit
from retrainer.components.train_model.held_out import hold_out
from retrainer.components.train_model.label_checks import Labels
from retrainer.components.train_model.row_weights import RowWeights, choose_weights
from retrainer.components.train_model.train import TrainSettings
from retrainer.components.train_model.training_rows import TrainingRows

KINDS = {"x": "float32"}
HITS = Labels({0: 750, 1: 250}, 1_000)


@pytest.fixture
def rows() -> pd.DataFrame:
    """1,000 rows of 250 customers, three of four with the label 0."""
    number = np.arange(1_000)
    return pd.DataFrame(
        {
            "customer": number % 250,
            "x": number / 1_000,
            "hit": (number % 4 == 3).astype("int64"),
            "weight": np.where(number % 2, 2.0, 0.5),
        }
    )


@pytest.fixture
def read(make_examples):
    """A function that writes rows as the only training span and reads the examples."""

    def write(frame, key=()):
        return Examples.read(make_examples({"1": frame, "2": frame}, label="hit", key=key))

    return write


def a_bias(metrics=()) -> keras.Model:
    """A model that learns one number: the rate of the label."""
    x = keras.Input((1,), name="x")
    constant = keras.layers.Rescaling(0.0)(x)
    model = keras.Model({"x": x}, keras.layers.Dense(1, activation="sigmoid")(constant))
    model.compile(keras.optimizers.SGD(1.0), "binary_crossentropy", metrics=list(metrics))
    return model


def learned_rate(examples: Examples, weights: RowWeights) -> float:
    model = a_bias()
    data = TrainingRows(examples, KINDS, lambda columns: columns, 1_000, weights)
    fit(model, data.training(1), None, 40, 20, Stopping(), "model.py")
    return float(np.ravel(model({"x": np.zeros((1, 1))}))[0])


def test_rows_weigh_in_training_as_their_column_says(rows, read):
    examples = read(rows)
    weights = choose_weights(examples, HITS, "weight", {}, False)
    # Half of the rows weigh 2, and every second of those is a hit.
    assert learned_rate(examples, weights) == pytest.approx(
        250 * 2 / (500 * 2 + 500 * 0.5), abs=0.01
    )


def test_classes_weigh_as_they_are_set_or_alike(rows, read):
    examples = read(rows)
    given = choose_weights(examples, HITS, "", {"0": 1, "1": 6}, False)
    assert learned_rate(examples, given) == pytest.approx(1500 / 2250, abs=0.01)
    alike = choose_weights(examples, HITS, "", {}, True)
    assert learned_rate(examples, alike) == pytest.approx(0.5, abs=0.01)


def test_column_and_class_multiply(rows, read):
    weights = RowWeights("weight", {1.0: 3.0})
    data = TrainingRows(read(rows), KINDS, lambda columns: columns, 1_000, weights)
    _, labels, found = next(iter(data.training(1)))
    # Every hit is an odd row.
    assert set(zip(labels.numpy()[:, 0], found.numpy(), strict=True)) == {(0, 0.5), (0, 2), (1, 6)}


@pytest.mark.parametrize(
    ("weight", "says"),
    [
        (np.nan, "is missing, negative or not a number in 1 of 1,000 training rows"),
        (-1.0, "is missing, negative or not a number in 1 of 1,000 training rows"),
    ],
)
def test_what_is_no_weight_is_counted_before_training(rows, read, weight, says):
    rows.loc[7, "weight"] = weight
    with pytest.raises(RetrainerError, match=says):
        choose_weights(read(rows), HITS, "weight", {}, False)


@pytest.mark.parametrize(
    ("column", "classes", "balance", "says"),
    [
        ("wieght", {}, False, "names the column 'wieght', and the training spans have none"),
        ("", {"late": 2.0}, False, "has the key 'late'; keys are values of the label"),
        ("", {"7": 2.0}, False, "names none of the values of the label 'hit', which are 0, 1"),
        ("", {"1": -2.0}, False, "gives the class 1 a weight that is negative"),
        ("", {"1": 2.0}, True, "leave out model.class_weights"),
    ],
)
def test_settings_of_weights_that_can_not_be_are_refused(
    rows, read, column, classes, balance, says
):
    with pytest.raises(RetrainerError, match=says):
        choose_weights(read(rows), HITS, column, classes, balance)


def test_amounts_can_not_be_balanced(rows, read):
    with pytest.raises(RetrainerError, match="is for classes"):
        choose_weights(read(rows), Labels({0.5: 1, 2.5: 1}, 2), "", {}, True)


def test_rows_of_one_key_are_held_out_together_and_never_trained_on(rows, read):
    examples = read(rows, key=("customer",))
    held_out = hold_out(examples, 0.3, ["x", "hit"])
    count = held_out.count(examples)
    assert 200 < count < 400
    data = TrainingRows(examples, KINDS, lambda columns: columns, 100, held_out=held_out)
    kept = [x for columns, _ in data.validation() for x in columns["x"].numpy()[:, 0]]
    trained = [x for columns, _ in data.training(1).take(10) for x in columns["x"].numpy()[:, 0]]
    assert len(kept) == count

    def customers(values):
        return {round(float(value) * 1_000) % 250 for value in values}

    assert not customers(kept) & customers(trained)
    assert len(customers(kept) | customers(trained)) == 250


def test_equal_rows_fall_on_one_side_without_a_key(rows, read):
    twice = pd.concat([rows, rows], ignore_index=True)
    examples = read(twice)
    held_out = hold_out(examples, 0.3, ["x", "hit"])
    data = TrainingRows(examples, KINDS, lambda columns: columns, 100, held_out=held_out)
    kept = [x for columns, _ in data.validation() for x in columns["x"].numpy()[:, 0]]
    assert sorted(kept) == sorted(list(set(kept)) * 2)


def test_a_fraction_that_holds_nothing_out_is_named(rows, read):
    few = rows.assign(customer=1)
    with pytest.raises(RetrainerError, match=r"validation_fraction 0.001 holds 0 of 1,000"):
        hold_out(read(few, key=("customer",)), 0.001, ["x"]).count(read(few, key=("customer",)))


def stop_early(examples, monitor="val_loss", patience=2, steps=200):
    held_out = hold_out(examples, 0.3, ["x", "hit"])
    data = TrainingRows(examples, KINDS, lambda columns: columns, 100, held_out=held_out)
    model = a_bias([keras.metrics.AUC(name="auc")])
    stopping = Stopping(patience, monitor)
    fitted = fit(model, data.training(1), data.validation(), steps, 7, stopping, "model.py")
    return model, fitted, data


def test_training_ends_early_with_the_best_weights_and_a_curve(rows, read, tmp_path):
    model, fitted, data = stop_early(read(rows))
    losses = [epoch["val_loss"] for epoch in fitted.curve]
    assert fitted.stopped
    assert len(losses) < 29
    assert fitted.best == int(np.argmin(losses)) == len(losses) - 3
    assert model.evaluate(data.validation(), verbose=0)[0] == pytest.approx(min(losses), rel=1e-4)
    fitted.write(str(tmp_path / "curve"))
    curve = json.loads((tmp_path / "curve" / "learning_curve.json").read_text())
    assert curve["best_epoch"] == fitted.best + 1
    assert set(curve["epochs"][0]) == {"loss", "auc", "val_loss", "val_auc"}


def test_a_value_to_monitor_that_is_not_there_is_named(rows, read):
    with pytest.raises(
        RetrainerError, match=r"'val_acu', and .* no such value\. Did you mean 'val_auc'"
    ):
        stop_early(read(rows), "val_acu", steps=14)


def test_steps_are_trained_whatever_an_epoch_is(rows, read):
    data = TrainingRows(read(rows), KINDS, lambda columns: columns, 100)
    models = [a_bias(), a_bias()]
    fitted = fit(models[0], data.training(1), None, 25, 10, Stopping(), "model.py")
    fit(models[1], data.training(1), None, 25, 25, Stopping(), "model.py")
    assert len(fitted.curve) == 3
    biases = [float(model.layers[-1].bias[0]) for model in models]
    assert biases[0] == pytest.approx(biases[1], rel=1e-5)


def test_settings_that_need_each_other_are_checked():
    with pytest.raises(RetrainerError, match=r"Set model\.validation_fraction"):
        TrainSettings(patience=3)
    with pytest.raises(RetrainerError, match="from 0 to below 1"):
        TrainSettings(validation_fraction=1.5)


def test_a_model_is_trained_with_all_of_it(chain, train):
    trained = train(
        "stopped",
        steps=0,
        epochs=4,
        balance_classes=True,
        validation_fraction=0.2,
        patience=1,
        monitor="val_auc",
        mode="max",
    )
    assert "val_auc" in trained.metrics
    assert "steps of 128 rows" in trained.verdict or "stopped after" in trained.verdict
