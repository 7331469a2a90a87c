"""Whether higher or lower is better: from a metric's threshold, else from its definition, never from its name."""

from typing import Any

from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.utils.keras_lib import tf_keras

HIGHER, LOWER, NEITHER = 1, -1, 0

# By the class in TFMA or Keras that defines a metric; a custom metric has the direction of the class that it
# extends. Left out are metrics without a better side: counts of predictions, means, prevalence, calibration,
# statistics.
_LOWER = frozenset(
    {
        "BinaryCrossEntropy", "CategoricalCrossEntropy", "FallOut", "FalseDiscoveryRate", "FalseNegatives",
        "FalseOmissionRate", "FalsePositives", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError",
        "MeanSquaredLogarithmicError", "MinLabelPosition", "MissRate", "NegativeLikelihoodRatio",
        "SymmetricPredictionDifference", "SemanticSegmentationFalsePositive",
        # Keras
        "BinaryCrossentropy", "CategoricalCrossentropy", "CategoricalHinge", "Hinge", "KLDivergence", "LogCoshError",
        "MeanRelativeError", "Poisson", "RootMeanSquaredError", "SparseCategoricalCrossentropy", "SquaredHinge",
    }
)  # fmt: skip
_HIGHER = frozenset(
    {
        "AUC", "BalancedAccuracy", "BinaryAccuracy", "Bleu", "COCOAveragePrecision", "COCOAverageRecall",
        "COCOMeanAveragePrecision", "COCOMeanAverageRecall", "CoefficientOfDiscrimination", "DiagnosticOddsRatio",
        "ExactMatch", "F1Score", "FowlkesMallowsIndex", "Informedness", "Markedness", "MatthewsCorrelationCoefficient",
        "NDCG", "NegativePredictiveValue", "PositiveLikelihoodRatio", "Precision", "PrecisionAtRecall", "Recall",
        "RecallAtFalsePositiveRate", "RecallAtPrecision", "RelativeCoefficientOfDiscrimination",
        "SemanticSegmentationTruePositive", "SensitivityAtSpecificity", "Specificity", "SpecificityAtSensitivity",
        "SquaredPearsonCorrelation", "ThreatScore", "TrueNegatives", "TruePositives",
        # Keras
        "Accuracy", "CategoricalAccuracy", "CosineSimilarity", "FBetaScore", "IoU", "R2Score",
        "SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy", "TopKCategoricalAccuracy",
    }
)  # fmt: skip
_KERAS_DIRECTIONS = {"up": HIGHER, "down": LOWER}


def metric_directions(config: config_pb2.EvalConfig) -> dict[str, int]:
    """Return whether higher or lower is better for each metric of a config.

    Args:
        config: A config whose metrics TFMA can make.

    Returns:
        `HIGHER`, `LOWER` or `NEITHER` by the metric's name, without what TFMA appends for classes.
    """
    registered = metric_types.registered_metrics()
    found: dict[str, int] = {}
    for spec in config.metrics_specs:
        for metric in spec.metrics:
            instance = metric_specs.metric_instance(metric, registered)
            name = getattr(instance, "name", None) or metric.class_name
            found[name] = _by_threshold(metric) or found.get(name) or _defined(instance)
    return found


def direction_of(metric: str, directions: dict[str, int]) -> int:
    """Return a result's direction.

    Args:
        metric: A result's name: a metric's, or that with a class or an aggregation behind it, as `recall_classId:1`.
        directions: From `metric_directions`.

    Returns:
        `HIGHER`, `LOWER`, or `NEITHER` where it is not known.
    """
    if metric in directions:
        return directions[metric]
    bases = [
        name
        for name in directions
        if metric.startswith(f"{name}_") or metric.startswith(f"{name}@")
    ]
    return directions[max(bases, key=len)] if bases else NEITHER


def _by_threshold(metric: config_pb2.MetricConfig) -> int:
    """Read the direction from the metric's thresholds; `NEITHER` if they name none, or both."""
    thresholds = [
        metric.threshold,
        *(per_slice_threshold.threshold for per_slice_threshold in metric.per_slice_thresholds),
    ]
    sides = set()
    for threshold in thresholds:
        if threshold.change_threshold.direction == config_pb2.MetricDirection.HIGHER_IS_BETTER:
            sides.add(HIGHER)
        elif threshold.change_threshold.direction == config_pb2.MetricDirection.LOWER_IS_BETTER:
            sides.add(LOWER)
        value = threshold.value_threshold
        if value.HasField("lower_bound") != value.HasField("upper_bound"):
            sides.add(HIGHER if value.HasField("lower_bound") else LOWER)
    return sides.pop() if len(sides) == 1 else NEITHER


def _defined(instance: Any) -> int:
    if isinstance(instance, tf_keras.losses.Loss):
        # Losses are minimised; Keras negates those whose metric is better upwards, such as CosineSimilarity.
        return LOWER
    for cls in type(instance).__mro__:
        if cls.__name__ in _LOWER:
            return LOWER
        if cls.__name__ in _HIGHER:
            return HIGHER
    return _KERAS_DIRECTIONS.get(getattr(instance, "_direction", None) or "", NEITHER)
