"""Thresholds beyond what a metric can be, found by its class without loading TFMA."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .config_checks import PLACE, Problem, read_config, thresholds_of

if TYPE_CHECKING:
    from tensorflow_model_analysis.proto import config_pb2

_SHARES = frozenset(
    {
        "AUC", "AUCPrecisionRecall", "Accuracy", "BalancedAccuracy", "BinaryAccuracy", "CategoricalAccuracy",
        "F1Score", "NDCG", "Precision", "PrecisionAtRecall", "Recall", "RecallAtPrecision",
        "SensitivityAtSpecificity", "SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy", "Specificity",
        "SpecificityAtSensitivity",
    }
)  # fmt: skip
"""Classes of metrics from 0 to 1 of which higher is better, by their definitions in TFMA and Keras."""


_LOWER_IS_BETTER = 1
"""`MetricDirection.LOWER_IS_BETTER` of TFMA's config.proto."""


def range_problems(config: "config_pb2.EvalConfig") -> Iterator[Problem]:
    """Find bounds that no model meets, and changes that only a worse one makes.

    Args:
        config: The evaluation's settings.

    Yields:
        A problem for each.
    """
    for i, spec in enumerate(config.metrics_specs):
        if spec.output_weights or spec.aggregate.class_weights:
            # Weighted sums may be larger.
            continue
        for j, metric in enumerate(spec.metrics):
            if metric.module or metric.class_name not in _SHARES:
                continue
            name = str(read_config(metric).get("name") or metric.class_name)
            place = f"{PLACE}.metrics_specs[{i}].metrics[{j}]"
            for _, threshold in thresholds_of(metric):
                for text in _unreachable(threshold, name):
                    yield Problem(text, place=place)
                if threshold.change_threshold.direction == _LOWER_IS_BETTER:
                    yield Problem(
                        f"the change_threshold of '{name}' says LOWER_IS_BETTER, and higher is better: a better model "
                        "is refused. Write HIGHER_IS_BETTER.",
                        stops=False,
                        place=place,
                    )


def _unreachable(threshold: "config_pb2.MetricThreshold", name: str) -> Iterator[str]:
    value, change = threshold.value_threshold, threshold.change_threshold
    least = value.lower_bound.value
    # One that is not set reads 0.
    if least > 1:
        share = f" {least:g} percent is {least / 100:g}." if least <= 100 else ""
        yield (
            f"the value_threshold of '{name}' has the lower_bound {least:g}, and it is 1 at most, so no value passes."
            f"{share}"
        )
    if value.upper_bound.value < 0:
        yield (
            f"the value_threshold of '{name}' has the upper_bound {value.upper_bound.value:g}, and it is never below "
            "0, so no value passes. Write lower_bound for the least value."
        )
    if change.absolute.value > 1:
        yield (
            f"the change_threshold of '{name}' is {change.absolute.value:g}, and no change is larger than 1, so no "
            "model passes. A loss of one percentage point is -0.01."
        )
