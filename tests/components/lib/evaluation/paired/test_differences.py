"""Differences of two models on the same rows: TFMA's own values, and errors that hold."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from retrainer.components.lib.evaluation.array_metrics.array_path import NotCoveredError
from retrainer.components.lib.evaluation.eval_config import BASELINE, CANDIDATE, build_eval_config
from retrainer.components.lib.evaluation.in_process import evaluate_in_process
from retrainer.components.lib.evaluation.metric_names import result_names
from retrainer.components.lib.evaluation.paired.differences import (
    PairedDifference,
    paired_differences,
)
from retrainer.components.lib.evaluation.paired.groups import assign_groups
from retrainer.components.lib.evaluation.scores import Scores

BINARY = {
    "auc": "AUC",
    "auc_precision_recall": "AUCPrecisionRecall",
    "binary_accuracy": "BinaryAccuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1_score": "F1Score",
    "specificity": "Specificity",
    "matthews_correlation_coefficient": "MatthewsCorrelationCoefficient",
    "calibration": "Calibration",
    "mean_prediction": "MeanPrediction",
    "coefficient_of_discrimination": "CoefficientOfDiscrimination",
    "squared_pearson_correlation": "SquaredPearsonCorrelation",
    "binary_crossentropy": "BinaryCrossEntropy",
    "mean_squared_error": "MeanSquaredError",
    "mean_absolute_error": "MeanAbsoluteError",
}


def scores_of(
    rows: int, seed: int = 0, worse: float = 0.0, weighted: bool = False, noise: float = 0.6
) -> Scores:
    """Rows of a label that two models know equally well, or the challenger by `worse` more noise."""
    random = np.random.default_rng(seed)
    signal = random.normal(size=rows)
    label = (random.random(rows) < 1 / (1 + np.exp(-2 * signal))).astype(np.int64)

    def predict(spread: float) -> np.ndarray:
        return (1 / (1 + np.exp(-2 * signal - spread * random.normal(size=rows)))).astype(
            np.float32
        )

    return Scores(
        label,
        {CANDIDATE: predict(noise + worse), BASELINE: predict(noise)},
        random.choice([0.0, 0.5, 2.0], rows) if weighted else None,
        pa.table({"place": random.choice(["ab", "çd", "e"], rows, p=[0.6, 0.3, 0.1])}),
    )


def config_of(*classes: Any, weight: str = "", slices: tuple[dict[str, Any], ...] = ({},)) -> Any:
    metrics = [one if isinstance(one, dict) else {"class_name": one} for one in classes]
    return build_eval_config([{"metrics": metrics}], list(slices), {}, "y", weight, True)


def differences(scores: Scores, *metrics: str, groups: int = 100) -> list[PairedDifference]:
    config = config_of(*(BINARY[name] for name in metrics))
    return paired_differences(config, scores, metrics, assign_groups(scores.rows, groups))


@pytest.mark.parametrize("weighted", [False, True])
def test_values_are_tfmas_on_every_slice(weighted: bool) -> None:
    scores = scores_of(3_000, weighted=weighted)
    config = config_of(
        *BINARY.values(),
        weight="weight" if weighted else "",
        slices=({}, {"feature_keys": ["place"]}),
    )
    found = paired_differences(config, scores, list(BINARY), assign_groups(scores.rows, 20))
    expected = {
        key: {
            (metric.name, metric.model_name): value
            for metric, value in metrics.items()
            if not metric.is_diff
        }
        for key, metrics in evaluate_in_process(config, scores)
    }
    assert {one.metric for one in found} == set(BINARY)
    assert len(found) == len(BINARY) * 4
    assert [one.slice_key for one in found[:: len(BINARY)]] == list(expected)
    for one in found:
        of_slice = expected[one.slice_key]
        assert one.challenger == pytest.approx(of_slice[one.metric, CANDIDATE], abs=1e-9)
        assert one.champion == pytest.approx(of_slice[one.metric, BASELINE], abs=1e-9)
        assert one.error > 0


@pytest.mark.parametrize("name", ["auc", "f1_score", "mean_squared_error"])
def test_each_draw_is_the_metric_without_a_group(name: str) -> None:
    scores = scores_of(400)
    group = assign_groups(scores.rows, 10)
    config = config_of(BINARY[name])
    (one,) = paired_differences(config, scores, [name], group)
    draws = []
    for left_out in range(10):
        rest = scores.of(group != left_out)
        ((_, metrics),) = evaluate_in_process(config, rest)
        draws += [value for key, value in metrics.items() if key.is_diff and key.name == name]
    assert len(draws) == 10
    spread = np.square(np.array(draws) - np.mean(draws)).sum()
    assert one.error == pytest.approx(math.sqrt(0.9 * spread), rel=1e-6)


def test_keras_metrics_of_several_classes() -> None:
    random = np.random.default_rng(3)
    label = random.integers(0, 4, 2_000)

    def predict() -> np.ndarray:
        logits = random.normal(size=(2_000, 4)) + 2 * np.eye(4)[label]
        return (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)

    scores = Scores(label, {CANDIDATE: predict(), BASELINE: predict()}, None, pa.table({"": label}))
    config = config_of("SparseCategoricalAccuracy", "SparseCategoricalCrossentropy")
    names = ["sparse_categorical_accuracy", "sparse_categorical_crossentropy"]
    found = paired_differences(config, scores, names, assign_groups(2_000, 50))
    ((_, expected),) = evaluate_in_process(config, scores)
    values = {
        (key.name, key.model_name): value for key, value in expected.items() if not key.is_diff
    }
    for one in found:
        # Keras adds up in float32.
        assert one.challenger == pytest.approx(values[one.metric, CANDIDATE], abs=1e-6)
    right = [(scores.predictions[name].argmax(axis=1) == label) for name in (CANDIDATE, BASELINE)]
    accuracy = next(one for one in found if "accuracy" in one.metric)
    change = np.subtract(right[0], right[1], dtype=float)
    assert accuracy.difference == pytest.approx(change.mean())
    assert accuracy.error == pytest.approx(change.std() / math.sqrt(2_000), rel=0.25)


def test_values_by_class_and_over_all_classes_are_tfmas() -> None:
    random = np.random.default_rng(5)
    label = random.integers(0, 3, 900)

    def predict() -> np.ndarray:
        logits = random.normal(size=(900, 3)) + np.eye(3)[label]
        return (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)

    scores = Scores(label, {CANDIDATE: predict(), BASELINE: predict()}, None, pa.table({"": label}))
    metrics = [{"class_name": "AUC"}, {"class_name": "Precision"}, {"class_name": "MeanPrediction"}]
    specs = [
        {
            "metrics": metrics,
            "binarize": {"class_ids": {"values": [0, 2]}},
            "aggregate": {"macro_average": True, "class_weights": {0: 1.0, 2: 3.0}},
        },
        {"metrics": metrics[:2], "aggregate": {"micro_average": True}},
        {"metrics": metrics[1:2], "binarize": {"top_k_list": {"values": [2]}}},
    ]
    config = build_eval_config(specs, [{}], {}, "y", "", True)
    names = result_names(config)
    ((_, expected),) = evaluate_in_process(config, scores)
    values = {
        (names(key), key.model_name): value
        for key, value in expected.items()
        if not key.is_diff and "example_count" not in key.name
    }
    wanted = {name for name, _ in values}
    assert len(wanted) == 12
    found = paired_differences(config, scores, wanted, assign_groups(900, 20))
    assert {one.metric for one in found} == wanted
    for one in found:
        assert one.challenger == pytest.approx(values[one.metric, CANDIDATE], abs=1e-9)
        assert one.champion == pytest.approx(values[one.metric, BASELINE], abs=1e-9)
        assert one.error > 0


@pytest.mark.parametrize("weighted", [False, True])
def test_keras_metrics_that_are_no_means(weighted: bool) -> None:
    """A root of a mean, and two whose states are taken away: each draw is the metric without a group."""
    scores = scores_of(400, weighted=weighted)
    config = config_of(
        "RootMeanSquaredError", "R2Score", "BinaryIoU", weight="w" if weighted else ""
    )
    names = ["root_mean_squared_error", "r2_score", "binary_io_u"]
    group = assign_groups(scores.rows, 10)
    found = paired_differences(config, scores, names, group)
    draws: dict[str, list[float]] = {name: [] for name in names}
    for left_out in range(10):
        ((_, metrics_without),) = evaluate_in_process(config, scores.of(group != left_out))
        for key, value in metrics_without.items():
            if key.is_diff and key.name in draws:
                draws[key.name].append(value)
    assert [one.metric for one in found] == names
    for one in found:
        without = np.array(draws[one.metric])
        assert one.error == pytest.approx(
            math.sqrt(0.9 * np.square(without - without.mean()).sum()), rel=1e-3
        )


def test_a_metric_of_several_values_is_named() -> None:
    config = config_of({"class_name": "Precision", "config": {"thresholds": [0.3, 0.5]}})
    with pytest.raises(NotCoveredError, match="precision \\(several values"):
        paired_differences(config, scores_of(100), ["precision"], assign_groups(100, 10))


def test_a_metric_that_can_not_be_summed_by_group_is_named() -> None:
    config = config_of("ExactMatch")
    with pytest.raises(NotCoveredError, match="exact_match"):
        paired_differences(config, scores_of(100), ["exact_match"], assign_groups(100, 10))


def test_rows_that_depend_on_each_other_widen_the_interval() -> None:
    once = scores_of(1_000)
    times = np.repeat(np.arange(1_000), 9)
    scores = Scores(
        once.label[times],
        {name: values[times] for name, values in once.predictions.items()},
        None,
        pa.table({"customer": times}),
    )
    config = config_of("AUC")
    alone = paired_differences(config, scores, ["auc"], assign_groups(9_000, 200))[0]
    customers = scores.slices["customer"]
    clustered = paired_differences(config, scores, ["auc"], assign_groups(9_000, 200, customers))[0]
    assert clustered.difference == alone.difference
    # Nine copies of each row are no more evidence than one.
    assert clustered.error / alone.error == pytest.approx(3, rel=0.2)


def test_pairs_say_more_than_two_models_apart() -> None:
    (one,) = differences(scores_of(20_000, noise=0.2), "auc")
    assert one.error < one.challenger_error / 3


def test_equal_predictions_differ_by_nothing() -> None:
    scores = scores_of(500)
    scores.predictions[CANDIDATE] = scores.predictions[BASELINE]
    (one,) = differences(scores, "auc")
    assert (one.difference, one.error) == (0, 0)
    assert one.interval(0.95) == (0, 0)
    assert one.chance_of(0.0) == 1
    assert one.chance_of(0.001) == 0


def test_slices_that_are_too_small_are_left_out() -> None:
    scores = scores_of(300)
    place = np.array(scores.slices["place"].to_pylist())
    config = config_of("AUC", slices=({}, {"feature_keys": ["place"]}))
    group = assign_groups(300, 20)
    large = paired_differences(config, scores, ["auc"], group, least_rows=150)
    assert [one.rows for one in large] == [300, int((place == "ab").sum())]


def test_intervals_hold_the_true_difference_as_often_as_they_claim() -> None:
    scores = scores_of(60_000)
    samples = pa.table({"sample": np.arange(60_000) % 100})
    scores = Scores(scores.label, scores.predictions, None, samples)
    config = config_of("AUC", slices=({"feature_keys": ["sample"]},))
    found = paired_differences(config, scores, ["auc"], assign_groups(60_000, 40), least_rows=600)
    intervals = [one.interval(0.9) for one in found if one.slice_key]
    assert len(intervals) == 100
    # 90 of 100 are expected; four standard deviations are 12.
    assert 78 <= sum(low <= 0 <= high for low, high in intervals) < 100


def rankings(queries: int) -> Scores:
    """Queries of 1 to 9 rows; the challenger ranks a little better."""
    random = np.random.default_rng(11)
    query = np.repeat(np.arange(queries), random.integers(1, 10, queries))
    gain = random.choice([0.0, 0.0, 1.0, 3.0], len(query))
    noise = random.normal(size=(2, len(query)))
    return Scores(
        (gain > 1).astype(np.int64),
        {
            CANDIDATE: (gain + noise[0]).astype(np.float32),
            BASELINE: (gain + 1.5 * noise[1]).astype(np.float32),
        },
        None,
        pa.table(
            {
                "query": pa.array([f"q{one}" for one in query]),
                "customer": query // 3,
                "place": np.array(["ab", "çd"])[query % 2],
                "gain": gain,
            }
        ),
    )


def test_rankings_are_compared_over_whole_queries() -> None:
    """Of a mean over queries the error is the textbook's over queries, however many rows they have."""
    scores = rankings(600)
    metrics = [
        {"class_name": "NDCG", "config": {"gain_key": "gain", "top_k_list": [1, 5]}},
        {"class_name": "MinLabelPosition"},
    ]
    spec = {"query_key": "query", "metrics": metrics}
    rows = {"metrics": [{"class_name": "MeanPrediction"}]}
    slices = [{}, {"feature_keys": ["place"]}]
    config = build_eval_config([spec, rows], slices, {}, "label", "", True)
    names = ["ndcg_topK:5", "min_label_position", "mean_prediction"]
    values = dict(evaluate_in_process(config, scores))
    name_of = result_names(config)
    by_rows = assign_groups(scores.rows, 100)
    by_customer = assign_groups(scores.rows, 100, scores.slices["customer"])
    for group in (by_rows, by_customer):
        found = paired_differences(config, scores, names, group)
        assert len(found) == 9
        for one in found:
            own = {
                (name_of(key), key.model_name): value
                for key, value in values[one.slice_key].items()
                if not key.is_diff
            }
            assert one.challenger == pytest.approx(own[one.metric, CANDIDATE], rel=1e-12)
            assert one.champion == pytest.approx(own[one.metric, BASELINE], rel=1e-12)
            assert one.groups > 90
    frame = scores.slices.to_pandas().assign(
        challenger=scores.predictions[CANDIDATE], champion=scores.predictions[BASELINE]
    )

    def first(model: str) -> pd.Series:
        ranked = frame.sort_values(model, ascending=False)
        ranked["place_in_query"] = ranked.groupby("query").cumcount() + 1
        return ranked[ranked["gain"] > 1].groupby("query")["place_in_query"].min()

    difference = first("challenger") - first("champion")
    overall = next(one for one in found if one.metric == "min_label_position" and not one.slice_key)
    assert overall.difference == pytest.approx(difference.mean())
    assert overall.error == pytest.approx(difference.std() / math.sqrt(len(difference)), rel=0.25)
    gain = next(one for one in found if one.metric == "ndcg_topK:5" and not one.slice_key)
    assert gain.chance_of(0.0) > 0.999
