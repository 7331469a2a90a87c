"""Metrics over arrays are those of TFMA on Beam, by kind of task, with weights and slices; none falls back to Beam."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import binary_confusion_matrices, metric_types, metric_util

from retrainer.components.evaluate_model.on_beam import evaluate_scores_on_beam
from retrainer.components.lib.evaluation.eval_config import BASELINE, CANDIDATE, build_eval_config
from retrainer.components.lib.evaluation.in_process import evaluate_in_process, write_results
from retrainer.components.lib.evaluation.scores import Scores

from .result_files import differences, read

ROWS = 100
SLICES = [
    {},
    {"feature_keys": ["city"]},
    {"feature_keys": ["city", "size"]},
    {"feature_values": {"city": "Zürich"}},
]
AT = {"thresholds": [0.2, 0.5, 0.8]}
IN_32_BITS = 2e-6
"""Keras adds up in 32 bits, and Beam in another order from run to run: its own results differ by this much."""
OF_KERAS = (
    "root_mean_squared_error",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
)


def metric(class_name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": config}


BINARY = [
    metric("AUC"),
    metric("AUC", name="auc_pr", curve="PR"),
    metric("AUC", name="auc_rough", num_thresholds=50, summation_method="majoring"),
    metric("AUC", name="auc_minoring", summation_method="minoring"),
    metric("AUCPrecisionRecall"),
    metric("Precision"),
    metric("Precision", name="precision_at", **AT),
    metric("Recall"),
    metric("Recall", name="recall_at", **AT),
    metric("F1Score"),
    metric("F1Score", name="f1_at", thresholds=[0.3]),
    metric("Specificity"),
    metric("BalancedAccuracy"),
    metric("BinaryAccuracy"),
    metric("BinaryCrossEntropy"),
    metric("MeanSquaredError", name="brier"),
    metric("Calibration"),
    metric("CalibrationPlot", num_buckets=20),
    metric("MeanLabel"),
    metric("MeanPrediction"),
    metric("Prevalence"),
    metric("PredictedPositiveRate"),
    metric("ConfusionMatrixAtThresholds", **AT),
    metric("ConfusionMatrixPlot", num_thresholds=20),
    metric("MatthewsCorrelationCoefficient"),
    metric("PrecisionAtRecall", recall=0.5),
    metric("RecallAtPrecision", precision=0.4),
    metric("RecallAtFalsePositiveRate", false_positive_rate=0.3),
    metric("SensitivityAtSpecificity", specificity=0.5),
    metric("SpecificityAtSensitivity", sensitivity=0.5),
    metric("CoefficientOfDiscrimination"),
    metric("TruePositives", thresholds=[0.5]),
    metric("FalsePositives", thresholds=[0.5]),
    metric("TrueNegatives", thresholds=[0.5]),
    metric("FalseNegatives", thresholds=[0.5]),
    # The rates that fairness indicators show, at several thresholds, by slice.
    metric("TPR", name="tpr", **AT),
    metric("TNR", name="tnr", **AT),
    metric("FPR", name="fpr", **AT),
    metric("FNR", name="fnr", **AT),
    metric("FalseDiscoveryRate", **AT),
    metric("FalseOmissionRate", **AT),
    metric("NPV", name="npv", **AT),
    metric("PPV", name="ppv", **AT),
    metric("WeightedExampleCount"),
]
REGRESSION = [
    metric("MeanAbsoluteError"),
    metric("MeanSquaredError"),
    metric("MeanAbsolutePercentageError"),
    metric("MeanSquaredLogarithmicError"),
    metric("RootMeanSquaredError"),
    metric("SquaredPearsonCorrelation"),
    metric("Calibration"),
    metric("MeanLabel"),
    metric("MeanPrediction"),
    metric("ExampleCount"),
    metric("CalibrationPlot", left=0.0, right=40.0, num_buckets=10),
]
COUNTED = ("Precision", "Recall", "F1Score", "BinaryAccuracy", "BinaryCrossEntropy", "Calibration")
CLASSES: list[dict[str, Any]] = [
    {
        "metrics": [
            metric("SparseCategoricalAccuracy"),
            metric("SparseCategoricalCrossentropy"),
            metric("SparseTopKCategoricalAccuracy", k=2),
            metric("MultiClassConfusionMatrixAtThresholds", thresholds=[0.3, 0.5]),
            metric("MultiClassConfusionMatrixPlot", thresholds=[0.0, 0.4]),
            metric("Precision", name="precision_top_2", top_k=2),
            metric("Recall", name="recall_top_1", top_k=1),
            metric("Precision", name="precision_of_1", class_id=1),
            metric("ExampleCount"),
        ]
    },
    {
        "binarize": {"class_ids": {"values": [0, 2]}},
        "metrics": [
            *(metric(name) for name in COUNTED),
            metric("AUC", num_thresholds=100),
            metric("CalibrationPlot", num_buckets=10),
        ],
    },
    {
        "binarize": {"k_list": {"values": [1, 2]}},
        "metrics": [metric("AUC", num_thresholds=100), metric("Precision")],
    },
    {
        "binarize": {"top_k_list": {"values": [1, 2]}},
        "metrics": [metric("Precision"), metric("Recall")],
    },
    {
        "aggregate": {"micro_average": True},
        "metrics": [metric("AUC"), metric("F1Score"), metric("MeanSquaredError")],
    },
    {
        "binarize": {"class_ids": {"values": [0, 1, 2]}},
        "aggregate": {"macro_average": True, "class_weights": {0: 1.0, 1: 0.5, 2: 2.0}},
        "metrics": [
            metric("AUC", name="macro_auc", num_thresholds=100),
            metric("Recall", name="macro_recall"),
            metric("MeanPrediction", name="macro_mean"),
        ],
    },
]
TASKS = {
    "binary": [
        {"metrics": BINARY},
        {
            "example_weights": {"weighted": True, "unweighted": True},
            "metrics": [metric("ExampleCount"), metric("MeanAbsoluteError")],
        },
    ],
    "regression": [{"metrics": REGRESSION}],
    "classes": CLASSES,
}


def rows(task: str) -> Scores:
    """Rows with a weight of 0 in some, a slice where all weights are 0, and slices of a missing and a unicode value."""
    random = np.random.default_rng(3)
    city = np.array(["Zürich", "São Paulo", "東京", None, "Oslo"], object)[
        random.choice(5, ROWS, p=[0.4, 0.3, 0.1, 0.1, 0.1])
    ]
    size = random.choice([1, 2, 7], ROWS)
    weight = random.choice([0.0, 0.5, 1.0, 3.0], ROWS)
    # In a slice where no row weighs anything TFMA fails on metrics of the k best.
    weight[city == "Oslo"] = 0.0 if task != "classes" else 1.0
    label: np.ndarray
    if task == "binary":
        label = (random.random(ROWS) < 0.4).astype(np.int64)
        signal = label * 0.4 + random.random(ROWS) * 0.6
        predictions = [signal, np.round(random.random(ROWS), 1)]
    elif task == "regression":
        label = np.round(random.gamma(2.0, 8.0, ROWS), 1) * (random.random(ROWS) < 0.9)
        predictions = [np.abs(label + random.normal(0, 3, ROWS)), random.gamma(2.0, 8.0, ROWS)]
    else:
        label = random.integers(0, 3, ROWS)
        predictions = []
        for share in (1.5, 0.5):
            found = random.random((ROWS, 3)) + share * np.eye(3)[label]
            predictions.append(found / found.sum(axis=1, keepdims=True))
    return Scores(
        label,
        {
            name: values.astype(np.float32)
            for name, values in zip((CANDIDATE, BASELINE), predictions, strict=True)
        },
        weight,
        pa.table({"city": pa.array(city.tolist()), "size": pa.array(size)}),
    )


@pytest.mark.parametrize("task", TASKS)
def test_equals_tfma_on_beam(task: str, tmp_path: Path) -> None:
    slices = SLICES if task == "binary" else SLICES[:2]
    config = build_eval_config(TASKS[task], slices, {}, "label", "weight", True)
    scores = rows(task)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    # It raises NotCoveredError for what it leaves to Beam.
    write_results(evaluate_in_process(config, scores), config, str(ours), False, "eval split", {})
    evaluate_scores_on_beam(config, scores, str(theirs), False)
    expected, got = read(theirs), read(ours)
    assert expected.keys() == got.keys()
    assert [
        (key, found)
        for key, value in expected.items()
        if (found := differences(value, got[key], tolerance(key)))
    ] == []


def tolerance(key: Any) -> float:
    return IN_32_BITS if any(name in str(key) for name in OF_KERAS) else 1e-9


def test_at_least_forty_metrics_are_compared() -> None:
    compared = {
        (task, one["class_name"], str(one["config"]), str(spec.get("binarize")))
        for task, specs in TASKS.items()
        for spec in specs
        for one in spec["metrics"]
    }
    assert len(compared) > 70
    assert len({name for _, name, *_ in compared}) >= 40


def test_r2_of_keras_is_what_its_definition_says() -> None:
    """TFMA on Beam fails on it: Keras makes its counters with the first row."""
    scores = rows("regression")
    config = build_eval_config(
        [{"metrics": [metric("R2Score")]}], SLICES[:2], {}, "label", "weight", True
    )
    found = dict(evaluate_in_process(config, scores))
    city = np.array([str(one) for one in scores.slices["city"].to_pylist()])
    for slice_key, of_slice in {(): city != "", (("city", "Zürich"),): city == "Zürich"}.items():
        label, weight = scores.label[of_slice], scores.weight[of_slice]
        mean = np.average(label, weights=weight)
        for name, values in scores.predictions.items():
            error = np.average((label - values[of_slice]) ** 2, weights=weight)
            known = 1 - error / np.average((label - mean) ** 2, weights=weight)
            (value,) = (
                value
                for key, value in found[slice_key].items()
                if key.name == "r2_score" and key.model_name == name and not key.is_diff
            )
            assert value == pytest.approx(known, rel=1e-5)


def test_a_model_that_predicts_one_class_does_not_stop_the_prevalence_threshold() -> None:
    scores = rows("binary")
    same = {name: np.zeros(ROWS, np.float32) for name in scores.predictions}
    config = build_eval_config([{"metrics": [metric("PrevalenceThreshold")]}], [], {}, "label")
    alone = Scores(scores.label, same, None, scores.slices)
    (found,) = [
        value
        for key, value in dict(evaluate_in_process(config, alone))[()].items()
        if key.name == "prevalence_threshold"
    ]
    assert np.isnan(found)


class Rates(tfma.metrics.Metric):
    """A metric of a user's module that makes rates at thresholds, as FairnessIndicators does."""

    def __init__(self, thresholds: Sequence[float], name: str = "rates") -> None:
        self._thresholds = list(thresholds)
        super().__init__(
            metric_util.merge_per_key_computations(self._make), thresholds=thresholds, name=name
        )

    def _make(
        self, thresholds: list[float], name: str, model_name: str, example_weighted: bool, **_: Any
    ) -> list[Any]:
        counts = binary_confusion_matrices.binary_confusion_matrices(
            thresholds=list(thresholds), model_name=model_name, example_weighted=example_weighted
        )
        keys = [
            metric_types.MetricKey(
                f"{name}@{one}", model_name=model_name, example_weighted=example_weighted
            )
            for one in thresholds
        ]

        def result(found: dict[Any, Any]) -> dict[Any, float]:
            matrices = found[counts[-1].keys[-1]]
            return {
                key: matrices.fp[i] / (matrices.fp[i] + matrices.tn[i] or np.nan)
                for i, key in enumerate(keys)
            }

        return [*counts, metric_types.DerivedMetricComputation(keys=keys, result=result)]


