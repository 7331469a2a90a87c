"""Counts of eval rows: those of two batches are those of one, and a rule holds at its bound."""

import math

import numpy as np
import pyarrow as pa
import pytest
from tensorflow_model_analysis.proto import config_pb2

from retrainer.components.lib.evaluation.eval_config import build_eval_config
from retrainer.components.lib.evaluation.input_counts import (
    Found,
    InputCounts,
    SliceRows,
    add_up,
    count_inputs,
    count_outputs,
    slice_id,
)
from retrainer.components.lib.evaluation.metric_requirements import (
    Requirement,
    requirements_by_output,
)
from retrainer.components.lib.evaluation.scores import Scores

ALL = [config_pb2.SlicingSpec()]


def scores(label, prediction=None, weight=None, **slices):
    label = np.asarray(label, np.float64)
    outputs = np.full(len(label), 0.5) if prediction is None else prediction
    return Scores(
        label,
        {"candidate": np.asarray(outputs, np.float32)},
        None if weight is None else np.asarray(weight, np.float64),
        pa.table(slices or {"": pa.nulls(len(label))}),
    )


def broken(requirement, label=(0.0, 1.0), prediction=None, weight=None):
    """Count the rows that break each rule, where a metric asks for something."""
    requirements = {requirement: ["AUC"]} if requirement else {}
    found_counts, good = count_inputs(scores(label, prediction, weight), requirements, ALL)
    counts = {rule: found.rows for rule, found in found_counts.found.items()}
    assert good.all() == (not counts)
    return counts


@pytest.mark.parametrize(
    ("requirement", "label", "bad"),
    [
        (Requirement.BINARY, [0, 1, 0.5], 0),
        (Requirement.BINARY, [-0.01, 1.01, 0.5], 2),
        (Requirement.HINGE, [-1, 1, 0], 0),
        (Requirement.HINGE, [-1.01, 1.01, 0], 2),
        (Requirement.COUNTS, [0, 7, 0.5], 0),
        (Requirement.COUNTS, [-0.01, 7, 0.5], 1),
        (Requirement.LOGARITHM, [-0.99, 0], 0),
        (Requirement.LOGARITHM, [-1, 0], 1),
    ],
)
def test_labels_may_lie_at_the_ends_of_a_range(requirement, label, bad):
    assert broken(requirement, label) == ({f"{requirement}|label": bad} if bad else {})


@pytest.mark.parametrize(
    ("requirement", "prediction", "bad"),
    [
        (Requirement.PROBABILITIES, [-0.0009, 1.0009], 0),
        (Requirement.PROBABILITIES, [-0.0011, 1.0011], 2),
        (Requirement.COUNTS, [0, 7], 0),
        (Requirement.COUNTS, [-0.01, 7], 1),
        (Requirement.LOGARITHM, [-0.99, 0], 0),
        (Requirement.LOGARITHM, [-1, 0], 1),
    ],
)
def test_predictions_may_be_off_by_a_rounding_error(requirement, prediction, bad):
    assert broken(requirement, prediction=prediction) == (
        {f"{requirement}|candidate": bad} if bad else {}
    )


@pytest.mark.parametrize(("sums", "bad"), [([0.991, 1.009], 0), ([0.989, 1.011], 2)])
def test_the_outputs_of_a_row_add_up_to_1(sums, bad):
    outputs = [[total / 2, total / 2] for total in sums]
    requirements = {Requirement.PROBABILITIES: ["X"], Requirement.DISTRIBUTION: ["X"]}
    found_counts, _ = count_inputs(scores([0, 1], outputs), requirements, ALL)
    assert {rule: found.rows for rule, found in found_counts.found.items()} == (
        {"distribution|candidate": 2} if bad else {}
    )


def test_one_output_need_not_add_up_to_1():
    requirements = {Requirement.PROBABILITIES: ["X"], Requirement.DISTRIBUTION: ["X"]}
    found_counts, good = count_inputs(scores([0, 1], [[0.2], [0.7]]), requirements, ALL)
    assert found_counts.found == {}
    assert good.all()


def test_a_class_is_a_whole_number_that_the_model_has_an_output_for():
    outputs = np.full((5, 3), 1 / 3)
    found_counts, good = count_inputs(
        scores([0, 2, 3, -1, 0.5], outputs), {Requirement.KNOWN_CLASSES: ["X"]}, ALL
    )
    assert found_counts.found == {"known classes|candidate": Found(3, -1.0, 3.0)}
    assert good.tolist() == [True, True, False, False, False]


def test_a_weight_may_be_0_and_not_less_and_nothing_is_empty_or_infinite():
    assert broken(None, weight=[0, 1]) == {}
    assert broken(None, weight=[-0.01, 1]) == {"negative|weight": 1}
    assert broken(None, weight=[math.nan, math.inf]) == {"empty|weight": 1, "infinite|weight": 1}
    assert broken(None, label=[math.nan, -math.inf]) == {"empty|label": 1, "infinite|label": 1}


def test_a_prediction_that_is_no_number_is_found_and_the_others_are_counted():
    found_counts, good = count_inputs(scores([0, 1, 1], [0.5, math.nan, math.inf]), {}, ALL)
    assert found_counts.found["undefined|candidate"].rows == 2
    assert found_counts.slices[slice_id(())].rows == np.count_nonzero(good) == 1


