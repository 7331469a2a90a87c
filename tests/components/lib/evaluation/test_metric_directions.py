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
        ("CosineSimilarity", 1),
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


@pytest.mark.parametrize(
    ("thresholds", "direction"),
    [
        ({"value_threshold": {"lower_bound": 0.1}}, 1),
        ({"value_threshold": {"upper_bound": 0.1}}, -1),
        ({"change_threshold": {"absolute": 0.0, "direction": "HIGHER_IS_BETTER"}}, 1),
        ({"change_threshold": {"absolute": 0.0, "direction": "LOWER_IS_BETTER"}}, -1),
        # Two thresholds that disagree say nothing.
        (
            {
                "value_threshold": {"lower_bound": 0.1},
                "change_threshold": {"absolute": 0.0, "direction": "LOWER_IS_BETTER"},
            },
            0,
        ),
    ],
)
def test_the_side_of_a_threshold_is_the_direction(
    thresholds: dict[str, Any], direction: int
) -> None:
    of_slices = [{"slicing_specs": [{}], "threshold": thresholds}]
    for asked in ({"threshold": thresholds}, {"per_slice_thresholds": of_slices}):
        specs = [{"metrics": [{"class_name": "MeanLabel", **asked}]}]
        # Without a champion there are no changes.
        config = build_eval_config(specs, [], {}, "y", "", True)
        assert metric_directions(config)["mean_label"] == direction


def test_of_one_metric_in_two_entries_the_threshold_of_either_counts() -> None:
    upper = {"class_name": "MeanLabel", "threshold": {"value_threshold": {"upper_bound": 0.2}}}
    plain = {"class_name": "MeanLabel"}
    for metrics in ([upper, plain], [plain, upper]):
        specs = [{"metrics": [metric]} for metric in metrics]
        config = build_eval_config(specs, [], {}, "y")
        assert metric_directions(config)["mean_label"] == -1


def test_a_result_is_of_the_metric_with_the_longest_name_that_fits() -> None:
    known = {"recall": 1, "recall_loss": -1, "mean": 0}
    found = [
        direction_of(name, known)
        for name in ("recall_loss_classId:1", "recall_micro", "recall@5", "recall", "mean_x", "x")
    ]
    assert found == [-1, 1, 1, 1, 0, 0]
