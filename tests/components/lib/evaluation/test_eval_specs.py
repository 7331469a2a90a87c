"""TFMA's messages from YAML: two specs of which one is wrong, and numbers as KFP hands them over."""

import json
from typing import Any

import pytest

from retrainer.components.lib.evaluation.eval_specs import read_specs

AUC = {"metrics": [{"class_name": "AUC"}]}


@pytest.mark.parametrize(
    ("slicing", "options", "says"),
    [
        ([{"slice_keys_sql": "SELECT 1"}], {}, "slice_keys_sql is not supported"),
        ([{}, {"slice_keys_sql": "SELECT 1"}], {}, "slice_keys_sql is not supported"),
        ([], {"disabled_outputs": {"values": ["plots"]}}, "options.disabled_outputs can't be used"),
    ],
)
def test_what_the_gate_can_not_read_stops_the_evaluation(
    slicing: list[dict[str, Any]], options: dict[str, Any], says: str
) -> None:
    _, (problem,) = read_specs([AUC], slicing, options)
    assert problem.text.startswith(says)
    assert problem.stops


@pytest.mark.parametrize(
    ("slicing", "slices"),
    [
        ([], [[]]),
        ([{}], [[]]),
        ([{"feature_keys": ["a"]}], [["a"], []]),
        ([{}, {"feature_keys": ["a"]}], [[], ["a"]]),
        ([{"feature_values": {"a": "x"}}], [[], []]),
    ],
)
def test_all_rows_together_are_a_slice_and_one_alone(
    slicing: list[dict[str, Any]], slices: list[list[str]]
) -> None:
    config, problems = read_specs([AUC], slicing, {})
    assert problems == []
    assert [list(spec.feature_keys) for spec in config.slicing_specs] == slices


def test_of_two_specs_the_one_that_is_wrong_is_empty_and_the_other_is_read() -> None:
    wrong = {"metrics": [{"class_name": "AUC", "treshold": {}}]}
    config, (problem,) = read_specs([wrong, AUC], [], {})
    assert [len(spec.metrics) for spec in config.metrics_specs] == [0, 1]
    assert "evaluation.metrics_specs[0].metrics[0]" in problem.text
    for slicing in (
        {"feature_keys": 7},
        {"feature_values": ["a"]},
        {"feature_values": {"country": False}},
        {"feature_values": {"country": ["DE"]}},
    ):
        config, problems = read_specs([AUC], [{"featureKeys": ["a"], **slicing}], {})
        assert len(problems) == 1
        assert [list(spec.feature_keys) for spec in config.slicing_specs] == [[]]
    assert config.metrics_specs[0].metrics[0].class_name == "AUC"


def test_whole_numbers_of_a_config_are_integers_and_others_stay() -> None:
    given = {"num_thresholds": 200.0, "thresholds": [0.5, 1.0], "by": {"a": 2.0}, "name": "auc"}
    config, _ = read_specs([{"metrics": [{"class_name": "AUC", "config": given}]}], [], {})
    read = json.loads(config.metrics_specs[0].metrics[0].config)
    assert read == {"num_thresholds": 200, "thresholds": [0.5, 1], "by": {"a": 2}, "name": "auc"}
    assert not isinstance(read["num_thresholds"], float)
    assert isinstance(read["by"]["a"], int)


@pytest.mark.parametrize("bound", [0.7, {"value": 0.7}])
def test_a_bound_may_be_written_as_python_writes_it(bound: Any) -> None:
    metric = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": bound}}}
    config, problems = read_specs([{"metrics": [metric]}], [], {})
    assert problems == []
    threshold = config.metrics_specs[0].metrics[0].threshold.value_threshold
    assert threshold.lower_bound.value == 0.7
    assert not threshold.HasField("upper_bound")


def test_values_to_slice_by_are_texts() -> None:
    slicing = [{"feature_values": {"hour": 7.0, "share": 0.5, "site": "a"}}]
    config, problems = read_specs([AUC], slicing, {})
    assert problems == []
    assert dict(config.slicing_specs[0].feature_values) == {
        "hour": "7",
        "share": "0.5",
        "site": "a",
    }
