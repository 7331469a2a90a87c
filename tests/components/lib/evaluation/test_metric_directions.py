"""Which way a metric is better: by threshold and definition, whatever it is called."""

from typing import Any

import pytest
import tensorflow_model_analysis as tfma

from retrainer.components.lib.evaluation.eval_config import build_eval_config
from retrainer.components.lib.evaluation.metric_directions import direction_of, metric_directions


def directions(*metrics: dict[str, Any], **spec: Any) -> dict[str, int]:
    return metric_directions(build_eval_config([{"metrics": list(metrics), **spec}], [], {}, "y"))


@pytest.mark.parametrize(
    ("class_name", "direction"),
    [
        ("MeanAbsoluteError", -1),
        ("RootMeanSquaredError", -1),
        ("MeanAbsolutePercentageError", -1),
        ("Poisson", -1),
        ("Hinge", -1),
        ("FNR", -1),
        ("AUC", 1),
        ("AUCPrecisionRecall", 1),
        ("PPV", 1),
        ("SquaredPearsonCorrelation", 1),
        ("MeanLabel", 0),
        ("ExampleCount", 0),
        ("PredictedPositiveRate", 0),
    ],
)
def test_a_metric_has_the_direction_of_its_definition_and_not_of_its_name(
    class_name: str, direction: int
) -> None:
    misleading = {1: "loss", -1: "accuracy", 0: "error"}[direction]
    found = directions({"class_name": class_name, "config": {"name": misleading}})
    assert found[misleading] == direction


def test_a_threshold_says_more_than_the_definition() -> None:
    upper = {"value_threshold": {"upper_bound": 0.2}}
    both = {"value_threshold": {"lower_bound": 0.1, "upper_bound": 0.2}}
    assert directions({"class_name": "PredictedPositiveRate", "threshold": upper}) == {
        "predicted_positive_rate": -1, "example_count": 0,
    }  # fmt: skip
    assert directions({"class_name": "MeanLabel", "threshold": both})["mean_label"] == 0
    assert directions({"class_name": "AUC", "threshold": both})["auc"] == 1


def test_a_metric_by_class_has_the_direction_of_the_metric() -> None:
    found = directions({"class_name": "Recall"}, binarize={"class_ids": {"values": [0, 1]}})
    assert direction_of("recall_classId:1", found) == 1
    assert direction_of("recalled", found) == 0


def test_every_metric_of_tfma_that_is_an_error_has_a_direction() -> None:
    wrong = [
        name
        for name, cls in tfma.metrics.metric_types.registered_metrics().items()
        if "Error" in name and -1 not in directions({"class_name": name}).values()
    ]
    assert wrong == []
