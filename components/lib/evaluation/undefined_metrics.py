"""Metrics that are undefined on some rows, whatever a model predicts.

TFMA and Keras return 0 there for some metrics and NaN for others, which looks like the model's fault.
"""

import math
from enum import Enum

from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2

from ..words import number, plural
from .input_counts import SliceRows


class _Needs(Enum):
    POSITIVES = "rows with a label above 0"
    NEGATIVES = "rows with a label below 1"
    BOTH = "rows of both labels"
    NOT_ZERO = "labels other than 0"
    VARIETY = "labels that differ"
    NOTHING = "nothing"


_BY_CLASS = {
    # Of TFMA's formulas (metrics/confusion_matrix_metrics.py): each divides by the rows named here, or orders rows of
    # one label before rows of the other.
    **dict.fromkeys(
        ("AUC", "BalancedAccuracy", "CoefficientOfDiscrimination", "DiagnosticOddsRatio"),
        _Needs.BOTH,
    ),
    **dict.fromkeys(("FowlkesMallowsIndex", "Informedness", "Markedness"), _Needs.BOTH),
    **dict.fromkeys(("MatthewsCorrelationCoefficient", "NegativeLikelihoodRatio"), _Needs.BOTH),
    **dict.fromkeys(("PositiveLikelihoodRatio", "PrevalenceThreshold"), _Needs.BOTH),
    **dict.fromkeys(
        ("RecallAtFalsePositiveRate", "RelativeCoefficientOfDiscrimination"), _Needs.BOTH
    ),
    **dict.fromkeys(("SensitivityAtSpecificity", "SpecificityAtSensitivity"), _Needs.BOTH),
    # Precision without any positive row is 0 at best, and 0 / 0 for a model that is right.
    **dict.fromkeys(("AUCPrecisionRecall", "F1Score", "FalseDiscoveryRate"), _Needs.POSITIVES),
    **dict.fromkeys(("FNR", "MaxRecall", "MissRate", "PPV", "Precision"), _Needs.POSITIVES),
    **dict.fromkeys(("PrecisionAtRecall", "Recall", "RecallAtPrecision"), _Needs.POSITIVES),
    **dict.fromkeys(("ThreatScore", "ThresholdAtRecall", "TPR"), _Needs.POSITIVES),
    **dict.fromkeys(("FPR", "FallOut", "FalseOmissionRate", "NPV"), _Needs.NEGATIVES),
    **dict.fromkeys(("NegativePredictiveValue", "Specificity", "TNR"), _Needs.NEGATIVES),
    # Rows with the label 0 are left out of the mean of percentages; calibration divides by the sum of labels.
    **dict.fromkeys(("Calibration", "MeanAbsolutePercentageError"), _Needs.NOT_ZERO),
    "SquaredPearsonCorrelation": _Needs.VARIETY,
}
_COUNTS = ("ExampleCount", "WeightedExampleCount")


def metric_classes(config: config_pb2.EvalConfig) -> dict[str, str]:
    """Map the name of each metric, as TFMA's keys have it, to the name of its class."""
    return {
        key.name: metric.class_name
        for key, metric, _ in metric_specs.keys_and_metrics_from_specs(config, config.metrics_specs)
    }


def why_undefined(
    class_name: str, key: metric_types.MetricKey, holds: SliceRows, one_output: bool
) -> str:
    """Describe why a metric is undefined on some rows, whatever a model predicts.

    Args:
        class_name: The metric's class.
        key: TFMA's key of the value.
        holds: Counts of the rows.
        one_output: Whether the model has one output.

    Returns:
        Such as `8 rows, all with label 0`; empty if it is defined.
    """
    weighted = bool(key.example_weighted)
    rows = holds.weighted_rows if weighted else holds.rows
    if class_name in _COUNTS:
        return ""
    if not rows:
        return f"{plural(holds.rows, 'row')}, {_all(holds.rows)}with weight 0"
    if key.aggregation_type is not None:
        return ""
    needs = _BY_CLASS.get(class_name, _Needs.NOTHING)
    low, high = (holds.weighted_low, holds.weighted_high) if weighted else (holds.low, holds.high)
    if key.sub_key is not None:
        # Of the k best, which are of no class, nothing is counted.
        number_of_class = key.sub_key.class_id
        of_class = holds.classes.get(str(number_of_class))
        if of_class == 0 and needs in (_Needs.BOTH, _Needs.POSITIVES):
            return f"{plural(rows, 'row')}, none of class {number_of_class}"
        if of_class == holds.weighted_rows and needs in (_Needs.BOTH, _Needs.NEGATIVES):
            return f"{plural(rows, 'row')}, {_all(rows)}of class {number_of_class}"
        return ""
    if not one_output:
        return ""
    undefined = {
        _Needs.BOTH: high <= 0 or low >= 1,
        _Needs.POSITIVES: high <= 0,
        _Needs.NEGATIVES: low >= 1,
        _Needs.NOT_ZERO: low == high == 0,
        _Needs.VARIETY: low == high,
        _Needs.NOTHING: False,
    }[needs]
    return f"{plural(rows, 'row')}, {_all(rows)}with label {number(low)}" if undefined else ""


def why_unranked(class_name: str, value: float) -> str:
    """Describe why a metric of rankings is undefined, which it is for any model or for none.

    Args:
        class_name: The metric's class.
        value: Its value on some rows.

    Returns:
        Such as `no query has a row with a gain above 0`; empty if it is defined.
    """
    if not math.isnan(value):
        return ""
    return {
        "NDCG": "no query has a row with a gain above 0",
        "MinLabelPosition": "no query has a row with a label above 0",
    }.get(class_name, "")


def _all(rows: int) -> str:
    return "" if rows == 1 else "all "
