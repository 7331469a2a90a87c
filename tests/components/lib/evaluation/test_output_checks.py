"""What `config check` says of metrics by output."""

from typing import Any

import pytest

from retrainer.components.lib.evaluation.eval_config import evaluation_problems
from retrainer.components.lib.evaluation.eval_specs import settings_problems
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


def places(
    *specs: dict[str, Any], outputs: tuple[str, ...] = ("late", "soon")
) -> list[tuple[str, str]]:
    """List place and start of each problem that outputs have."""
    found = settings_problems(specs, [], {}, "late", "", None, outputs)
    return [(one.place[-2:-1], one.text.partition(" ")[2][:30]) for one in found]


OF_LATE = {"metrics": [AUC], "output_names": ["late"]}
PLOT = {"class_name": "CalibrationPlot"}


@pytest.mark.parametrize(
    ("spec", "outputs", "found"),
    [
        ({"metrics": [AUC], "output_weights": {"late": 1}}, (), ["is about the outputs late, and"]),
        # A name that is unknown twice is named once.
        (
            {**OF_LATE, "output_names": ["late", "x"], "output_weights": {"x": 1, "y": 1}},
            ("late", "soon"),
            ["names the output 'x', which da", "names the output 'y', which da"],
        ),
        ({"metrics": [AUC, {"class_name": "ExampleCount"}]}, ("late", "soon"), ["does not say which output its "]),
        ({"metrics": [{"class_name": "WeightedExampleCount"}]}, ("late", "soon"), []),
        ({**OF_LATE, "metrics": [AUC, PLOT]}, ("late", "soon"), []),
        (
            {**OF_LATE, "metrics": [AUC, PLOT], "output_weights": {"late": 1}},
            ("late", "soon"),
            ["average values, and Calibratio"],
        ),
        (
            {**OF_LATE, "output_weights": {"late": 1, "soon": 1}},
            ("late", "soon"),
            ["names 'soon', which output_nam"],
        ),
    ],
)  # fmt: skip
def test_each_entry_is_judged_by_its_own_outputs(
    spec: dict[str, Any], outputs: tuple[str, ...], found: list[str]
) -> None:
    good = {**OF_LATE} if outputs else {"metrics": [AUC]}
    assert places(good, spec, outputs=outputs) == [("1", text) for text in found]


@pytest.mark.parametrize(
    ("names", "metrics", "outputs", "is_wrong"),
    [
        (["topics"], ["SparseCategoricalAccuracy"], {"topics": 2}, True),
        (["topics"], ["SparseCategoricalAccuracy"], {"topics": 1}, False),
        (["other"], ["SparseCategoricalAccuracy"], {"topics": 2}, False),
        (["other", "topics"], ["SparseCategoricalAccuracy"], {"topics": 2, "other": 1}, True),
        (["topics"], ["AUC"], {"topics": 2}, False),
        ([], ["SparseCategoricalAccuracy"], {"topics": 2}, False),
    ],
)
def test_one_class_a_row_is_asked_for_where_a_row_has_several_labels(
    names: list[str], metrics: list[str], outputs: dict[str, int], is_wrong: bool
) -> None:
    assert bool(list(label_problems([(names, metrics)], outputs))) is is_wrong