def test_rates_of_a_metric_of_your_own_run_over_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("own_rates")
    monkeypatch.setattr(module, "Rates", Rates, raising=False)
    monkeypatch.setitem(sys.modules, "own_rates", module)
    own = {"class_name": "Rates", "module": "own_rates", "config": {"thresholds": [0.2, 0.5]}}
    known = [metric("FPR", name=f"fpr_{one}", thresholds=[one]) for one in (0.2, 0.5)]
    config = build_eval_config([{"metrics": [own, *known]}], SLICES, {}, "label", "weight", True)
    for found in dict(evaluate_in_process(config, rows("binary"))).values():
        values = {(key.name, key.model_name): value for key, value in found.items()}
        for one in (0.2, 0.5):
            assert values[f"rates@{one}", CANDIDATE] == pytest.approx(
                values[f"fpr_{one}", CANDIDATE], nan_ok=True
            )


def test_a_slice_without_weight_does_not_stop_the_metrics_of_the_k_best() -> None:
    spec = {"binarize": {"top_k_list": {"values": [2]}}, "metrics": [metric("Precision")]}
    config = build_eval_config([spec], SLICES, {}, "label", "weight", True)
    scores = rows("binary")
    classes = rows("classes")
    weightless = Scores(classes.label, classes.predictions, scores.weight, scores.slices)
    found = dict(evaluate_in_process(config, weightless))
    (value,) = (
        value
        for key, value in found[(("city", "Oslo"),)].items()
        if key.name == "precision" and key.model_name == CANDIDATE and not key.is_diff
    )
    assert np.isnan(value)
