"""What comes in and should not: each has its sentence, in process and on Beam, and no such model is blessed."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma

from retrainer.components.evaluate_model import many_slices, verdict_checks
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.evaluation import in_process
from retrainer.components.lib.registry.evaluation_summary import EvaluationSummary

from .conftest import FLOAT, save_model

ON_BEAM = ["--runner=DirectRunner", "--direct_running_mode=in_memory"]
ENGINES = pytest.mark.parametrize(
    "beam_args",
    [
        pytest.param([], id="in process"),
        pytest.param(ON_BEAM, id="on Beam", marks=pytest.mark.slow),
    ],
)
PLACES = [{"feature_keys": ["origin"]}]


def floor(metric: str, lower: float = 0.5, **more: Any) -> list[dict[str, Any]]:
    threshold = {"value_threshold": {"lower_bound": {"value": lower}}}
    overall = [{"slicing_specs": [{}], "threshold": threshold}]
    return [{"metrics": [{"class_name": metric, "per_slice_thresholds": overall}], **more}]


CHANGE = {"absolute": -1.0, "direction": "HIGHER_IS_BETTER"}
ACCURACY = floor("SparseCategoricalAccuracy", 0.1)
EACH_CLASS = {"class_ids": {"values": [0, 1, 2]}}


@pytest.fixture(scope="module")
def unfit(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Models that no metric should be believed of."""
    root = tmp_path_factory.mktemp("unfit")
    known = tf.function(lambda x: tf.where(tf.math.is_nan(x), 20.0, x))

    def three(dep_delay: tf.Tensor) -> tf.Tensor:
        score = known(dep_delay) / 20.0
        return tf.nn.softmax(tf.stack([-score, score, score * 0 - 99], axis=1))

    answers: dict[str, Callable[..., Any]] = {
        "infinity": lambda dep_delay: tf.where(
            dep_delay > 60, np.inf, 0.5 * tf.ones_like(dep_delay)
        ),
        "logits": lambda dep_delay: known(dep_delay) / 10.0 - 1.0,
        "scalar": lambda dep_delay: tf.reduce_mean(tf.sigmoid(known(dep_delay)))[None],
        "without class 2": three,
        "two classes": lambda dep_delay: three(dep_delay)[:, :2],
    }
    inputs = {"dep_delay": FLOAT}
    return {
        name: save_model(root / name.replace(" ", "-"), inputs, answer)
        for name, answer in answers.items()
    }


@pytest.fixture
def judge(
    run: Callable[..., Any], models: dict[str, str], unfit: dict[str, str],
    monkeypatch: pytest.MonkeyPatch, some_flights: pd.DataFrame,
) -> Callable[..., Any]:  # fmt: skip
    """A function that evaluates one of these models on few rows."""
    for name, path in unfit.items():
        monkeypatch.setitem(models, name, path)

    def call(specs: list[dict[str, Any]], *more: Any, **settings: Any) -> Any:
        settings = {
            "frame": some_flights[:300],
            "slicing_specs": PLACES,
            "champion": None,
            **settings,
        }
        return run(specs, *more, **settings)

    return call


def checks(outcome: Any) -> list[dict[str, Any]]:
    content = json.loads((outcome.folder / "blessing" / "checks.json").read_text())
    found: list[dict[str, Any]] = content["checks"]
    return found


@ENGINES
@pytest.mark.parametrize(
    ("challenger", "specs", "label", "words"),
    [
        ("nan", floor("AUC"), "late", r"the challenger predicts NaN or infinity for \d+ of 200 eval rows"),
        ("infinity", floor("AUC"), "late", r"the challenger predicts NaN or infinity for \d+ of 200"),
        ("logits", floor("AUC"), "late", r"predictions reach from .*, outside 0 to 1 .* in a sigmoid"),
        ("scalar", floor("AUC"), "late", r"gave predictions of shape \(1,\) for 16 rows"),
        (
            "two classes",
            floor("AUC", binarize=EACH_CLASS),
            "rating",
            "metrics_specs binarizes by class 2, but the challenger has outputs for 0 to 1 only",
        ),
        (
            "two classes",
            floor("SparseCategoricalCrossentropy"),
            "rating",
            r"the label 'rating' is 2 in \d+ of 200 eval rows, but the challenger has outputs for 0 to 1 only",
        ),
    ],
)  # fmt: skip
def test_predictions_that_no_metric_takes_refuse_the_model_with_a_verdict(
    judge: Callable[..., Any], challenger: str, specs: Any, label: str, words: str,
    beam_args: list[str],
) -> None:  # fmt: skip
    outcome = judge(specs, challenger, label=label, beam_args=beam_args)
    assert re.search(words, outcome.verdict), outcome.verdict
    assert outcome.verdict.startswith("refused: ")
    assert not outcome.blessing["blessed"]
    assert outcome.blessing["verdict"] == outcome.verdict
    (check,) = checks(outcome)
    assert (check["kind"], check["passed"]) == ("predictions_in_range", False)
    assert check["reason"] == outcome.blessing["reasons"][0]
    assert "refused" in outcome.page
    assert outcome.blessing["reasons"][0].split("'")[0] in outcome.page
    assert not (Path(outcome.folder) / "evaluation" / "eval_config.json").exists()
    assert EvaluationSummary.read(str(outcome.folder / "blessing")).verdict == outcome.verdict


