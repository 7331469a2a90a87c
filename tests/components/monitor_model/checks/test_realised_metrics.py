"""Metrics of `evaluation` on labelled rows: against the gate's, looked at with each span."""

from dataclasses import replace

import numpy as np
import pytest

from retrainer.components.lib.monitoring.signals import Outcome
from retrainer.components.lib.registry.evaluation_summary import EvaluationSummary, SliceMetrics
from retrainer.components.lib.registry.registry import Registry
from retrainer.components.lib.store import Store
from retrainer.components.monitor_model.checks import realised_metrics

from .realised_world import World

EVALUATION = {
    "metrics_specs": [
        {"metrics": [{"class_name": "AUC"}, {"class_name": "BinaryCrossEntropy"}]},
        {"metrics": [{"class_name": "MeanLabel"}, {"class_name": "TruePositives"}]},
    ],
    "slicing_specs": [{}, {"feature_keys": ["carrier"]}],
}


def _auc(labels, scores):
    order = np.argsort(scores)
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    positive = labels > 0.5
    count = positive.sum()
    return (ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(labels) - count))


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.evaluation = EVALUATION
    reference = made.reference
    auc = _auc(reference.labels, reference.predictions)
    right = np.where(reference.labels > 0.5, reference.predictions, 1 - reference.predictions)
    metrics = {"auc": auc, "binary_crossentropy": float(-np.log(right).mean()), "mean_label": 0.3}
    slices = (
        SliceMetrics({}, metrics, 20_000),
        SliceMetrics({"carrier": "AA"}, metrics, 10_000),
    )
    registry = Registry(Store(made.store).models_uri)
    EvaluationSummary(slices).write(registry.version_uri(made.version))
    return made


def _find(world, day):
    world.look(day)
    return {one.subject: one for one in realised_metrics.find_signals(world.newest)}


def test_metrics_with_a_better_side_are_judged_by_slice(world):
    world.serve(0, 2000)
    found = _find(world, 0)
    assert set(found) == {"auc", "binary_crossentropy"}
    auc = found["auc"]
    assert auc.outcome == Outcome.OK
    assert auc.bound < auc.clears_at < auc.evidence["gate"]
    low, high = auc.evidence["interval"]
    assert low < auc.evidence["gate"] < high
    assert 0.01 < high - low < 0.1
    by_slice = {one["slice"]: one for one in auc.evidence["slices"]}
    assert set(by_slice) == {"carrier = AA", "carrier = UA"}
    assert by_slice["carrier = AA"]["gate"] is not None
    assert sum(one["rows"] for one in by_slice.values()) == 2000
    loss = found["binary_crossentropy"]
    assert loss.outcome == Outcome.OK
    assert loss.bound > loss.clears_at > loss.evidence["gate"]


def test_a_row_is_in_the_slice_of_each_value_of_its_list(world):
    """As in evaluation, whose slices these are compared with; what a client sent as no list is in none."""
    world.serve(0, 2000, carriers=('["AA", "UA"]', '["AA", null]', "UA", '[["AA"]]', "[oops"))
    world.lists = ("carrier",)
    auc = _find(world, 0)["auc"]
    rows = {one["slice"]: one["rows"] for one in auc.evidence["slices"]}
    assert set(rows) == {"carrier = AA", "carrier = UA"}
    assert all(700 < count < 900 for count in rows.values()), rows


def test_metrics_of_the_output_that_is_judged_are_compared_by_its_name(world):
    specs = [{"metrics": [{"class_name": "AUC"}], "output_names": ["late"], "output_weights": {}}]
    world.evaluation = {"metrics_specs": specs, "slicing_specs": [{"feature_keys": ["carrier"]}]}
    registry = Registry(Store(world.store).models_uri)
    slices = registry.evaluation(world.version)
    named = [replace(one, metrics={"auc_late": one.metrics["auc"]}) for one in slices]
    EvaluationSummary(tuple(named)).write(registry.version_uri(world.version))
    world.serve(0, 400)
    (auc,) = _find(world, 0).values()
    assert (auc.subject, auc.outcome) == ("auc_late", Outcome.OK)
    assert {one["slice"]: one["gate"] is None for one in auc.evidence["slices"]} == {
        "carrier = AA": False,
        "carrier = UA": True,
    }


def test_a_model_that_orders_worse_is_found(world):
    for day in range(5):
        world.serve(day, 600, wrong=0.6)
    found = _find(world, 4)
    assert found["auc"].outcome == Outcome.BREACHED
    assert set(found["auc"].evidence["by_span"]) == {f"2026-03-0{day}" for day in range(1, 6)}
    assert "chance does not explain the rest" in found["auc"].meaning


def test_a_window_of_one_class_has_no_auc_but_a_log_loss(world):
    world.serve(0, 1000, only=0)
    found = _find(world, 0)
    assert found["auc"].outcome == Outcome.SILENT
    assert "1,000 rows, all with label 0" in found["auc"].meaning
    assert found["binary_crossentropy"].outcome != Outcome.SILENT


def test_a_metric_that_only_tfma_computes_hides_no_other(world):
    specs = [{"metrics": [{"class_name": "AUC"}, {"class_name": "ExactMatch"}]}]
    world.evaluation = {"metrics_specs": specs}
    world.serve(0, 400)
    found = _find(world, 0)
    assert found["auc"].outcome == Outcome.OK
    assert "only TFMA's own pipeline computes exact_match" in found["metrics"].meaning


def test_few_rows_and_a_gate_without_metrics_are_silent(world):
    world.serve(0, 100)
    assert _find(world, 0)["metrics"].outcome == Outcome.SILENT
    registry = Registry(Store(world.store).models_uri)
    EvaluationSummary().write(registry.version_uri(world.version))
    (only,) = realised_metrics.find_signals(world.newest)
    assert "keeps no metrics of version 1" in only.meaning
    none = replace(world.newest, evaluation={})
    assert list(realised_metrics.find_signals(none)) == []


def test_spans_vary_beside_their_rows_and_a_shift_does_not_hide_itself():
    """Two values 0.04 apart, whose rows explain 0.01 each; the assumed deviation counts as four spans."""
    found = realised_metrics.between_spans({"a": (0.72, 0.01), "b": (0.76, 0.01)}, 0.02)
    assert found == pytest.approx(((4 * 0.02**2 + 0.04**2 / 2 - 0.01**2) / 5) ** 0.5)
    assert realised_metrics.between_spans({"a": (0.7, 0.01)}, 0.02) == 0.02
    assert realised_metrics.between_spans({}, 0.02) == 0.02
    shifted = {f"{day}": (0.7 if day < 5 else 0.25, 0.01) for day in range(8)}
    assert realised_metrics.between_spans(shifted, 0.03) < 0.1
