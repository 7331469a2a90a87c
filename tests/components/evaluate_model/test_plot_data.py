"""The numbers behind the report's curves and confusion matrices."""

import numpy as np
import pyarrow as pa
import pytest
from tensorflow_model_analysis.proto.metrics_for_slice_pb2 import PlotData
from tensorflow_model_analysis.writers.metrics_plots_and_validations_writer import (
    convert_slice_plots_to_proto,
)

from retrainer.components.evaluate_model.plot_data import (
    CURVE_POINTS,
    ModelPlots,
    make_plot_data,
    merge_plot_data,
    read_plot_data,
)
from retrainer.components.lib.evaluation.eval_config import CANDIDATE, build_eval_config
from retrainer.components.lib.evaluation.in_process import evaluate_in_process
from retrainer.components.lib.evaluation.scores import Scores


def scores(label, prediction, weight=None):
    rows = len(label)
    return Scores(
        np.asarray(label),
        {CANDIDATE: np.asarray(prediction, np.float32)},
        None if weight is None else np.asarray(weight, np.float64),
        pa.table({"none": pa.nulls(rows)}),
    )


def picture(*columns) -> ModelPlots:
    return make_plot_data(scores(*columns))[CANDIDATE]


def found_plots(found):
    return {key: value for key, value in found.items() if key.name == "confusion_matrix_plot"}


@pytest.fixture(scope="module")
def ranked():
    """Many rows of a rare label, whose predictions have ties, with weights."""
    rng = np.random.default_rng(1)
    label = (rng.random(5_000) < 0.02).astype(np.int64)
    prediction = np.clip(0.2 * label + rng.normal(0.3, 0.1, 5_000), 0, 1).round(3)
    return label, prediction, rng.random(5_000)


def test_the_area_under_the_drawn_curve_is_the_auc_of_tfma(ranked) -> None:
    config = build_eval_config(
        [{"metrics": [{"class_name": "AUC", "config": {"num_thresholds": 10_000}}]}],
        [],
        {},
        "y",
        "w",
    )
    ((_, found),) = evaluate_in_process(config, scores(*ranked))
    auc = next(value for key, value in found.items() if key.name == "auc")
    curve = picture(*ranked).curve
    assert len(curve) <= CURVE_POINTS + 1
    x, y = [one.fall_out for one in curve], [one.recall for one in curve]
    assert (x[0], y[0], x[-1], y[-1]) == pytest.approx((0, 0, 1, 1))
    area = float(np.sum(np.diff(x) * (np.array(y[1:]) + y[:-1]) / 2))
    assert area == pytest.approx(auc, abs=0.002)


def test_a_matrix_counts_what_lies_above_its_threshold() -> None:
    one = picture([0, 0, 1, 1, 1], [0.1, 0.5, 0.5, 0.6, 0.9], [1, 1, 2, 1, 1])
    half = next(m for m in one.matrices if m.threshold == 0.5)
    assert (half.tp, half.fp, half.fn, half.tn) == (2, 0, 2, 2)
    assert (half.recall, half.precision, half.fall_out) == (0.5, 1, 0)
    assert one.rarer_share == pytest.approx(2 / 6)


def test_shares_of_nothing_are_undefined_and_not_zero() -> None:
    one = picture([0, 0], [0.1, 0.2])
    assert {m.recall for m in one.matrices} == {None}
    assert one.matrices[-1].precision is None


def test_classes_are_counted_by_the_highest_prediction_and_unknown_ones_left_out() -> None:
    one = picture(
        [0, 1, 1, 2, 7], [[0.9, 0.1, 0], [0.2, 0.7, 0.1], [0.8, 0.1, 0.1], [0, 0, 1], [1, 0, 0]]
    )
    assert one.classes == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert not one.curve


def test_numbers_have_errors_and_no_positive_class() -> None:
    label = np.linspace(0, 1_000, 201)
    one = picture(label, label + 10)
    assert one.bias == pytest.approx(10, abs=1e-3)
    assert set(one.errors) == {0.5, 0.9, 0.99}
    assert one.errors[0.9] == pytest.approx(10, abs=1e-3)
    assert not one.curve
    assert not one.matrices
    assert all(p.prediction == pytest.approx(p.label + 10, abs=1e-2) for p in one.calibration)


def test_what_beam_computed_for_tfmas_plots_gives_the_same_make(ranked) -> None:
    # Off the thresholds, where float32 and float64 may differ.
    label, prediction = ranked[0], np.clip(ranked[1] + 0.0004, 0, 1)
    config = build_eval_config([{"metrics": [{"class_name": "ConfusionMatrixPlot"}]}], [], {}, "y")
    ((_, found),) = evaluate_in_process(config, scores(label, prediction))
    (entry,) = convert_slice_plots_to_proto(((), found_plots(found)), []).plot_keys_and_values
    proto = entry.value
    read, exact = read_plot_data(proto), picture(label, prediction)
    for one, other in zip(read.matrices, exact.matrices, strict=True):
        assert (one.tp, one.fp) == pytest.approx((other.tp, other.fp), abs=1)
    assert merge_plot_data(ModelPlots(), read).curve == read.curve
    assert merge_plot_data(exact, read).curve == exact.curve


def test_classes_that_beam_counted_are_read_at_the_lowest_threshold() -> None:
    plot = PlotData()
    for threshold, entries in (
        (0.9, [(0, 0, 1), (1, -1, 5)]),
        (0.0, [(0, 0, 3), (0, 2, 1), (1, 1, 5)]),
    ):
        matrix = plot.multi_class_confusion_matrix_at_thresholds.matrices.add(threshold=threshold)
        for actual, predicted, rows in entries:
            matrix.entries.add(
                actual_class_id=actual, predicted_class_id=predicted, num_weighted_examples=rows
            )
    assert read_plot_data(plot).classes == [[3, 0, 1], [0, 5, 0], [0, 0, 0]]


def test_several_labels_of_a_row_are_drawn_together() -> None:
    label = np.array([[0, 1], [1, 1], [0, 0]])
    prediction = np.array([[0.1, 0.9], [0.8, 0.7], [0.2, 0.3]])
    together = picture(label, prediction, [1.0, 2.0, 3.0])
    apart = picture(label.ravel(), prediction.ravel(), [1.0, 1.0, 2.0, 2.0, 3.0, 3.0])
    assert together == apart
    assert sum(together.histogram.groups["label 1"]) == 5.0
