"""Labels, predictions and weights that the metrics are not made for are named, and never judged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from retrainer.components.evaluate_model.evaluate import evaluate
from retrainer.components.evaluate_model.input_problems import column_problems, model_problems
from retrainer.components.lib.errors import RetrainerError
from retrainer.components.lib.evaluation.eval_config import (
    BASELINE,
    CANDIDATE,
    build_eval_config,
    evaluation_problems,
)
from retrainer.components.lib.evaluation.input_counts import InputCounts, add_up, count_inputs
from retrainer.components.lib.evaluation.metric_requirements import requirements
from retrainer.components.lib.evaluation.scores import Scores

ON_BEAM = ["--runner=DirectRunner", "--direct_running_mode=in_memory"]
LOGITS = np.array([-3.2, 0.4, 0.6, 4.1], np.float32)
HALVES = np.array([0.5, 0.25, 0.5, 0.75], np.float32)
CLASSES = np.full((4, 3), 1 / 3, np.float32)
BINARY = np.array([0, 1, 0, 1])


def problems(
    metric: str | dict[str, Any],
    label: Any = BINARY,
    prediction: np.ndarray = HALVES,
    weight: Any = None,
    champion: np.ndarray | None = None,
    **spec: Any,
) -> list[str]:
    """Check rows in two batches, as one."""
    named = metric if isinstance(metric, dict) else {"class_name": metric}
    config = build_eval_config(
        [{"metrics": [named], **spec}], [], {}, "y", "w" if weight is not None else "", True
    )
    predictions = {CANDIDATE: prediction, BASELINE: prediction if champion is None else champion}
    scores = Scores(
        np.asarray(label),
        predictions,
        None if weight is None else np.asarray(weight, np.float64),
        pa.table({"": pa.nulls(len(label))}),
    )
    asked = requirements(config)
    first = np.arange(len(label)) < 2
    taken = [count_inputs(scores.of(rows), asked, config.slicing_specs) for rows in (first, ~first)]
    total = add_up(InputCounts.from_json(counts.to_json()) for counts, _ in taken)
    who = {CANDIDATE: "challenger", BASELINE: "champion version 3"}
    return [
        *column_problems(total, asked, "y", "w"),
        *model_problems(total, asked, who, "y"),
    ]


@pytest.mark.parametrize(
    "metric",
    [
        *("AUC", "AUCPrecisionRecall", "BinaryAccuracy", "Precision", "Recall", "F1Score"),
        *("BinaryCrossEntropy", "BinaryCrossentropy", "CalibrationPlot", "ConfusionMatrixPlot"),
        *("CoefficientOfDiscrimination", "BooleanFlipRates", "Specificity", "KLDivergence"),
        {"class_name": "SensitivityAtSpecificity", "config": {"specificity": 0.5}},
        {"class_name": "ConfusionMatrixAtThresholds", "config": {"thresholds": [0.3, 0.5]}},
        # TFMA puts its own a little outside of 0 to 1.
        {
            "class_name": "ConfusionMatrixAtThresholds",
            "config": {"thresholds": [-0.009, 0.5, 1.009]},
        },
    ],
)
def test_logits_under_a_metric_of_probabilities(metric: Any) -> None:
    name = metric if isinstance(metric, str) else metric["class_name"]
    assert problems(metric) == []
    (text,) = problems(metric, prediction=LOGITS, champion=HALVES)
    assert text.startswith(
        "the challenger's predictions reach from -3.2 to 4.1, outside 0 to 1 for 2 of 4 eval rows, "
        f"but {name} takes probabilities. End the model in a sigmoid"
    )
    assert "such as BinaryCrossentropy with config: {from_logits: true}" in text


@pytest.mark.parametrize(
    "metric",
    [
        *("MeanAbsoluteError", "RootMeanSquaredError", "MeanPrediction", "Calibration"),
        *("SquaredPearsonCorrelation", "ExampleCount"),
        {"class_name": "BinaryCrossentropy", "config": {"from_logits": True}},
        {"class_name": "BinaryCrossEntropy", "config": {"from_logits": True}},
        {"class_name": "Precision", "config": {"thresholds": [0.0]}},
        {"class_name": "CalibrationPlot", "config": {"left": -5.0, "right": 5.0}},
        *(
            {"class_name": "ConfusionMatrixAtThresholds", "config": {"thresholds": thresholds}}
            for thresholds in ([0.0, 1.0], [0.5, 2.0], [0.5, 1.01], [-0.01, 0.5])
        ),
    ],
)
def test_logits_under_a_metric_of_any_number(metric: Any) -> None:
    assert problems(metric, prediction=LOGITS) == []


def test_a_champion_of_logits_names_what_takes_it_out_of_service() -> None:
    (text,) = problems("AUC", champion=LOGITS)
    assert text.startswith("the champion version 3's predictions reach from -3.2 to 4.1")
    assert "`retrainer models retire`" in text


def test_a_rounding_error_is_no_logit() -> None:
    assert problems("AUC", prediction=np.array([-1e-6, 0.2, 1.000001, 1], np.float32)) == []


def test_predictions_that_are_not_numbers() -> None:
    prediction = np.array([0.1, np.nan, np.inf, 0.3], np.float32)
    (text,) = problems("MeanAbsoluteError", prediction=prediction, champion=HALVES)
    assert text.startswith("the challenger predicts NaN or infinity for 2 of 4 eval rows")


@pytest.mark.parametrize(
    ("metric", "label", "words"),
    [
        (
            "AUC",
            [0, 1, 1, 2],
            "the label 'y' is 2 in 1 of 4 eval rows, but AUC takes labels from 0",
        ),
        ("BinaryAccuracy", [-1, 1, -1, 1], "the label 'y' is -1 in 2 of 4 eval rows"),
        ("BinaryCrossentropy", [1, 2, 3, 1], "the label 'y' is from 2 to 3 in 2 of 4 eval rows"),
        ("Hinge", [0, 1, 5, 1], "Hinge takes labels of -1 or 1"),
        ("Poisson", [0, 1, -2, 1], "Poisson takes counts of 0 or more"),
        ("MeanSquaredLogarithmicError", [0, 1, -2, 1], "takes labels above -1"),
        ("MeanAbsoluteError", [0, 1, np.nan, 1], "the label 'y' is empty in 1 of 4 eval rows"),
        ("MeanAbsoluteError", [0, 1, np.inf, 1], "the label 'y' is infinite in 1 of 4 eval rows"),
    ],
)
def test_labels_outside_of_a_metrics_range(metric: str, label: list[float], words: str) -> None:
    (text,) = problems(metric, label)
    assert words in text


def test_labels_outside_of_a_metrics_range_beside_several_outputs() -> None:
    (text,) = problems("Poisson", [0, 1, -2, 1], prediction=CLASSES)
    assert "Poisson takes counts of 0 or more" in text


def test_soft_labels_and_hinge_labels_are_taken() -> None:
    assert problems("AUC", [0.0, 0.25, 0.5, 1.0]) == []
    assert problems("BinaryCrossEntropy", [0.0, 0.25, 0.5, 1.0]) == []
    assert problems("Hinge", [-1, 1, -1, 1], prediction=LOGITS) == []


@pytest.mark.parametrize("metric", ["Poisson", "MeanSquaredLogarithmicError"])
def test_predictions_without_a_logarithm(metric: str) -> None:
    """TFMA leaves their rows out of the mean, so that the others alone would decide."""
    (text,) = problems(metric, [0, 1, 2, 3], prediction=LOGITS, champion=HALVES)
    assert f"{metric} takes" in text
    assert "the challenger's predictions reach down to -3.2" in text


def test_a_label_beyond_the_models_outputs() -> None:
    (text, _) = problems("SparseCategoricalCrossentropy", [0, 1, 3, 3], CLASSES)
    assert text.startswith(
        "the label 'y' is 3 in 2 of 4 eval rows, but the challenger has outputs for 0 to 2 only, and "
        "SparseCategoricalCrossentropy takes an output for each label."
    )
    assert problems("SparseCategoricalAccuracy", [0, 1, 3, -1], CLASSES) == []


def test_outputs_that_are_not_the_probabilities_of_classes() -> None:
    texts = problems("SparseCategoricalCrossentropy", [0, 1, 2, 2], CLASSES * 2)
    assert "3 outputs add up to 2 to 2, which is not 1 for 4 of 4 eval rows" in texts[0]
    texts = problems("SparseCategoricalCrossentropy", [0, 1, 2, 2], CLASSES * 6 - 1)
    assert "outside 0 to 1" not in texts[0]
    texts = problems("SparseCategoricalCrossentropy", [0, 1, 2, 2], CLASSES * 6)
    assert "predictions reach from 2 to 2, outside 0 to 1" in texts[0]
    assert "End the model in a softmax" in texts[0]
    assert "such as SparseCategoricalCrossentropy with config" in texts[0]
    assert problems("SparseCategoricalAccuracy", [0, 1, 2, 2], CLASSES * 9 - 4) == []
    logits = {"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": True}}
    assert problems(logits, [0, 1, 2, 2], CLASSES * 9 - 4) == []


def test_metrics_of_another_number_of_outputs() -> None:
    (text, _) = problems("BinaryCrossentropy", prediction=CLASSES)
    assert "the challenger has 3 outputs, but BinaryCrossentropy takes one" in text
    (text, _) = problems("SparseCategoricalAccuracy")
    assert "has one output, but SparseCategoricalAccuracy takes an output for each class" in text
    binarize = {"class_ids": {"values": [0, 2]}}
    assert problems("AUC", [0, 1, 2, 2], CLASSES, binarize=binarize) == []
    (text,) = problems("AUC", [0.5, 1, 2, 2], CLASSES, binarize=binarize)
    assert "not a whole number in 1 of 4 eval rows (such as 0.5)" in text


def test_metrics_of_one_hot_labels_are_found_without_data() -> None:
    (problem, _) = evaluation_problems([{"metrics": [{"class_name": "CategoricalAccuracy"}]}])
    assert "Use SparseCategoricalAccuracy" in problem.text


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        ([1, np.nan, 1, 1], "the weight 'w' is empty in 1 of 4 eval rows"),
        ([1, np.inf, 1, 1], "the weight 'w' is infinite in 1 of 4 eval rows"),
        ([1, 2, -2, -1], "the weight 'w' is negative in 2 of 4 eval rows (lowest -2)"),
        ([0, 0, 0, 0], "the weight 'w' is 0 in all 4 eval rows"),
    ],
)
def test_weights_that_do_not_weigh(weight: list[float], words: str) -> None:
    (text,) = problems("AUC", weight=weight)
    assert words in text
    assert problems("AUC", weight=[0, 0, 1, 3]) == []


@pytest.mark.parametrize("beam_args", [[], ON_BEAM], ids=["in process", "on Beam"])
def test_a_failing_metric_does_not_print_the_rows(
    beam_args: list[str],
    models: dict[str, str],
    some_flights: pd.DataFrame,
    make_examples: Callable[..., str],
    champion_record: Callable[..., str],
    tmp_path: Path,
) -> None:
    """Keras's MeanIoU takes class numbers below its num_classes alone, and TFMA adds all rows to its message."""
    frame = some_flights[:300].assign(four=np.arange(300) % 4)
    with pytest.raises(
        RetrainerError, match=r"'mean_io_u' fails(.|\n)*`labels` out of bound"
    ) as error:
        evaluate(
            make_examples({"a": frame[:100], "b": frame[100:]}, label="four"),
            models["coin"],
            champion_record(),
            *(str(tmp_path / name) for name in ("evaluation", "blessing", "r.html")),
            [{"metrics": [{"class_name": "MeanIoU", "config": {"num_classes": 2}}]}],
            beam_args=beam_args,
        )
    assert len(str(error.value)) < 800
    assert len(str(error.value).splitlines()) < 10
    assert error.value.__suppress_context__
