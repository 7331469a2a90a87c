"""What each metric asks of labels and predictions, read from what TFMA and Keras compute it by.

TFMA and Keras check little of it: outside of its domain a metric gives a number all the same.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from tensorflow_model_analysis.metrics import metric_specs
from tensorflow_model_analysis.proto import config_pb2


class Demand(StrEnum):
    """A condition on labels or predictions under which a metric means what its name says."""

    PROBABILITIES = "probabilities"
    """Predictions lie between 0 and 1."""
    DISTRIBUTION = "distribution"
    """The outputs of a row add up to 1."""
    ONE_OUTPUT = "one output"
    """The model has one output."""
    BINARY = "binary"
    """Labels lie between 0 and 1; of a model with several outputs they are its class numbers."""
    CLASSES = "classes"
    """Labels are class numbers, and the model has several outputs."""
    KNOWN_CLASSES = "known classes"
    """The model has an output for each label."""
    HINGE = "hinge"
    """Labels lie between -1 and 1."""
    COUNTS = "counts"
    """Labels and predictions are 0 or more."""
    LOGARITHM = "logarithm"
    """Labels and predictions are above -1, so that log(1 + x) exists."""


Demands = dict[Demand, list[str]]
"""The metrics that ask for something, by what they ask for."""

_ONE_OUTPUT_OF_PROBABILITIES = (Demand.PROBABILITIES, Demand.ONE_OUTPUT, Demand.BINARY)
_CLASS_PROBABILITIES = (
    Demand.PROBABILITIES,
    Demand.DISTRIBUTION,
    Demand.CLASSES,
    Demand.KNOWN_CLASSES,
)
_KERAS: dict[str, tuple[Demand, ...]] = {
    "AUC": _ONE_OUTPUT_OF_PROBABILITIES,
    "BinaryAccuracy": _ONE_OUTPUT_OF_PROBABILITIES,
    "BinaryCrossentropy": _ONE_OUTPUT_OF_PROBABILITIES,
    "BinaryFocalCrossentropy": _ONE_OUTPUT_OF_PROBABILITIES,
    "BinaryIoU": _ONE_OUTPUT_OF_PROBABILITIES,
    "KLDivergence": _ONE_OUTPUT_OF_PROBABILITIES,
    "Precision": _ONE_OUTPUT_OF_PROBABILITIES,
    "Recall": _ONE_OUTPUT_OF_PROBABILITIES,
    "TruePositives": _ONE_OUTPUT_OF_PROBABILITIES,
    "TrueNegatives": _ONE_OUTPUT_OF_PROBABILITIES,
    "FalsePositives": _ONE_OUTPUT_OF_PROBABILITIES,
    "FalseNegatives": _ONE_OUTPUT_OF_PROBABILITIES,
    "PrecisionAtRecall": _ONE_OUTPUT_OF_PROBABILITIES,
    "RecallAtPrecision": _ONE_OUTPUT_OF_PROBABILITIES,
    "SensitivityAtSpecificity": _ONE_OUTPUT_OF_PROBABILITIES,
    "SpecificityAtSensitivity": _ONE_OUTPUT_OF_PROBABILITIES,
    "SparseCategoricalCrossentropy": _CLASS_PROBABILITIES,
    # These compare the class with the largest output, on whatever scale: a class that the model has no output for
    # counts as wrong, which it is.
    "SparseCategoricalAccuracy": (Demand.CLASSES,),
    "SparseTopKCategoricalAccuracy": (Demand.CLASSES,),
    "Hinge": (Demand.HINGE, Demand.ONE_OUTPUT),
    "SquaredHinge": (Demand.HINGE, Demand.ONE_OUTPUT),
    "Poisson": (Demand.COUNTS,),
}
"""By Keras's class names; from its documentation of each (keras.io/api/metrics)."""


def demands(config: config_pb2.EvalConfig) -> Demands:
    """List what the metrics ask of labels and predictions.

    Args:
        config: A config as `build_eval_config` completes it.

    Returns:
        Class names of metrics, by what they ask for.
    """
    found: Demands = {}
    for spec in config.metrics_specs:
        for metric in spec.metrics:
            alone = config_pb2.MetricsSpec()
            alone.CopyFrom(spec)
            del alone.metrics[:]
            alone.metrics.append(metric)
            for computation in metric_specs.to_computations([alone], eval_config=config):
                for demand in _demands_of(computation):
                    names = found.setdefault(demand, [])
                    if metric.class_name not in names:
                        names.append(metric.class_name)
    return found


def _demands_of(computation: Any) -> Iterator[Demand]:
    combiner: Any = getattr(computation, "combiner", None)
    # Private names of TFMA's combiners. One that a release renames is not checked; `tests` hold each.
    kind = type(combiner).__name__
    binary = _labels(computation)
    if kind == "_CalibrationHistogramCombiner" and getattr(combiner, "_fractional_labels", False):
        yield from (Demand.PROBABILITIES, binary)
    elif kind == "_BinaryConfusionMatrixCombiner":
        yield binary
        if _splits_probabilities(combiner._binary_confusion_matrices._thresholds):
            yield Demand.PROBABILITIES
    elif kind in ("_TjurDiscriminationCombiner", "_BooleanFlipCountsCombiner"):
        yield from (Demand.PROBABILITIES, binary)
    elif kind == "_BinaryCrossEntropyCombiner":
        yield from (Demand.ONE_OUTPUT, Demand.BINARY)
        if not combiner._from_logits:
            yield Demand.PROBABILITIES
    elif kind == "_MeanSquaredLogarithmicErrorCombiner":
        yield Demand.LOGARITHM
    elif kind == "_MultiClassConfusionMatrixCombiner":
        yield Demand.CLASSES
    elif kind == "_CompilableMetricsCombiner":
        for configs in (*combiner._metric_configs, *combiner._loss_configs):
            for item in configs:
                yield from _keras_demands(item)


def _labels(computation: Any) -> Demand:
    """What a binary metric asks of labels: by class, they are class numbers."""
    sub_key = computation.keys[0].sub_key if computation.keys else None
    return Demand.BINARY if sub_key is None or sub_key.class_id is None else Demand.CLASSES


def _splits_probabilities(thresholds: Any) -> bool:
    """Whether thresholds are of probabilities; somebody who sets one outside of 0 to 1 has another scale."""
    values = [float(threshold) for threshold in thresholds]
    return any(0 < value < 1 for value in values) and all(-0.01 < v < 1.01 for v in values)


def _keras_demands(item: dict[str, Any]) -> Iterator[Demand]:
    settings = item.get("config", {})
    thresholds = settings.get("thresholds", settings.get("threshold"))
    of_another_scale = settings.get("from_logits") or (
        thresholds is not None
        and not _splits_probabilities(thresholds if isinstance(thresholds, list) else [thresholds])
    )
    for demand in _KERAS.get(item["class_name"].rsplit(">", 1)[-1], ()):
        if not (of_another_scale and demand in (Demand.PROBABILITIES, Demand.DISTRIBUTION)):
            yield demand
