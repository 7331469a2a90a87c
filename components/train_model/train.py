"""Training: the user's Keras model on transformed Parquet, exported with its transform inside."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from ..lib.errors import RetrainerError
from ..lib.examples import TRAIN, Examples
from ..lib.modules import load_module, user_function
from ..lib.progress import progress
from .data import sample_rows, training_dataset
from .export import export_model, raw_kinds
from .warm_start import warm_start

_PROGRESS_STEPS = 10


@dataclass(frozen=True)
class TrainSettings:
    """How long and how to train.

    Attributes:
        steps: Batches in all; 0 to go by `epochs`.
        epochs: Passes over the training split, where `steps` is 0.
        batch_size: Rows in a batch.
        seed: Of initial weights and of the order of rows.
        hyperparameters: Handed to build_model as they are.
    """

    steps: int = 0
    epochs: int = 1
    batch_size: int = 512
    seed: int = 1
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trained:
    """What training came to.

    Attributes:
        verdict: One sentence.
        metrics: Loss and the model's own metrics over the last epoch, by name.
    """

    verdict: str
    metrics: dict[str, float]


def train(
    examples_path: str,
    transform_graph: str,
    output: str,
    module: str,
    module_source: str,
    settings: TrainSettings,
    champion_path: str | None = None,
) -> Trained:
    """Train the user's model and export it.

    Args:
        examples_path: The examples artifact.
        transform_graph: The transform graph artifact.
        output: Folder for the SavedModel.
        module: Importable module of the user's code.
        module_source: Text of the user's code, in place of `module`.
        settings: How long and how.
        champion_path: The champion artifact to start from, or None to start from nothing.

    Returns:
        The verdict and the metrics.

    Raises:
        RetrainerError: If the user's code fails, the label is one value or among the features, or the loss becomes NaN.
    """
    examples = Examples.read(examples_path)
    _check_label(examples)
    keras.utils.set_random_seed(settings.seed)
    graph = tft.TFTransformOutput(transform_graph)
    kinds = raw_kinds(graph)
    if examples.label in kinds:
        raise RetrainerError(
            f"the transform graph takes '{examples.label}' as a feature, and it is the label of these examples: the "
            "model would be told the answer. Make the graph from examples with the same label."
        )
    transform = tf.saved_model.load(graph.transform_savedmodel_dir)
    build_model = user_function(load_module(module, module_source), "build_model")
    model = build_model(graph, dict(settings.hyperparameters))
    if not isinstance(model, keras.Model) or not getattr(model, "compiled", False):
        raise RetrainerError(
            f"build_model returned {type(model).__module__}.{type(model).__name__}; it must return a compiled "
            "keras.Model (import keras, not tf.keras, and call model.compile)."
        )
    started = warm_start(
        model,
        champion_path,
        graph,
        transform.transform_fn,
        lambda columns: sample_rows(examples, kinds, columns, settings.seed),
    )

    rows = examples.rows(TRAIN)
    steps = settings.steps or settings.epochs * math.ceil(rows / settings.batch_size)
    dataset = training_dataset(
        examples, kinds, transform.transform_fn, settings.batch_size, settings.seed
    )
    fit = user_call(model.fit, "training the model of build_model failed")
    progress("training", 0, steps)
    history = fit(
        dataset.take(steps),
        steps_per_epoch=steps,
        verbose=0,
        callbacks=[_Progress(steps), keras.callbacks.TerminateOnNaN()],
    )
    metrics = {name: float(values[-1]) for name, values in history.history.items()}
    unusable = [name for name, value in metrics.items() if not math.isfinite(value)]
    if unusable:
        raise RetrainerError(
            f"training ended with {unusable[0]} = {metrics[unusable[0]]}. Lower the learning rate, and look for "
            "missing numbers (NaN) that preprocessing_fn passes on."
        )
    export_model(model, transform, kinds, output)
    shown = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    head = f"{steps:,} steps of {settings.batch_size} rows"
    return Trained("; ".join(filter(None, [head, started, shown])), metrics)


def user_call(function: Any, what: str) -> Any:
    """Wrap a call into the user's model so that its failure is told in a few lines."""

    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
            lines = [line for line in str(error).splitlines() if line.strip()]
            raise RetrainerError(
                f"{what}: {type(error).__name__}: " + "\n".join(lines[:8])
            ) from error

    return call


def _check_label(examples: Examples) -> None:
    values = examples.read_table(TRAIN, [examples.label]).column(examples.label).unique()
    if len(values) < 2:
        raise RetrainerError(
            f"the label '{examples.label}' is {values[0].as_py()!r} in all {examples.rows(TRAIN):,} training "
            "rows; there is nothing to learn. Check how the label is made, or widen data.window."
        )


class _Progress(keras.callbacks.Callback):
    def __init__(self, steps: int) -> None:
        super().__init__()
        self._steps = steps

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        if (batch + 1) % _PROGRESS_STEPS == 0 or batch + 1 == self._steps:
            progress("training", batch + 1, self._steps)
