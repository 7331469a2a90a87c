"""Training: the user's Keras model on transformed Parquet, exported with its transform inside."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from ..lib.errors import RetrainerError
from ..lib.examples import TRAIN, Examples
from ..lib.user_code.user_errors import user_call
from ..lib.user_code.user_module import load_module, user_function
from ..lib.words import plural
from .export import ServedModel, raw_kinds
from .fitting import Fitted, Stopping, fit, still_learning
from .held_out import hold_out
from .label_checks import (
    Labels,
    check_labels,
    check_outputs,
    check_several_labels,
    count_labels,
    features_with_gaps,
    loss_of,
)
from .row_weights import choose_weights
from .training_rows import TrainingRows, sample_rows
from .warm_start import Columns, warm_start

# Rows that the model is called with once, before training.
_TRIED_ROWS = 32


@dataclass(frozen=True)
class TrainSettings:
    """How long and how to train.

    Attributes:
        steps: Batches in all; 0 to go by `epochs`.
        epochs: Passes over the training split, where `steps` is 0.
        batch_size: Rows in a batch.
        seed: Seed for initial weights and shuffling.
        hyperparameters: Handed to build_model as they are.
        example_weight_key: Column that weighs rows in the loss; empty: all weigh the same.
        class_weights: Weight of rows by their class, the class as text; others weigh 1.
        balance_classes: Whether classes are weighed so that each counts as much as any other.
        validation_fraction: Share of the training rows that are not trained on, but watched after each epoch.
        patience: Epochs without a better `monitor` after which training ends with the best epoch's weights; 0 for
            never.
        monitor: Loss or metric that shows which epoch is best, such as `val_loss`.
        mode: Whether less (`min`) or more (`max`) of it is better; `auto` asks Keras.
    """

    steps: int = 0
    epochs: int = 1
    batch_size: int = 512
    seed: int = 1
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    example_weight_key: str = ""
    class_weights: Mapping[str, float] = field(default_factory=dict)
    balance_classes: bool = False
    validation_fraction: float = 0.0
    patience: int = 0
    monitor: str = "val_loss"
    mode: str = "auto"

    def __post_init__(self) -> None:
        """Check what belongs together.

        Raises:
            RetrainerError: If a value is out of its range, or needs another.
        """
        if not 0 <= self.validation_fraction < 1:
            raise RetrainerError(
                f"model.validation_fraction is {self.validation_fraction:g}; it is a share of the training rows, from "
                "0 to below 1."
            )
        if self.patience and self.monitor.startswith("val_") and not self.validation_fraction:
            raise RetrainerError(
                f"model.early_stopping_monitor is '{self.monitor}', a value of held-out rows, and there are none. Set "
                "model.validation_fraction, such as 0.1."
            )


@dataclass(frozen=True)
class Trained:
    """The result of training.

    Attributes:
        verdict: One sentence.
        metrics: Loss and the model's own metrics over the epoch whose weights the model has, by name; those of
            held-out rows start with `val_`.
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
    curve_folder: str = "",
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
        curve_folder: Folder to write the learning curve to; empty for none.

    Returns:
        The verdict and the metrics.

    Raises:
        RetrainerError: If the user's code fails, the label does not suit the model or is among the features, the model
            can't be exported, or the loss becomes NaN.
    """
    examples = Examples.read(examples_path)
    labels = _count_labels(examples, settings)
    keras.utils.set_random_seed(settings.seed)
    graph = tft.TFTransformOutput(transform_graph)
    kinds = raw_kinds(graph)
    _check_features(kinds, examples)
    loaded = tf.saved_model.load(graph.transform_savedmodel_dir)
    transform = loaded.transform_fn
    code = load_module(module, module_source)
    file = code.__file__ or code.__name__
    model = _compiled(user_function(code, "build_model")(graph, dict(settings.hyperparameters)))

    def sample(columns: Mapping[str, str]) -> Iterator[tuple[Columns, Columns]]:
        return sample_rows(examples, kinds, columns, settings.seed)

    few = {name: array[:_TRIED_ROWS] for name, array in next(sample({}))[0].items()}
    rows = len(next(iter(few.values())))
    # Called once here, so that what is wrong with it is known before hours of training.
    outputs = user_call(model, "the model of build_model can't be called", file)(
        transform(_tensors(few)), training=False
    )
    _check_outputs_and_labels(model, outputs, rows, examples, labels)
    weights = choose_weights(
        examples,
        labels[examples.label],
        settings.example_weight_key,
        settings.class_weights,
        settings.balance_classes,
    )
    held_out = hold_out(examples, settings.validation_fraction, [*kinds, *examples.labels])
    out = held_out.count(examples)
    served = ServedModel(model, loaded, kinds)
    served.check()
    started = warm_start(model, champion_path, graph, transform, sample)

    data = TrainingRows(examples, kinds, transform, settings.batch_size, weights, held_out)
    per_epoch = math.ceil((examples.rows(TRAIN) - out) / settings.batch_size)
    steps = settings.steps or settings.epochs * per_epoch
    fitted = fit(
        model,
        data.training(settings.seed),
        data.validation() if out else None,
        steps,
        per_epoch,
        Stopping(settings.patience, settings.monitor, settings.mode),
        file,
    )
    metrics = fitted.metrics
    _check_finite(metrics, (transform(_tensors(columns)) for columns, _ in sample({})))
    served.write(output)
    if curve_folder:
        fitted.write(curve_folder)
    shown = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    return Trained(
        "; ".join(filter(None, [_length(fitted, steps, settings, bool(started)), started, shown])),
        metrics,
    )


def _check_features(kinds: Mapping[str, str], examples: Examples) -> None:
    if taken := [label for label in examples.labels if label in kinds]:
        raise RetrainerError(
            f"the transform graph takes '{taken[0]}' as a feature, and it is the label of these examples: the "
            "model would see the answer. Make the graph from examples with the same label."
        )


def _check_outputs_and_labels(
    model: keras.Model, outputs: Any, rows: int, examples: Examples, labels: Mapping[str, Labels]
) -> None:
    """Check that the outputs for some rows have the rows' shape, and each the width and loss that its labels take."""
    widths = check_outputs(outputs, rows, examples.outputs)
    for name, columns in examples.outputs.items():
        loss = loss_of(model.loss, name)
        if len(columns) == 1:
            check_labels(columns[0], labels[columns[0]], widths[name], loss)
        else:
            check_several_labels(columns, widths[name], loss)


