"""Fitting a Keras model: epochs, early stopping, the learning curve."""

import math
import os
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from ..lib.errors import RetrainerError
from ..lib.progress import progress
from ..lib.uris import join, write_json
from ..lib.user_code.user_errors import user_call
from ..lib.words import did_you_mean
from .training_rows import reading_errors

CURVE_FILE = "learning_curve.json"
CURVE_FORMAT = 1
_PROGRESS_STEPS = 10
# A step of Adam moves a weight by about the learning rate, so a hundred of 0.01 by one standard deviation of a feature.
_FEW_STEPS = 100
# A loss that falls by this share in the last epoch has not arrived.
_STILL_FALLING = 0.05


@dataclass(frozen=True)
class Stopping:
    """When training ends early.

    Attributes:
        patience: Epochs without a better value after which it ends, with the weights of the best epoch; 0 for never.
        monitor: The value, such as `val_loss` or `val_auc`.
        mode: Whether less (`min`) or more (`max`) is better; `auto` asks Keras.
    """

    patience: int = 0
    monitor: str = "val_loss"
    mode: str = "auto"


@dataclass(frozen=True)
class Fitted:
    """What fitting came to.

    Attributes:
        curve: Each epoch's loss and metrics by name; those of the held-out rows start with `val_`.
        best: Number of the epoch whose weights the model has, from 0.
        stopped: Whether training ended before its last epoch.
    """

    curve: tuple[dict[str, float], ...]
    best: int
    stopped: bool

    @property
    def metrics(self) -> dict[str, float]:
        """Loss and metrics of the epoch whose weights the model has."""
        return self.curve[self.best]

    def write(self, folder: str) -> None:
        """Write the learning curve as JSON into a folder: values by name of each epoch, and `best_epoch` from 1."""
        content = {"format": CURVE_FORMAT, "epochs": list(self.curve), "best_epoch": self.best + 1}
        write_json(join(folder, CURVE_FILE), content)


def fit(
    model: keras.Model,
    rows: tf.data.Dataset,
    held_out: tf.data.Dataset | None,
    steps: int,
    steps_per_epoch: int,
    stopping: Stopping,
    file: str,
) -> Fitted:
    """Fit a model.

    Args:
        model: A compiled model.
        rows: An endless stream of batches.
        held_out: Batches of rows that are not trained on, or None.
        steps: Batches in all.
        steps_per_epoch: Batches that make an epoch; the last epoch has what is left of `steps`.
        stopping: When to end early.
        file: The user's file, to name its line in errors.

    Returns:
        The learning curve.

    Raises:
        RetrainerError: If the user's model fails, or does not have the value that is monitored.
    """
    epochs = math.ceil(steps / steps_per_epoch)
    callbacks = [_Progress(steps), keras.callbacks.TerminateOnNaN()]
    early = None
    if stopping.patience:
        early = _EarlyStopping(
            monitor=stopping.monitor,
            patience=stopping.patience,
            mode=stopping.mode,
            restore_best_weights=True,
        )
        callbacks.append(early)
    _build_optimizer(model)
    progress("training", 0, steps)
    with tempfile.TemporaryDirectory(prefix="retrainer-train-") as folder, reading_errors():
        # Kept on disk after the first pass, which reads every row to find those that are held out.
        validation = held_out.cache(os.path.join(folder, "held-out")) if held_out else None
        with warnings.catch_warnings():
            # The last epoch may be a short one.
            warnings.filterwarnings("ignore", message=".*ran out of data.*")
            history = user_call(model.fit, "training the model of build_model failed", file)(
                rows.take(steps),
                epochs=epochs,
                steps_per_epoch=min(steps, steps_per_epoch),
                validation_data=validation,
                verbose=0,
                callbacks=callbacks,
            )
    values: Mapping[str, list[Any]] = history.history
    length = max(map(len, values.values()))
    curve = tuple(
        {name: float(column[epoch]) for name, column in values.items() if epoch < len(column)}
        for epoch in range(length)
    )
    best = early.best_epoch if early and early.best_weights is not None else length - 1
    return Fitted(curve, best, stopped=length < epochs)


def still_learning(fitted: Fitted, steps: int) -> str:
    """Say why training seems to have ended too early.

    Args:
        fitted: The result of `fit`.
        steps: Batches in all.

    Returns:
        A clause; empty if nothing shows that it did.
    """
    epochs = len(fitted.curve)
    if epochs == 1:
        return "which are few" if steps < _FEW_STEPS else ""
    name = "val_loss" if "val_loss" in fitted.curve[-1] else "loss"
    before, last = (epoch[name] for epoch in fitted.curve[-2:])
    fell = 1 - last / before if before > 0 else 0.0
    if fell < _STILL_FALLING or fitted.best < epochs - 1:
        return ""
    return f"and {name} still fell by {100 * fell:.0f} % in the last of {epochs} epochs"


def _build_optimizer(model: keras.Model) -> None:
    """Create the optimizer's variables, unless a layer has yet to create its own.

    Keras would do it while it traces the first step, and then trace that step a second time: a third of the time that a
    short training takes.
    """
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or optimizer.built:
        return
    if all(layer.built for layer in model._flatten_layers()):
        optimizer.build(model.trainable_variables)


class _EarlyStopping(keras.callbacks.EarlyStopping):
    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if logs is not None and self.monitor not in logs:
            raise RetrainerError(
                f"model.early_stopping_monitor is '{self.monitor}', and training gives no such value."
                + did_you_mean(self.monitor, logs, "It gives")
            )
        super().on_epoch_end(epoch, logs)


class _Progress(keras.callbacks.Callback):
    def __init__(self, steps: int) -> None:
        super().__init__()
        self._steps = steps
        self._done = 0

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        self._done += 1
        if self._done % _PROGRESS_STEPS == 0 or self._done == self._steps:
            progress("training", self._done, self._steps)
