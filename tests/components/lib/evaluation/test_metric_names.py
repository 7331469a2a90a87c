"""Results are named by metric, output, class and aggregation; row counts by whether weights count."""

import pytest
from tensorflow_model_analysis.metrics import metric_types

from retrainer.components.lib.evaluation.eval_config import build_eval_config
from retrainer.components.lib.evaluation.metric_names import result_names

AUC = [{"metrics": [{"class_name": "AUC"}]}]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (metric_types.MetricKey("auc"), "auc"),
        (metric_types.MetricKey("auc_diff", is_diff=True), "auc"),
        (metric_types.MetricKey("auc_diff"), "auc_diff"),
        (metric_types.MetricKey("auc", output_name="late"), "auc_late"),
        (metric_types.MetricKey("auc", sub_key=metric_types.SubKey(class_id=1)), "auc_classId:1"),
        (
            metric_types.MetricKey(
                "auc", aggregation_type=metric_types.AggregationType(macro_average=True)
            ),
            "auc_macro",
        ),
        (metric_types.MetricKey("auc", example_weighted=True), "auc"),
    ],
)
def test_a_result_has_the_name_of_all_that_it_is_about(
    key: metric_types.MetricKey, name: str
) -> None:
    for weight in ("", "w"):
        assert result_names(build_eval_config(AUC, [], {}, "y", weight))(key) == name


def test_weighted_rows_are_named_apart_from_rows_where_there_are_weights() -> None:
    rows = metric_types.MetricKey("example_count", example_weighted=False)
    weighted = metric_types.MetricKey("example_count", example_weighted=True)
    found = [
        [result_names(build_eval_config(AUC, [], {}, "y", weight))(key) for key in (rows, weighted)]
        for weight in ("", "w")
    ]
    assert found == [
        ["example_count", "example_count"],
        ["example_count", "weighted_example_count"],
    ]
