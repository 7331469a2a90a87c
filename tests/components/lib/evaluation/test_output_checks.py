"""What `config check` says of metrics by output."""

from typing import Any

import pytest

from retrainer.components.lib.evaluation.eval_config import evaluation_problems
from retrainer.components.lib.evaluation.output_checks import label_problems

AUC = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.7}}}


def problems(spec: dict[str, Any], *outputs: str) -> list[str]:
    return [one.text for one in evaluation_problems([spec], label="late", outputs=outputs)]


def test_metrics_of_known_outputs_and_of_rows_have_no_problems() -> None:
    assert problems({"metrics": [AUC], "output_names": ["late"]}, "late", "minutes") == []
    rows = {"metrics": [{"class_name": "ExampleCount"}]}
    spec = {
        "metrics": [AUC],
        "output_names": ["late", "soon"],
        "output_weights": {"late": 1, "soon": 2},
    }
    assert evaluation_problems([spec, rows], label="late", outputs=["late", "soon"]) == []


@pytest.mark.parametrize(
    ("more", "outputs", "words"),
    [
        (
            {"output_names": ["lat"]},
            ("late", "minutes"),
            "names the output 'lat', which data.label_keys does not have. Did you mean 'late'?",
        ),
        ({}, ("late", "minutes"), "Add output_names: [late, minutes], or some of them."),
        ({"output_names": ["late"]}, (), "Name the label of each output in data.label_keys"),
        (
            {"output_names": ["late"], "output_weights": {"minutes": 1}},
            ("late", "minutes"),
            "output_weights names 'minutes', which output_names does not.",
        ),
        (
            {
                "output_names": ["late"],
                "output_weights": {"late": 1},
                "metrics": [AUC, {"class_name": "CalibrationPlot"}],
            },
            ("late", "minutes"),
            "CalibrationPlot is a plot.",
        ),
    ],
)
def test_a_problem_is_named_with_its_fix(
    more: dict[str, Any], outputs: tuple[str, ...], words: str
) -> None:
    found = problems({"metrics": [AUC], **more}, *outputs)
    assert any(words in text for text in found), found


def test_a_metric_of_one_class_is_none_of_several_labels() -> None:
    asked = [
        (["late"], ["SparseCategoricalAccuracy"]),
        (["topics"], ["AUC", "SparseCategoricalAccuracy"]),
    ]
    (found,) = label_problems(asked, {"late": 1, "topics": 3})
    assert found.place == "evaluation.metrics_specs[1]"
    assert "a row of the output 'topics' has 3 labels" in found.text
    (found,) = label_problems([((), ["MultiClassConfusionMatrixPlot"])], {"": 2})
    assert "and a row has 2 labels" in found.text
