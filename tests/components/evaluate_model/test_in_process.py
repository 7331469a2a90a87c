"""The numbers by arrays are TFMA's own: metrics, plots, slices and judgements, on the same rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from retrainer.components.evaluate_model.on_beam import evaluate_scores_on_beam
from retrainer.components.evaluate_model.predict import score
from retrainer.components.lib.evaluation.array_metrics.array_path import NotCoveredError
from retrainer.components.lib.evaluation.eval_config import (
    BASELINE,
    CANDIDATE,
    build_eval_config,
    named_columns,
)
from retrainer.components.lib.evaluation.in_process import (
    MOST_PLOTTED,
    evaluate_in_process,
    write_results,
)
from retrainer.components.lib.evaluation.scores import Scores
from retrainer.components.lib.examples import Examples
from retrainer.components.lib.saved_models.saved_model import load_model

from .result_files import differences, failures, read

Specs = list[dict[str, Any]]


def metrics(*names: str | dict[str, Any]) -> Specs:
    return [{"metrics": [{"class_name": n} if isinstance(n, str) else n for n in names]}]


AUC_WITH_THRESHOLDS = {
    "class_name": "AUC",
    "threshold": {
        "value_threshold": {"lower_bound": 0.85},
        "change_threshold": {"absolute": 0.02, "relative": 0.01, "direction": "HIGHER_IS_BETTER"},
    },
    "per_slice_thresholds": [
        {
            "slicing_specs": [{"feature_keys": ["origin"]}, {"feature_values": {"carrier": "ZZ"}}],
            "threshold": {"value_threshold": {"lower_bound": 0.5, "upper_bound": 0.9}},
        }
    ],
}
BY_CARRIER_AND_ORIGIN = [{}, {"feature_keys": ["carrier"]}, {"feature_keys": ["origin"]}]
SEVERAL_OUTPUTS = {
    "late": ("late",),
    "minutes": ("minutes",),
    "class": ("rating",),
    "labels": ("late", "early", "far"),
}
CASES: dict[str, dict[str, Any]] = {
    "gate": {
        "metrics_specs": metrics(AUC_WITH_THRESHOLDS, "BinaryAccuracy", "CalibrationPlot"),
        "slicing_specs": BY_CARRIER_AND_ORIGIN,
    },
    "crossed slices, empty and odd slice values": {
        "metrics_specs": metrics("BinaryAccuracy", "CalibrationPlot", "ExampleCount"),
        "slicing_specs": [
            {"feature_keys": ["origin", "carrier"]},
            {"feature_keys": ["origin"], "feature_values": {"month": 1.0}},
            {"feature_values": {"origin": "JFK", "carrier": "B6"}},
            {"feature_values": {"origin": "JFK"}},
            {"feature_keys": ["origin"]},
            {"feature_keys": ["gate"]},
            {"feature_keys": ["tailnum"], "feature_values": {"carrier": "AA"}},
            {"feature_keys": ["origin", "gate"]},
            {"feature_values": {"gate": "1.5"}},
        ],
        "champion": None,
    },
    "slices of lists": {
        "metrics_specs": metrics("BinaryAccuracy", "MeanPrediction", "ExampleCount"),
        "slicing_specs": [
            {},
            {"feature_keys": ["tags"]},
            {"feature_keys": ["origin", "tags"]},
            {"feature_keys": ["tags", "stops"]},
            {"feature_keys": ["origin"], "feature_values": {"tags": "b"}},
            {"feature_values": {"stops": "12"}},
        ],
        "champion": None,
    },
    "several labels a row": {
        "metrics_specs": [
            *metrics(
                *("AUC", "BinaryAccuracy", "Precision", "Recall", "F1Score", "Calibration"),
                *("MeanSquaredError", "MeanAbsoluteError", "MeanLabel", "CalibrationPlot"),
                *("BinaryCrossEntropy", "MultiLabelConfusionMatrixPlot", "ConfusionMatrixPlot"),
            ),
            {
                **metrics("AUC", "MeanPrediction", "CalibrationPlot")[0],
                "binarize": {"class_ids": {"values": [0, 2]}},
            },
            {
                **metrics("AUC", "Recall", "BinaryAccuracy")[0],
                "aggregate": {"macro_average": True, "class_weights": {0: 1, 1: 1, 2: 2}},
            },
            {
                **metrics("Precision")[0],
                "aggregate": {"weighted_macro_average": True, "class_weights": {0: 1, 1: 1, 2: 1}},
            },
            {
                **metrics({"class_name": "AUC", "config": {"name": "micro"}})[0],
                "aggregate": {"micro_average": True, "class_weights": {0: 1, 1: 0.5, 2: 1}},
            },
            {
                **metrics("Precision", {"class_name": "Recall", "config": {"name": "best"}})[0],
                "binarize": {"top_k_list": {"values": [1, 2]}},
            },
        ],
        "slicing_specs": BY_CARRIER_AND_ORIGIN[::2],
        "label_keys": {"labels": ("late", "early", "far")},
        "weight": "weight",
        "challenger": "labels",
        "champion": None,
    },
    "Keras on several labels a row": {
        "metrics_specs": [
            *metrics("BinaryCrossentropy", "RootMeanSquaredError"),
            {**metrics("Poisson")[0], "binarize": {"class_ids": {"values": [1]}}},
        ],
        "slicing_specs": BY_CARRIER_AND_ORIGIN[::2],
        "label_keys": {"labels": ("late", "early", "far")},
        "challenger": "labels",
        "champion": None,
        "tolerance": 2e-6,
    },
    "several outputs": {
        "metrics_specs": [
            {
                **metrics(
                    {"class_name": "AUC", "threshold": AUC_WITH_THRESHOLDS["threshold"]},
                    "BinaryAccuracy",
                )[0],
                "output_names": ["late", "labels"],
                "output_weights": {"late": 2, "labels": 1},
            },
            {
                **metrics("MeanAbsoluteError", "SquaredPearsonCorrelation", "ExampleCount")[0],
                "output_names": ["minutes"],
                "example_weights": {"weighted": True, "unweighted": True},
            },
            {
                **metrics("AUC", "MultiClassConfusionMatrixPlot")[0],
                "output_names": ["class"],
                "binarize": {"class_ids": {"values": [0, 2]}},
            },
            {
                **metrics("CalibrationPlot", "ConfusionMatrixPlot")[0],
                "output_names": ["late", "labels"],
            },
            {
                **metrics("MultiLabelConfusionMatrixPlot", "MeanPrediction")[0],
                "output_names": ["labels"],
            },
        ],
        "slicing_specs": BY_CARRIER_AND_ORIGIN[::2],
        "label_keys": SEVERAL_OUTPUTS,
        "weight": "weight",
        "challenger": "outputs",
        "champion": "other_outputs",
    },
    "Keras on several outputs": {
        "metrics_specs": [
            {**metrics("MeanSquaredError")[0], "output_names": ["minutes"]},
            {**metrics("RootMeanSquaredError")[0], "output_names": ["minutes", "late"]},
            {**metrics("SparseCategoricalCrossentropy")[0], "output_names": ["class"]},
            {**metrics("BinaryCrossentropy")[0], "output_names": ["labels", "late"]},
        ],
        "slicing_specs": BY_CARRIER_AND_ORIGIN[::2],
        "label_keys": SEVERAL_OUTPUTS,
        "challenger": "outputs",
        "champion": "other_outputs",
        "tolerance": 2e-6,
    },
    "fractional labels, small slices hidden": {
        "metrics_specs": metrics(
            AUC_WITH_THRESHOLDS, "CalibrationPlot", "MeanSquaredError", "Precision"
        ),
        "slicing_specs": BY_CARRIER_AND_ORIGIN[:2],
        "options": {"min_slice_size": 20},
        "label": "share",
        "weight": "weight",
    },
    "over all classes": {
        "metrics_specs": [
            {
                **metrics("AUC", "F1Score", "Calibration")[0],
                "aggregate": {"micro_average": True, "class_weights": {0: 1.0, 1: 0.5, 2: 2.0}},
            },
            {
                **metrics("Recall")[0],
                "binarize": {"class_ids": {"values": [0, 1, 2]}},
                "aggregate": {
                    "weighted_macro_average": True,
                    "class_weights": {0: 1.0, 1: 1.0, 2: 1.0},
                },
            },
            {
                **metrics({"class_name": "Precision", "config": {"name": "best_two"}})[0],
                "aggregate": {"micro_average": True, "top_k_list": {"values": [2]}},
            },
        ],
        "slicing_specs": BY_CARRIER_AND_ORIGIN[::2],
        "label": "rating",
        "challenger": "classes",
        "champion": None,
    },
    "Keras by class": {
        "metrics_specs": [
            {
                **metrics("BinaryCrossentropy", "MeanSquaredError")[0],
                "binarize": {"class_ids": {"values": [1]}},
            },
            {**metrics("RootMeanSquaredError")[0], "aggregate": {"micro_average": True}},
        ],
        "slicing_specs": BY_CARRIER_AND_ORIGIN[::2],
        "label": "rating",
        "challenger": "classes",
        "champion": None,
        "tolerance": 2e-6,
    },
}


def prepare(
    case: dict[str, Any], models: dict[str, str], frame: pd.DataFrame, make_examples: Callable
) -> tuple[config_pb2.EvalConfig, Scores, bool]:
    champion = case.get("champion", "champion")
    label, weight = case.get("label", "late"), case.get("weight", "")
    label_keys = case.get("label_keys", {})
    outputs = list(label_keys) if len(label_keys) > 1 else []
    config = build_eval_config(
        case["metrics_specs"],
        case["slicing_specs"],
        case.get("options", {}),
        label,
        weight,
        champion is not None,
        outputs,
    )
    half = len(frame) // 2
    path = make_examples(
        {"a": frame[:half], "b": frame[half:]}, eval_spans=2, label=label, label_keys=label_keys
    )
    loaded = {CANDIDATE: load_model(models[case.get("challenger", "late")], "challenger")}
    if champion:
        loaded[BASELINE] = load_model(models[champion], "champion version 1")
    scores = score(Examples.read(path), loaded, named_columns(config), weight, batch_rows=256)
    return config, scores, champion is not None


SLOW = ("Keras on several labels a row", "Keras on several outputs")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in CASES],
)
def test_equals_tfma_on_beam(
    name: str,
    models: dict[str, str],
    some_flights: pd.DataFrame,
    make_examples: Callable[..., str],
    tmp_path: Path,
) -> None:
    case = CASES[name]
    config, scores, has_champion = prepare(case, models, some_flights[:400], make_examples)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    results = evaluate_in_process(config, scores)
    write_results(results, config, str(ours), not has_champion, "eval split", {})
    evaluate_scores_on_beam(config, scores, str(theirs), not has_champion)

    expected, got = read(theirs), read(ours)
    assert expected.keys() == got.keys()
    assert len(expected) > 10
    for key, value in expected.items():
        assert differences(value, got[key], case.get("tolerance", 1e-9)) == [], key

    judged, wanted = (tfma.load_validation_result(str(folder)) for folder in (ours, theirs))
    assert failures(judged) == failures(wanted)
    assert judged.validation_ok == wanted.validation_ok
    assert judged.rubber_stamp == wanted.rubber_stamp
    assert sorted(map(str, judged.missing_slices)) == sorted(map(str, wanted.missing_slices))


def test_the_gate_case_fails_some_thresholds_and_passes_others(
    models: dict[str, str],
    some_flights: pd.DataFrame,
    make_examples: Callable[..., str],
    tmp_path: Path,
) -> None:
    config, scores, _ = prepare(CASES["gate"], models, some_flights, make_examples)
    write_results(evaluate_in_process(config, scores), config, str(tmp_path), False, "x", {})
    result = tfma.load_validation_result(str(tmp_path))
    assert 3 < len(failures(result)) < 40
    assert [dict(spec.feature_values) for spec in result.missing_slices] == [{"carrier": "ZZ"}]


def test_tfma_reads_the_result(
    models: dict[str, str],
    some_flights: pd.DataFrame,
    make_examples: Callable[..., str],
    tmp_path: Path,
) -> None:
    config, scores, _ = prepare(CASES["gate"], models, some_flights, make_examples)
    folder = tmp_path / "evaluation"
    folder.mkdir()
    write_results(evaluate_in_process(config, scores), config, str(folder), False, "x", {})
    result = tfma.load_eval_result(str(folder), model_name="candidate")
    assert result.config == config
    slices = dict(result.slicing_metrics)
    assert slices[()][""][""]["example_count"] == {"doubleValue": 700.0}
    assert 0.5 < slices[()][""][""]["auc"]["doubleValue"] < 1
    assert (("carrier", "UA"),) in slices
    assert len(result.plots) == len(slices)
    assert len(list(folder.iterdir())) == 5


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"metrics_specs": metrics("ModelCosineSimilarity")}, "ModelCosineSimilarity"),
        (
            {"metrics_specs": [{**metrics("BinaryAccuracy")[0], "query_key": "carrier"}]},
            "by query",
        ),
        (
            {
                "metrics_specs": [
                    {
                        **metrics("BinaryCrossEntropy")[0],
                        "aggregate": {"micro_average": True},
                    }
                ],
                "challenger": "classes",
                "champion": None,
                "label": "rating",
            },
            "several outputs",
        ),
    ],
)
def test_refuses_what_it_does_not_cover(
    changes: dict[str, Any],
    reason: str,
    models: dict[str, str],
    some_flights: pd.DataFrame,
    make_examples: Callable[..., str],
) -> None:
    config, scores, _ = prepare({**CASES["gate"], **changes}, models, some_flights, make_examples)
    with pytest.raises(NotCoveredError, match=reason):
        evaluate_in_process(config, scores)


@pytest.mark.parametrize(
    "method", ["JACKKNIFE", pytest.param("POISSON_BOOTSTRAP", marks=pytest.mark.slow)]
)
def test_confidence_intervals(
    method: str,
    models: dict[str, str],
    some_flights: pd.DataFrame,
    make_examples: Callable[..., str],
    tmp_path: Path,
) -> None:
    """TFMA draws at random: values are equal, intervals are as wide within what chance allows."""
    case = {
        "metrics_specs": metrics("MeanLabel", "MeanPrediction", "BinaryAccuracy", "ExampleCount"),
        "slicing_specs": [{}, {"feature_keys": ["origin"]}],
        "options": {
            "compute_confidence_intervals": True,
            "confidence_intervals": {"method": method},
        },
    }
    config, scores, _ = prepare(case, models, some_flights[:150], make_examples)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    results = evaluate_in_process(config, scores)
    write_results(results, config, str(ours), False, "x", {})
    evaluate_scores_on_beam(config, scores, str(theirs), False)
    expected, got = read(theirs), read(ours)
    assert expected.keys() == got.keys()
    widths, mean_label = [], None
    for place, item in expected.items():
        if place[0] != "metric" or len(place) < 3:
            continue
        assert differences(item.value, got[place].value, 1e-9) == []
        assert item.HasField("confidence_interval") == got[place].HasField("confidence_interval")
        theirs_error, error = (
            i.confidence_interval.standard_error.double_value.value for i in (item, got[place])
        )
        if theirs_error > 1e-9:
            widths.append(error / theirs_error)
        if place[1] == "" and item.key.name == "mean_label" and not item.key.is_diff:
            mean_label = error
    assert len(widths) > 10
    assert 0.7 < np.median(widths) < 1.4
    # The textbook's standard error of a mean.
    known = scores.label.std() / np.sqrt(scores.rows)
    assert mean_label == pytest.approx(known, rel=0.5)
    assert results == evaluate_in_process(config, scores)


def test_slices_without_plots_have_their_metrics() -> None:
    rows, slices = 6_000, MOST_PLOTTED + 100
    random = np.random.default_rng(1)
    specs = metrics("AUC", "BinaryAccuracy", "CalibrationPlot", "ConfusionMatrixPlot")
    config = build_eval_config(specs, [{}, {"feature_keys": ["shop"]}], {}, "label")
    label, prediction = random.integers(2, size=rows), random.random(rows).astype(np.float32)
    shops = pa.table({"shop": np.arange(rows) % slices})
    found = dict(evaluate_in_process(config, Scores(label, {CANDIDATE: prediction}, None, shops)))
    names = [{key.name for key in values} for values in found.values()]
    assert len(names) == slices + 1
    assert all({"auc", "binary_accuracy"} <= one for one in names)
    assert sum("calibration_plot" in one for one in names) == MOST_PLOTTED
