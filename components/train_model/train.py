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
from ..lib.modules import load_module, user_function
from ..lib.progress import progress
from ..lib.user_errors import user_call
from .data import reading_errors, sample_rows, training_dataset
from .export import ServedModel, raw_kinds
from .label_checks import check_labels, check_outputs, count_labels, features_with_gaps
from .warm_start import Columns, warm_start

_PROGRESS_STEPS = 10
# Rows that the model is called with once, before training.
_TRIED_ROWS = 32


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
        RetrainerError: If the user's code fails, the label does not suit the model or is among the features, the model
            can't be exported, or the loss becomes NaN.
    """
    examples = Examples.read(examples_path)
    labels = count_labels(examples)
    keras.utils.set_random_seed(settings.seed)
    graph = tft.TFTransformOutput(transform_graph)
    kinds = raw_kinds(graph)
    if examples.label in kinds:
        raise RetrainerError(
            f"the transform graph takes '{examples.label}' as a feature, and it is the label of these examples: the "
            "model would see the answer. Make the graph from examples with the same label."
        )
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
    check_labels(examples.label, labels, check_outputs(outputs, rows), model.loss)
    served = ServedModel(model, loaded, kinds)
    served.check()
    started = warm_start(model, champion_path, graph, transform, sample)

    steps = settings.steps or settings.epochs * math.ceil(
        examples.rows(TRAIN) / settings.batch_size
    )
    dataset = training_dataset(examples, kinds, transform, settings.batch_size, settings.seed)
    progress("training", 0, steps)
    with reading_errors():
        history = user_call(model.fit, "training the model of build_model failed", file)(
            dataset.take(steps),
            steps_per_epoch=steps,
            verbose=0,
            callbacks=[_Progress(steps), keras.callbacks.TerminateOnNaN()],
        )
    metrics = {name: float(values[-1]) for name, values in history.history.items()}
    unusable = [name for name, value in metrics.items() if not math.isfinite(value)]
    if unusable:
        batches = (transform(_tensors(columns)) for columns, _ in sample({}))
        raise RetrainerError(
            f"training ended with {unusable[0]} = {metrics[unusable[0]]}. {_why_not_finite(batches)}"
        )
    served.write(output)
    shown = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    head = f"{steps:,} steps of {settings.batch_size} rows"
    return Trained("; ".join(filter(None, [head, started, shown])), metrics)


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
            "rate, or clip what is huge."
        )
    name, rows = max(gaps.items(), key=lambda item: item[1])
    others = f" (and {', '.join(sorted(set(gaps) - {name})[:5])})" if len(gaps) > 1 else ""
    return (
        f"The feature '{name}'{others} of preprocessing_fn is NaN or infinite in {rows:,} of the sampled rows. Fill "
        "missing numbers before they are scaled, such as tf.where(tf.math.is_nan(x), 0.0, x)."
    )


class _Progress(keras.callbacks.Callback):
    def __init__(self, steps: int) -> None:
        super().__init__()
        self._steps = steps

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        if (batch + 1) % _PROGRESS_STEPS == 0 or batch + 1 == self._steps:
            progress("training", batch + 1, self._steps)