def _check_finite(metrics: Mapping[str, float], batches: Iterator[Any]) -> None:
    """Check that training ended with numbers.

    Args:
        metrics: Its metrics.
        batches: Some transformed rows, read only if there is a reason to look for.
    """
    unusable = [name for name, value in metrics.items() if not math.isfinite(value)]
    if unusable:
        raise RetrainerError(
            f"training ended with {unusable[0]} = {metrics[unusable[0]]}. {_why_not_finite(batches)}"
        )


def _count_labels(examples: Examples, settings: TrainSettings) -> dict[str, Labels]:
    """Count the labels of each column."""
    if len(examples.labels) > 1 and (settings.class_weights or settings.balance_classes):
        raise RetrainerError(
            "model.class_weights and model.balance_classes are about the classes of one label, and data.label_keys "
            f"names {len(examples.labels)}. Weigh rows by a column (evaluation.example_weight_key), or outputs in "
            "build_model (loss_weights)."
        )
    return {
        name: count_labels(examples, name, len(columns) > 1)
        for columns in examples.outputs.values()
        for name in columns
    }


def _length(fitted: Fitted, steps: int, settings: TrainSettings, started: bool) -> str:
    if not fitted.stopped:
        last = len(fitted.curve) - 1
        best = (
            f", the best of {last + 1} epochs was {fitted.best + 1}" if fitted.best < last else ""
        )
        setting = "model.steps" if settings.steps else "model.epochs"
        # What starts from the champion's weights needs few steps.
        why = "" if started else still_learning(fitted, steps)
        longer = f", {why}: raise {setting}" if why else ""
        return f"{steps:,} steps of {settings.batch_size} rows{best}{longer}"
    return (
        f"stopped after {plural(len(fitted.curve), 'epoch')}, as {settings.monitor} was best in epoch "
        f"{fitted.best + 1}, whose weights the model has"
    )


def _compiled(model: Any) -> keras.Model:
    if not isinstance(model, keras.Model) or not getattr(model, "compiled", False):
        raise RetrainerError(
            f"build_model returned {type(model).__module__}.{type(model).__name__}; it must return a compiled "
            "keras.Model (import keras, not tf.keras, and call model.compile)."
        )
    return model


def _tensors(columns: Columns) -> dict[str, tf.Tensor]:
    return {name: tf.constant(array) for name, array in columns.items()}


def _why_not_finite(batches: Iterable[Mapping[str, Any]]) -> str:
    gaps: dict[str, int] = {}
    for features in batches:
        for name, rows in features_with_gaps(features).items():
            gaps[name] = gaps.get(name, 0) + rows
    if not gaps:
        return (
            "No feature is NaN or infinite in the sampled rows, so training diverged: lower the learning "
            "rate, or clip large values."
        )
    name, rows = max(gaps.items(), key=lambda item: item[1])
    others = f" (and {', '.join(sorted(set(gaps) - {name})[:5])})" if len(gaps) > 1 else ""
    return (
        f"The feature '{name}'{others} of preprocessing_fn is NaN or infinite in {rows:,} of the sampled rows. Put "
        "their mean, which is 0 once they are scaled, in place of missing numbers: x = tft.scale_to_z_score(x), then "
        "tf.where(tf.math.is_nan(x), tf.zeros_like(x), x)."
    )
