"""Metrics that no model has a value of, at the bounds of what the labels are."""

import math

import pytest
from tensorflow_model_analysis.metrics import metric_types

from retrainer.components.lib.evaluation.input_counts import SliceRows
from retrainer.components.lib.evaluation.undefined_metrics import why_undefined, why_unranked

PLAIN = metric_types.MetricKey("m")
WEIGHTED = metric_types.MetricKey("m", example_weighted=True)


def rows(low: float, high: float) -> SliceRows:
    return SliceRows(8, 8.0, low, high, 8, low, high)


@pytest.mark.parametrize(
    ("name", "low", "high", "is_undefined"),
    [
        ("AUC", 0, 0, True),
        ("AUC", 1, 1, True),
        ("AUC", 0, 0.5, False),
        ("AUC", 0.5, 1, False),
        ("AUC", 0.5, 0.5, False),
        ("Recall", 0, 0, True),
        ("Recall", 1, 1, False),
        ("Recall", 0, 0.1, False),
        ("Specificity", 1, 1, True),
        ("Specificity", 0, 0, False),
        ("Specificity", 0.9, 1, False),
        ("Calibration", 0, 0, True),
        ("Calibration", 1, 1, False),
        ("Calibration", 0, 1, False),
        ("SquaredPearsonCorrelation", 3, 3, True),
        ("SquaredPearsonCorrelation", 3, 4, False),
        ("BinaryAccuracy", 0, 0, False),
    ],
)
def test_labels_at_one_end_leave_a_metric_undefined(
    name: str, low: float, high: float, is_undefined: bool
) -> None:
    for key in (PLAIN, WEIGHTED):
        why = why_undefined(name, key, rows(low, high), True)
        assert why == (f"8 rows, all with label {low}" if is_undefined else "")
    # Of a model for classes a label says nothing without its class, and an average is over classes.
    assert why_undefined(name, PLAIN, rows(low, high), False) == ""
    averaged = metric_types.AggregationType(macro_average=True)
    assert (
        why_undefined(name, PLAIN._replace(aggregation_type=averaged), rows(low, high), True) == ""
    )


def test_rows_without_weight_have_no_weighted_metric_and_are_counted_all_the_same() -> None:
    weightless = SliceRows(8, 0.0, 0, 1, 0, math.inf, -math.inf)
    assert why_undefined("AUC", WEIGHTED, weightless, True) == "8 rows, all with weight 0"
    assert why_undefined("AUC", PLAIN, weightless, True) == ""
    for name in ("ExampleCount", "WeightedExampleCount"):
        assert why_undefined(name, WEIGHTED, weightless, True) == ""
    one = SliceRows(1, 1.0, 1, 1, 1, 1, 1)
    assert why_undefined("AUC", PLAIN, one, True) == "1 row, with label 1"


@pytest.mark.parametrize(
    ("name", "of_class", "why"),
    [
        ("AUC", 0, "8 rows, none of class 2"),
        ("AUC", 8, "8 rows, all of class 2"),
        ("AUC", 1, ""),
        ("Recall", 0, "8 rows, none of class 2"),
        ("Recall", 8, ""),
        ("Specificity", 0, ""),
        ("Specificity", 8, "8 rows, all of class 2"),
        ("BinaryAccuracy", 0, ""),
        ("BinaryAccuracy", 8, ""),
    ],
)
def test_a_metric_of_a_class_needs_rows_of_it_or_of_others(
    name: str, of_class: int, why: str
) -> None:
    holds = SliceRows(8, 8.0, 0, 0, 8, 0, 0, {"2": of_class})
    key = PLAIN._replace(sub_key=metric_types.SubKey(class_id=2))
    assert why_undefined(name, key, holds, False) == why
    # Of the k best nothing is known by classes.
    assert why_undefined(name, PLAIN._replace(sub_key=metric_types.SubKey(k=2)), holds, True) == ""


def test_a_ranking_without_a_gain_is_undefined_for_every_model() -> None:
    assert why_unranked("NDCG", math.nan) == "no query has a row with a gain above 0"
    assert why_unranked("MinLabelPosition", math.nan) == "no query has a row with a label above 0"
    for name, value in (("NDCG", 0.0), ("MinLabelPosition", 1.0), ("AUC", math.nan)):
        assert why_unranked(name, value) == ""
