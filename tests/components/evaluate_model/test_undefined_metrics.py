"""Where no model has a value, a metric is undefined: not 0, not NaN by chance, and judged by nobody."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics.metric_types import MetricKey, SubKey

from retrainer.components.evaluate_model import evaluate as module
from retrainer.components.evaluate_model.evaluate import evaluate
from retrainer.components.evaluate_model.tfma_results import Evaluation
from retrainer.components.lib.evaluation.input_counts import SliceRows
from retrainer.components.lib.evaluation.undefined_metrics import why_undefined

ON_BEAM = ["--runner=DirectRunner", "--direct_running_mode=in_memory"]


def holding(*labels: float, weights: list[float] | None = None) -> SliceRows:
    weighs = [x for x, w in zip(labels, weights or [1.0] * len(labels), strict=True) if w]
    return SliceRows(
        len(labels),
        float(sum(weights or [1.0] * len(labels))),
        min(labels),
        max(labels),
        len(weighs),
        min(weighs, default=math.inf),
        max(weighs, default=-math.inf),
        {"1": weighs.count(1), "2": weighs.count(2)},
    )


@pytest.mark.parametrize(
    ("metric", "zeros", "ones"),
    [
        *((name, True, True) for name in ("AUC", "BalancedAccuracy", "SensitivityAtSpecificity")),
        *((name, True, False) for name in ("Precision", "Recall", "F1Score", "AUCPrecisionRecall")),
        *((name, False, True) for name in ("Specificity", "FPR", "NPV")),
        *((name, False, False) for name in ("BinaryAccuracy", "MeanLabel", "BinaryCrossentropy")),
        *((name, True, False) for name in ("Calibration", "MeanAbsolutePercentageError")),
        ("SquaredPearsonCorrelation", True, True),
    ],
)
def test_a_slice_of_one_label(metric: str, zeros: bool, ones: bool) -> None:
    key = MetricKey(metric)
    of_zeros = why_undefined(metric, key, holding(0, 0, 0), True)
    of_ones = why_undefined(metric, key, holding(1), True)
    assert of_zeros == ("3 rows, all with label 0" if zeros else "")
    assert of_ones == ("1 row, with label 1" if ones else "")
    assert why_undefined(metric, key, holding(0, 1), True) == ""


def test_rows_that_weigh_nothing_do_not_count() -> None:
    holds = holding(0, 1, weights=[2.0, 0.0])
    assert why_undefined("AUC", MetricKey("auc", example_weighted=True), holds, True) == (
        "1 row, with label 0"
    )
    assert why_undefined("AUC", MetricKey("auc"), holds, True) == ""
    nothing = holding(0, 1, weights=[0.0, 0.0])
    weighted = MetricKey("m", example_weighted=True)
    assert why_undefined("MeanLabel", weighted, nothing, True) == "2 rows, all with weight 0"
    assert why_undefined("ExampleCount", weighted, nothing, True) == ""


def test_a_metric_of_one_class() -> None:
    def why(number: int, *labels: float) -> str:
        key = MetricKey("auc", sub_key=SubKey(class_id=number))
        return why_undefined("AUC", key, holding(*labels), False)

    assert why(2, 0, 1, 1) == "3 rows, none of class 2"
    assert why(1, 1, 1) == "2 rows, all of class 1"
    assert why(1, 0, 1, 2) == ""
    # Flattened over the classes each row is right for one and wrong for the others.
    assert why_undefined("AUC", MetricKey("auc"), holding(0, 0), False) == ""


@pytest.fixture
def run(
    models: dict[str, str],
    some_flights: pd.DataFrame,
    make_examples: Callable[..., str],
    champion_record: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[dict[str, Any], Evaluation]]:
    """A function that evaluates flights of a few branches, one with a fault of its own each."""
    frame = some_flights[:500].reset_index(drop=True)
    branch = np.full(500, "main", object)
    branch[400:408] = "island"
    branch[408:411] = "rock"
    branch[411:431] = "moon"
    frame = frame.assign(branch=branch, weight=np.where(branch == "moon", 0.0, 2.0))
    frame.loc[frame.branch == "island", "late"] = 0
    frame.loc[frame.branch == "rock", "late"] = [0, 1, 0]
    read: list[Evaluation] = []
    render = module.render

    def keep(evaluation: Evaluation, *more: Any) -> str:
        read.append(evaluation)
        return render(evaluation, *more)

    monkeypatch.setattr(module, "render", keep)

    def call(metric: dict[str, Any], champion: str | None = None, **more: Any) -> Any:
        evaluate(
            make_examples({"a": frame[:50], "b": frame[50:250], "c": frame[250:]}, 2),
            models["late"],
            champion_record(champion and models[champion], 3 if champion else None),
            *(str(tmp_path / name) for name in ("evaluation", "blessing", "r.html")),
            [{"metrics": [metric, {"class_name": "Precision"}, {"class_name": "ExampleCount"}]}],
            [{"feature_keys": ["branch"]}],
            example_weight_key="weight",
            **more,
        )
        return json.loads((tmp_path / "blessing" / "blessing.json").read_text()), read[-1]

    return call


AUC = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.6}}}


@pytest.mark.parametrize("beam_args", [[], ON_BEAM], ids=["in process", "on Beam"])
def test_slices_that_no_model_can_be_judged_on(
    beam_args: list[str], run: Callable[..., Any], tmp_path: Path
) -> None:
    blessing, evaluation = run(AUC, options={"min_slice_size": 5}, beam_args=beam_args)
    assert blessing["blessed"], blessing["verdict"]
    assert blessing["verdict"].endswith(
        "450 rows, 5 slices; not judged: 1 slice with fewer than 5 rows, auc for branch = island (8 rows, all with "
        "label 0), 1 more"
    )
    slices = {result.name: result for result in evaluation.slices}
    assert {name: result.rows for name, result in slices.items()} == {
        "overall": 450,
        "branch = main": 419,
        "branch = moon": 20,
        "branch = island": 8,
        "branch = rock": 3,
    }
    island = slices["branch = island"].challenger
    assert math.isnan(island["auc"].value)
    assert island["auc"].undefined == island["precision"].undefined == "8 rows, all with label 0"
    assert slices["branch = rock"].too_small
    result = tfma.load_validation_result(str(tmp_path / "evaluation"))
    assert result.validation_ok
    assert not result.metric_validations_per_slice
    assert not result.missing_slices
    assert len(tfma.load_eval_result(str(tmp_path / "evaluation")).slicing_metrics) == 5


def floors(**by_branch: float) -> dict[str, Any]:
    """AUC with a floor on all rows, and one on each branch that is named."""
    overall = {"slicing_specs": [{}], "threshold": {"value_threshold": {"lower_bound": 0.65}}}
    return {
        "class_name": "AUC",
        "per_slice_thresholds": [
            overall,
            *(
                {
                    "slicing_specs": [{"feature_values": {"branch": branch}}],
                    "threshold": {"value_threshold": {"lower_bound": bound}},
                }
                for branch, bound in by_branch.items()
            ),
        ],
    }


@pytest.mark.parametrize("metric", [floors(), floors(rock=0.6)], ids=["overall", "small slice"])
def test_a_small_slice_refuses_no_model(
    metric: dict[str, Any], run: Callable[..., Any], tmp_path: Path
) -> None:
    """TFMA fails a hidden slice for every threshold, also for those that are not about it."""
    blessing, _ = run(metric, options={"min_slice_size": 5})
    assert blessing["blessed"], blessing["verdict"]
    assert tfma.load_validation_result(str(tmp_path / "evaluation")).validation_ok


def test_a_slice_that_no_row_is_in_refuses_and_tfmas_file_says_so(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    blessing, _ = run(floors(reef=0.6), options={"min_slice_size": 5})
    assert blessing["verdict"] == (
        "refused: auc has a threshold for branch = reef, which has no eval rows"
    )
    result = tfma.load_validation_result(str(tmp_path / "evaluation"))
    assert not result.validation_ok
    assert [dict(spec.feature_values) for spec in result.missing_slices] == [{"branch": "reef"}]


def test_a_slice_that_is_large_enough_still_refuses(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    high = {"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.9999}}}
    blessing, evaluation = run(high, options={"min_slice_size": 9})
    assert not blessing["blessed"]
    assert len(blessing["reasons"]) == 2
    assert [c.slice for c in evaluation.checks if c.failed] == ["overall", "branch = main"]
    result = tfma.load_validation_result(str(tmp_path / "evaluation"))
    assert not result.validation_ok
    assert len(result.metric_validations_per_slice) == 2


def test_a_change_threshold_does_not_pass_by_0_against_0(run: Callable[..., Any]) -> None:
    change = {"absolute": 0.0, "direction": "HIGHER_IS_BETTER"}
    threshold = {"change_threshold": change}
    island = {"slicing_specs": [{"feature_values": {"branch": "island"}}], "threshold": threshold}
    blessing, _ = run({"class_name": "AUC", "per_slice_thresholds": [island]}, "champion")
    assert blessing["verdict"] == (
        "refused: no threshold could be judged: auc for branch = island (8 rows, all with label 0)"
    )


def test_a_better_model_than_a_champion_at_0_is_blessed(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    """Its champion of 0.5 for every row finds no positive one: a recall of 0."""
    change = {"relative": -0.1, "direction": "HIGHER_IS_BETTER"}
    overall = {"slicing_specs": [{}], "threshold": {"change_threshold": change}}
    metric = {"class_name": "Recall", "per_slice_thresholds": [overall]}
    blessing, _ = run(metric, "coin")
    assert blessing["verdict"].startswith("blessed: recall 0.")
    assert "(champion version 3 0, +0." in blessing["verdict"]
    assert tfma.load_validation_result(str(tmp_path / "evaluation")).validation_ok


def test_a_slice_without_a_class_is_not_judged_for_that_class(
    models: dict[str, str],
    some_flights: pd.DataFrame,
    make_examples: Callable[..., str],
    champion_record: Callable[..., str],
    tmp_path: Path,
) -> None:
    frame = some_flights[:300].reset_index(drop=True)
    frame.loc[frame.origin == "LGA", "rating"] = frame.rating.clip(upper=1)
    floor = {"value_threshold": {"lower_bound": 0.2}}
    verdict = evaluate(
        make_examples({"a": frame[:50], "b": frame[50:]}, label="rating"),
        models["classes"],
        champion_record(),
        *(str(tmp_path / name) for name in ("evaluation", "blessing", "r.html")),
        [
            {
                "metrics": [{"class_name": "AUC", "threshold": floor}],
                "binarize": {"class_ids": {"values": [1.0, 2.0]}},
            }
        ],
        [{"feature_keys": ["origin"]}],
    )
    assert verdict.startswith("blessed: auc_classId:1 0.")
    rows = int((frame[50:].origin == "LGA").sum())
    assert verdict.endswith(
        f"not judged: auc_classId:2 for origin = LGA ({rows} rows, none of class 2)"
    )


def test_what_the_models_own_predictions_leave_undefined_refuses(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, models: dict[str, str]
) -> None:
    """No prediction is positive: a precision of 0 / 0, which a better model would have a value for."""
    monkeypatch.setitem(models, "late", models["coin"])
    floor = {"value_threshold": {"lower_bound": 0.1}}
    overall = {"slicing_specs": [{}], "threshold": floor}
    metric = {"class_name": "PPV", "per_slice_thresholds": [overall]}
    blessing, _ = run(metric)
    assert "; ppv is undefined (NaN) because of the model's predictions" in blessing["verdict"]
    assert not blessing["blessed"]