@ENGINES
def test_one_constant_for_all_rows_is_refused_with_that_as_its_reason(
    judge: Callable[..., Any], beam_args: list[str]
) -> None:
    """Its accuracy is that of the larger class, which a threshold may let through."""
    outcome = judge(floor("BinaryAccuracy", 0.1), "coin", beam_args=beam_args)
    assert outcome.verdict == (
        "refused: the challenger predicts 0.5 for each of 200 eval rows, whatever their features"
    )
    kinds = {check["kind"]: check["passed"] for check in checks(outcome)}
    assert kinds == {
        "predictions_in_range": True, "predictions_vary": False, "value_threshold": True
    }  # fmt: skip


@ENGINES
def test_a_class_that_is_never_predicted_is_a_warning_in_the_verdict(
    judge: Callable[..., Any], some_flights: pd.DataFrame, beam_args: list[str]
) -> None:
    outcome = judge(ACCURACY, "without class 2", label="rating", beam_args=beam_args)
    rows = int((some_flights[100:300].rating == 2).sum())
    assert outcome.blessing["blessed"]
    assert outcome.verdict.endswith(f"; the challenger never predicts class 2 ({rows} rows)")
    (check,) = [one for one in checks(outcome) if one["kind"] == "every_class_predicted"]
    assert check["passed"] is None


@ENGINES
def test_labels_of_one_class(
    judge: Callable[..., Any], some_flights: pd.DataFrame, beam_args: list[str]
) -> None:
    frame = some_flights[:300].assign(late=1)
    outcome = judge(floor("AUC"), "late", frame=frame, beam_args=beam_args)
    assert outcome.verdict == "refused: all eval rows have label 1, so the model can't be evaluated"