def test_two_batches_are_counted_as_one():
    label, weight = [0, 3, 1, 2, 5], [1.0, 0.0, 2.0, 0.5, -1.0]
    whole = scores(label, weight=weight, site=["a", "b", "a", "b", "b"])
    specs = [*ALL, config_pb2.SlicingSpec(feature_keys=["site"])]
    requirements = {Requirement.BINARY: ["AUC"]}
    once, _ = count_inputs(whole, requirements, specs, (0, 1))
    for cut in range(1, 5):
        first = np.arange(5) < cut
        parts = [
            count_inputs(whole.of(rows), requirements, specs, (0, 1))[0] for rows in (first, ~first)
        ]
        assert add_up(InputCounts.from_json(part.to_json()) for part in parts) == once
    # One row breaks two rules.
    assert once.found == {
        "binary|label": Found(3, 2.0, 5.0),
        "negative|weight": Found(1, -1.0, -1.0),
    }
    assert once.slices[slice_id(())] == SliceRows(2, 3.0, 0.0, 1.0, 2, 0.0, 1.0, {"0": 1, "1": 1})
    assert once.slices[slice_id((("site", "a"),))].rows == 2


def test_rows_that_weigh_nothing_are_counted_apart():
    found_counts, _ = count_inputs(scores([0, 3, 1], weight=[0, 0, 2]), {}, ALL, (1, 3))
    rows = found_counts.slices[slice_id(())]
    assert (rows.rows, rows.weight, rows.low, rows.high) == (3, 2.0, 0.0, 3.0)
    assert (rows.weighted_rows, rows.weighted_low, rows.weighted_high) == (1, 1.0, 1.0)
    assert rows.classes == {"1": 1, "3": 0}


def test_a_row_without_an_answer_of_one_output_or_of_two_counts_once():
    nan = math.nan
    both = Scores.of_outputs(
        {"a": scores([0, 1, 1], [nan, 0.5, nan]), "b": scores([5, 2, 3], [nan, nan, 1.0])}
    )
    config = config_pb2.EvalConfig(slicing_specs=ALL)
    counts, good = count_outputs(both, {"a": {}, "b": {}}, config)
    assert good.tolist() == [False, False, False]
    assert counts.found["undefined|candidate"].rows == 3
    assert [one.found["undefined|candidate"].rows for one in counts.by_output.values()] == [2, 2]
    again = InputCounts.from_json(add_up([counts, counts]).to_json())
    assert again.found["undefined|candidate"].rows == 6
    assert again.of_output("b").rows == 6


@pytest.mark.parametrize("requirement", [Requirement.BINARY, Requirement.CLASSES])
def test_each_of_several_labels_lies_between_0_and_1_and_none_is_empty(requirement):
    label = [[0, 1], [0.5, 0], [-0.01, 0], [1, 1.01], [math.nan, 1], [0, -math.inf]]
    some = scores(label, np.full((6, 2), 0.5))
    found, good = count_inputs(some, {requirement: ["AUC"]}, ALL, (0, 1, 2))
    assert found.found == {
        "empty|label": Found(1),
        "infinite|label": Found(1),
        "binary|label": Found(3, -0.01, 1.01),
    }
    assert good.tolist() == [True, True, False, False, False, False]
    # Of a row with several labels each that is above 0 is a row of its class.
    assert found.slices[slice_id(())].classes == {"0": 1, "1": 1}
    assert count_inputs(some, {}, ALL)[0].found.keys() == {"empty|label", "infinite|label"}


@pytest.mark.parametrize(
    ("requirement", "label", "outputs", "found"),
    [
        (Requirement.CLASSES, [0.0, 1.0, 0.5], 3, {"fraction|label": Found(1, 0.5, 0.5)}),
        (Requirement.CLASSES, [0.0, 1.0, 2.0], 1, {"classes|candidate": Found(3, 0.5, 0.5)}),
        (Requirement.ONE_OUTPUT, [0.0, 1.0, 2.0], 3, {"one output|candidate": Found(3, 0.5, 0.5)}),
        (Requirement.ONE_OUTPUT, [0.0, 1.0, 2.0], 1, {}),
        # Of a model for classes a label is one of its numbers.
        (Requirement.BINARY, [0.0, 2.0, 3.0], 3, {"known classes|candidate": Found(1, 3.0, 3.0)}),
        (Requirement.BINARY, [0.0, 2.0, 3.0], 1, {"binary|label": Found(2, 2.0, 3.0)}),
        (Requirement.KNOWN_CLASSES, [0.0, 2.0, 9.0], 1, {}),
    ],
)
def test_what_is_asked_depends_on_the_outputs_of_the_model(requirement, label, outputs, found):
    prediction = np.full(3, 0.5) if outputs == 1 else np.full((3, outputs), 0.5)
    assert count_inputs(scores(label, prediction), {requirement: ["X"]}, ALL)[0].found == found


def test_a_champion_for_classes_takes_labels_that_the_challenger_does_not():
    one = scores([0.0, 2.0])
    predictions = {**one.predictions, "baseline": np.full((2, 3), 0.5, np.float32)}
    both = Scores(one.label, predictions, None, one.slices)
    found, _ = count_inputs(both, {Requirement.BINARY: ["AUC"]}, ALL)
    assert found.outputs == {"candidate": 1, "baseline": 3}
    assert found.found == {}


def test_each_output_is_asked_for_what_its_own_metrics_take():
    specs = [
        {"metrics": [{"class_name": "AUC"}], "output_names": ["late"]},
        {"metrics": [{"class_name": "Poisson"}], "output_names": ["count"]},
    ]
    config = build_eval_config(specs, [], {}, "y", outputs=["late", "count"])
    found = requirements_by_output(config)
    assert {name: set(of_output) for name, of_output in found.items()} == {
        "late": {Requirement.BINARY, Requirement.PROBABILITIES},
        "count": {Requirement.COUNTS},
    }
