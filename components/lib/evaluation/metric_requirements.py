"""What each metric requires of labels and predictions, by its TFMA or Keras implementation.

TFMA and Keras check little of it: outside its domain a metric still returns a number.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from tensorflow_model_analysis.metrics import metric_specs
from tensorflow_model_analysis.proto import config_pb2


class Requirement(StrEnum):
    """A condition on labels or predictions under which a metric is meaningful."""

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


Requirements = dict[Requirement, list[str]]
"""Metrics by requirement."""

_ONE_OUTPUT_OF_PROBABILITIES = (
    Requirement.PROBABILITIES,
    Requirement.ONE_OUTPUT,
    Requirement.BINARY,
)
_CLASS_PROBABILITIES = (
    Requirement.PROBABILITIES,
    Requirement.DISTRIBUTION,
    Requirement.CLASSES,
    Requirement.KNOWN_CLASSES,
)
_KERAS: dict[str, tuple[Requirement, ...]] = {
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
    "SparseCategoricalAccuracy": (Requirement.CLASSES,),
    "SparseTopKCategoricalAccuracy": (Requirement.CLASSES,),
    "Hinge": (Requirement.HINGE, Requirement.ONE_OUTPUT),
    "SquaredHinge": (Requirement.HINGE, Requirement.ONE_OUTPUT),
    "Poisson": (Requirement.COUNTS,),
}
"""By Keras's class names; from its documentation of each (keras.io/api/metrics)."""


def is_about(spec: config_pb2.MetricsSpec, output: str) -> bool:
    """Report whether metrics are about an output; an empty name is that of models with one."""
    return output in (spec.output_names or [""])


def requirements_by_output(config: config_pb2.EvalConfig) -> dict[str, Requirements]:
    """List what the metrics require of labels and predictions, by output.

    Args:
        config: A config as `build_eval_config` completes it. Of models with one output, that has no name.
    """
    outputs = list(config.model_specs[0].label_keys) or [""]
    return {output: requirements(config, output) for output in outputs}


def requirements(config: config_pb2.EvalConfig, output: str = "") -> Requirements:
    """List what the metrics of an output require of labels and predictions.

    Args:
        config: A config as `build_eval_config` completes it.
        output: The output's name; empty for that of models with one.

    Returns:
        Class names of metrics by requirement.
    """
    found: Requirements = {}
    for spec in config.metrics_specs:
        if not is_about(spec, output):
            continue
        for metric in spec.metrics:
            alone = config_pb2.MetricsSpec()
            alone.CopyFrom(spec)
            del alone.metrics[:]
            alone.metrics.append(metric)
            for computation in metric_specs.to_computations([alone], eval_config=config):
                for requirement in _requirements_of(computation):
                    names = found.setdefault(requirement, [])
                    if metric.class_name not in names:
                        names.append(metric.class_name)
    return found


def _requirements_of(computation: Any) -> Iterator[Requirement]:
    combiner: Any = getattr(computation, "combiner", None)
    # Private names of TFMA's combiners. One that a release renames is not checked; `tests` hold each.
    kind = type(combiner).__name__
    binary = _labels(computation)
    if kind == "_CalibrationHistogramCombiner" and getattr(combiner, "_fractional_labels", False):
        yield from (Requirement.PROBABILITIES, binary)
    elif kind == "_BinaryConfusionMatrixCombiner":
        yield binary
        if _splits_probabilities(combiner._binary_confusion_matrices._thresholds):
            yield Requirement.PROBABILITIES
    elif kind in ("_TjurDiscriminationCombiner", "_BooleanFlipCountsCombiner"):
        yield from (Requirement.PROBABILITIES, binary)
    elif kind == "_BinaryCrossEntropyCombiner":
        yield from (Requirement.ONE_OUTPUT, Requirement.BINARY)
        if not combiner._from_logits:
            yield Requirement.PROBABILITIES
    elif kind == "_MeanSquaredLogarithmicErrorCombiner":
        yield Requirement.LOGARITHM
    elif kind == "_MultiClassConfusionMatrixCombiner":
        yield Requirement.CLASSES
    elif kind == "_CompilableMetricsCombiner":
        for configs in (*combiner._metric_configs, *combiner._loss_configs):
            for item in configs:
                yield from _keras_requirements(item)


def _labels(computation: Any) -> Requirement:
    """What a binary metric asks of labels: by class, they are class numbers."""
    sub_key = computation.keys[0].sub_key if computation.keys else None
    return (
        Requirement.BINARY if sub_key is None or sub_key.class_id is None else Requirement.CLASSES
    )


def _splits_probabilities(thresholds: Any) -> bool:
    """Whether thresholds are of probabilities; somebody who sets one outside of 0 to 1 has another scale."""
    values = [float(threshold) for threshold in thresholds]
    return any(0 < value < 1 for value in values) and all(-0.01 < v < 1.01 for v in values)


def _keras_requirements(item: dict[str, Any]) -> Iterator[Requirement]:
    settings = item.get("config", {})
    thresholds = settings.get("thresholds", settings.get("threshold"))
    of_another_scale = settings.get("from_logits") or (
        thresholds is not None
        and not _splits_probabilities(thresholds if isinstance(thresholds, list) else [thresholds])
    )
    for requirement in _KERAS.get(item["class_name"].rsplit(">", 1)[-1], ()):
        if not (
            of_another_scale
            and requirement in (Requirement.PROBABILITIES, Requirement.DISTRIBUTION)
        ):
            yield requirement