@ENGINES
def test_a_slice_of_one_row_decides_nothing(
    judge: Callable[..., Any], some_flights: pd.DataFrame, beam_args: list[str]
) -> None:
    frame = some_flights[:300].reset_index(drop=True)
    frame.loc[150, "origin"] = "ÖLY"
    everywhere = [
        {"metrics": [{"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.1}}}]}
    ]
    outcome = judge(everywhere, "late", frame=frame, beam_args=beam_args)
    assert outcome.blessing["blessed"]
    label = int(frame.late[150])
    assert f"not judged: auc for origin = ÖLY (1 row, with label {label})" in outcome.verdict
    (check,) = [one for one in checks(outcome) if one["slice"] == "origin = ÖLY"]
    assert (check["passed"], check["reason"]) == (None, f"1 row, with label {label}")


@ENGINES
@pytest.mark.parametrize(
    ("weight", "words"),
    [(0.0, "'weight' is 0 in all 200 eval rows"), (np.nan, "'weight' is empty in 200 of 200")],
)
def test_weights_that_do_not_weigh(
    judge: Callable[..., Any], some_flights: pd.DataFrame, weight: float, words: str,
    beam_args: list[str],
) -> None:  # fmt: skip
    frame = some_flights[:300].assign(weight=weight)
    with pytest.raises(RetrainerError, match=words):
        judge(floor("AUC"), "late", frame=frame, example_weight_key="weight", beam_args=beam_args)


def test_a_class_that_no_eval_row_has(
    judge: Callable[..., Any], some_flights: pd.DataFrame
) -> None:
    """No model has an AUC of that class, so a threshold on it can't be met."""
    frame = some_flights[:300].assign(rating=some_flights.rating[:300].clip(upper=1))
    outcome = judge(floor("AUC", 0.01, binarize=EACH_CLASS), "classes", frame=frame, label="rating")
    assert outcome.verdict == "refused: auc_classId:2 is undefined: 200 rows, none of class 2"


@ENGINES
@pytest.mark.parametrize("policy", ["value_thresholds", "refuse"])
def test_a_champion_with_other_outputs_is_unfit(
    judge: Callable[..., Any], beam_args: list[str], policy: str
) -> None:
    specs = floor("SparseCategoricalAccuracy", 0.1)
    threshold = specs[0]["metrics"][0]["per_slice_thresholds"][0]["threshold"]
    threshold["change_threshold"] = CHANGE
    outcome = judge(
        specs,
        "classes",
        champion="late",
        label="rating",
        beam_args=beam_args,
        gate={"champion": {"unfit": policy}},
    )
    assert (
        "champion version 3 has one output, but SparseCategoricalAccuracy takes an output for each class, so the value "
        "thresholds decide alone"
    ) in outcome.verdict
    assert outcome.blessing["blessed"] is (policy == "value_thresholds")


def test_a_champion_with_one_class_less_is_compared_where_the_metric_allows_it(
    judge: Callable[..., Any],
) -> None:
    outcome = judge(ACCURACY, "without class 2", champion="two classes", label="rating")
    assert re.search(r"\(champion version 3 0\.\d+, ", outcome.verdict), outcome.verdict


def test_a_saved_model_without_the_signature(judge: Callable[..., Any], tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path / "bare"))
    with pytest.raises(RetrainerError, match="has no signature 'serving_default', only none"):
        judge(floor("AUC"), "late", champion=str(tmp_path / "bare"))


def test_thresholds_on_what_is_not_there(judge: Callable[..., Any]) -> None:
    specs = floor("AUC", 0.1)
    specs[0]["metrics"][0]["per_slice_thresholds"][0]["slicing_specs"] = [
        {"feature_values": {"origin": "ORD"}}
    ]
    slices = [{"feature_keys": ["origin"]}, {"feature_values": {"origin": "ORD"}}]
    outcome = judge(specs, "late", slicing_specs=slices)
    assert (
        outcome.verdict == "refused: auc has a threshold for origin = ORD, which has no eval rows"
    )


def test_a_champion_without_an_output_for_a_class_of_the_metrics_is_unfit(
    judge: Callable[..., Any],
) -> None:
    outcome = judge(
        floor("AUC", 0.1, binarize=EACH_CLASS), "classes", champion="two classes", label="rating"
    )
    assert outcome.blessing["blessed"]
    assert outcome.verdict.endswith(
        "binarizes by class 2, but the champion version 3 has outputs for 0 to 1 only, so the value thresholds decide "
        "alone"
    )


def test_very_many_slices_are_bounded_and_named(
    judge: Callable[..., Any], some_flights: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row is a slice of its own here; the bounds are lower than in use."""
    frame = some_flights[:300].assign(who=np.arange(300))
    metrics = [
        {"class_name": "BinaryAccuracy", "threshold": {"value_threshold": {"lower_bound": 0.9}}},
        {"class_name": "CalibrationPlot"},
        # Made of the same histogram as the plot.
        {"class_name": "AUC"},
    ]
    monkeypatch.setattr(many_slices, "MANY_SLICES", 100)
    monkeypatch.setattr(in_process, "MOST_PLOTTED", 2)
    monkeypatch.setattr(verdict_checks, "MOST_CHECKS", 60)
    settings = {
        "frame": frame,
        "slicing_specs": [{"feature_keys": ["who"]}, {}],
        "champion": "champion",
    }
    asked = {"require_significance": True, "slices": {"min_rows": 2}}
    outcome = judge([{"metrics": metrics}], "late", gate=asked, **settings)
    assert outcome.verdict.endswith(
        "; 200 slices are by 'who': evaluation.options.min_slice_size leaves small ones out"
    )
    wrong = len(outcome.blessing["reasons"])
    assert f"and {wrong - 2} more" in outcome.verdict
    content = json.loads((outcome.folder / "blessing" / "checks.json").read_text())
    assert len(content["checks"]) == 60
    # Predictions, a threshold and a comparison on each slice.
    assert content["left_out"] == 2 + 2 * 201 - 60
    assert not content["checks"][0]["passed"]
    result = tfma.load_eval_result(str(outcome.folder / "evaluation"), model_name="candidate")
    assert len(result.slicing_metrics) == 201
    assert sum(bool(plots) for _, plots in result.plots) == 2
    monkeypatch.setattr(many_slices, "MOST_SLICES", 100)
    with pytest.raises(
        RetrainerError, match="makes 201 slices, 200 of them by 'who', and at most 100 are"
    ):
        judge([{"metrics": metrics}], "late", **settings)
