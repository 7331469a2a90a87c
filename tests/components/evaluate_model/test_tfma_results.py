"""TFMA's result files as plain values: two models, slices of equal and of unequal size, counts and none."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow_model_analysis as tfma

from retrainer.components.evaluate_model.tfma_results import (
    Evaluation,
    SliceResult,
    finite,
    read_evaluation,
    write_validation,
)
from retrainer.components.lib.evaluation.eval_config import BASELINE, CANDIDATE, build_eval_config
from retrainer.components.lib.evaluation.in_process import evaluate_in_process, write_results
from retrainer.components.lib.evaluation.input_counts import count_outputs
from retrainer.components.lib.evaluation.metric_requirements import requirements_by_output
from retrainer.components.lib.evaluation.metric_value import Value
from retrainer.components.lib.evaluation.scores import Scores

SITES = ["b", "b", "a", "a", "c", "c", "c"]
CHANGE = {"change_threshold": {"absolute": 0.0, "direction": "LOWER_IS_BETTER"}}


def evaluation(folder: Path, counted: bool, **options: Any) -> Evaluation:
    """Evaluate seven rows: the challenger predicts 0.5 for all, the champion 0.25."""
    scores = Scores(
        np.array([0, 1, 1, 1, 0, 1, 0]),
        {CANDIDATE: np.full(7, 0.5, np.float32), BASELINE: np.full(7, 0.25, np.float32)},
        None,
        pa.table({"site": SITES}),
    )
    metrics = [
        {"class_name": "MeanPrediction", "threshold": CHANGE},
        {"class_name": "Precision", "config": {"thresholds": [0.4]}},
        # Its results are no single numbers.
        {"class_name": "ConfusionMatrixAtThresholds", "config": {"thresholds": [0.4]}},
        {"class_name": "ExampleCount"},
    ]
    if not options:
        metrics.append({"class_name": "CalibrationPlot"})
    slices = [{"feature_keys": ["site"]}]
    config = build_eval_config([{"metrics": metrics}], slices, options, "late", "", True)
    folder.mkdir()
    if counted:
        counts, _ = count_outputs(scores, requirements_by_output(config), config)
        (folder / "eval_rows.json").write_text(json.dumps(counts.to_json()))
    named = {spec.name: "a model" for spec in config.model_specs}
    write_results(evaluate_in_process(config, scores), config, str(folder), False, "x", named)
    return read_evaluation(str(folder), config)


@pytest.mark.parametrize("counted", [True, False])
def test_all_rows_come_first_then_the_largest_slices_then_by_name(
    tmp_path: Path, counted: bool
) -> None:
    found = evaluation(tmp_path / "results", counted)
    assert [one.name for one in found.slices] == ["overall", "site = c", "site = a", "site = b"]
    assert [one.rows for one in found.slices] == [7, 3, 2, 2]
    assert [one.holds is not None for one in found.slices] == [counted] * 4
    overall = found.overall
    assert overall.challenger["mean_prediction"] == Value(0.5)
    assert overall.champion["mean_prediction"] == Value(0.25)
    assert overall.change["mean_prediction"] == Value(0.25)
    assert overall.challenger["precision"].value == pytest.approx(4 / 7)
    assert overall.challenger.keys() == {"mean_prediction", "precision", "example_count"}
    assert found.plots[""].keys() == {"challenger", "champion"}
    assert found.plots[""]["challenger"] != found.plots[""]["champion"]
    assert not found.valid
    assert [(one.metric, one.slice, one.failed) for one in found.checks] == [
        ("mean_prediction", "overall", True),
        ("mean_prediction", "site = a", True),
        ("mean_prediction", "site = b", True),
        ("mean_prediction", "site = c", True),
    ]
    assert {one.value for one in found.checks} == {0.5}
    assert {one.champion for one in found.checks} == {0.25}


def test_a_slice_with_too_few_rows_has_no_metrics_and_tfmas_loader_says_what_the_gate_says(
    tmp_path: Path,
) -> None:
    found = evaluation(tmp_path / "results", True, min_slice_size=3)
    few = "fewer than 3 rows"
    assert [one.too_small for one in found.slices] == ["", "", few, few]
    assert found.slices[2].challenger == {}
    assert [(one.slice, one.not_judged) for one in found.checks if not one.failed] == [
        ("site = a", few),
        ("site = b", few),
    ]
    write_validation(str(tmp_path / "results"), found)
    written = tfma.load_validation_result(str(tmp_path / "results"))
    assert written == found.validation
    assert len(written.metric_validations_per_slice) == 2


def test_intervals_are_read_and_what_is_undefined_has_none(tmp_path: Path) -> None:
    found = evaluation(
        tmp_path / "results",
        True,
        compute_confidence_intervals=True,
        confidence_intervals={"method": "JACKKNIFE"},
    )
    interval = found.overall.challenger["precision"].interval
    assert interval is not None
    assert interval[0] < 4 / 7 < interval[1]
    assert not math.isnan(found.overall.challenger["precision"].value)


def test_values_that_are_no_numbers_are_left_out() -> None:
    values = {"a": Value(0.5), "b": Value(math.nan), "c": Value(math.inf), "d": Value(0.0)}
    assert finite(values.items()) == {"a": 0.5, "d": 0.0}
    assert SliceResult(()).rows is None
