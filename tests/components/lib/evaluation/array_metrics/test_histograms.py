"""Confusion matrices made of histograms in arrays are those that TFMA's own loops make."""

from typing import Any

import numpy as np
import pytest
from tensorflow_model_analysis.metrics import (
    binary_confusion_matrices,
    calibration_plot,
    metric_types,
)

from retrainer.components.lib.evaluation.array_metrics.array_path import Columns
from retrainer.components.lib.evaluation.array_metrics.histograms import (
    HistogramFill,
    derive_over_arrays,
)


def some_columns(rows: int) -> Columns:
    random = np.random.default_rng(rows)
    # At and beyond the ends, too, and at the edges of buckets.
    prediction = np.round(random.uniform(-0.2, 1.2, rows), 2).astype(np.float32)
    return Columns(random.random(rows), prediction, random.integers(0, 3, rows).astype(float))


def both(settings: dict[str, Any], columns: Columns) -> list[binary_confusion_matrices.Matrices]:
    """Return TFMA's own matrices, and those over arrays."""
    computations = binary_confusion_matrices.binary_confusion_matrices(
        example_weighted=True, use_histogram=True, **settings
    )
    histogram, derived = computations
    assert isinstance(derived, metric_types.DerivedMetricComputation)
    fill = HistogramFill(histogram.combiner, columns)
    everything = slice(None)
    own = derived.result(histogram.combiner.extract_output(fill(everything)))
    key = histogram.combiner._key
    arrays = derive_over_arrays(derived, [histogram])({key: fill.histogram(everything)})
    assert own.keys() == arrays.keys()
    return [next(iter(matrices.values())) for matrices in (own, arrays)]


OVER_ARRAYS: list[dict[str, Any]] = [
    {},
    {"num_thresholds": 3},
    {"thresholds": [0.0, 0.25, 0.5, 0.9999, 1.0]},
    {"thresholds": [0.3, 0.8]},
]
BY_TFMA: list[dict[str, Any]] = [
    # With a last threshold above 1 and none below 0, TFMA leaves rows below the first out.
    {"thresholds": [0.3, 1.5]},
    {"thresholds": [-1.0]},
    {"thresholds": [0.5]},
]


@pytest.mark.parametrize("settings", [*OVER_ARRAYS, *BY_TFMA], ids=str)
@pytest.mark.parametrize("rows", [0, 1, 500])
def test_matrices_are_tfmas(settings: dict[str, Any], rows: int) -> None:
    own, arrays = both(settings, some_columns(rows))
    assert list(own.thresholds) == list(arrays.thresholds)
    for part in ("tp", "tn", "fp", "fn"):
        expected = pytest.approx(list(getattr(own, part)), rel=1e-12, abs=1e-12)
        assert list(getattr(arrays, part)) == expected


def test_a_histogram_reads_as_tfmas_list_of_buckets() -> None:
    columns = some_columns(50)
    histogram, _ = binary_confusion_matrices.binary_confusion_matrices(use_histogram=True)
    fill = HistogramFill(histogram.combiner, columns)
    (own,) = histogram.combiner.extract_output(fill(slice(None))).values()
    found = fill.histogram(slice(None))
    assert len(found) == len(own) > 10
    assert list(found) == own
    assert found[0] == own[0]
    assert found[2:5] == own[2:5]


@pytest.mark.parametrize(
    "settings", [{}, {"num_buckets": 7}, {"left": -1.0, "right": 1.1}], ids=str
)
@pytest.mark.parametrize("rows", [0, 1, 5, 500])
def test_plots_are_tfmas(settings: dict[str, Any], rows: int) -> None:
    columns = some_columns(rows)
    plot = calibration_plot.CalibrationPlot(**settings)
    histogram, derived = plot.computations(example_weighted=True)
    fill = HistogramFill(histogram.combiner, columns)
    (own,) = derived.result(histogram.combiner.extract_output(fill(slice(None)))).values()
    arrays = derive_over_arrays(derived, [histogram])
    assert arrays != derived.result
    (found,) = arrays({histogram.combiner._key: fill.histogram(slice(None))}).values()
    assert len(found.buckets) == len(own.buckets)
    for ours, theirs in zip(found.buckets, own.buckets, strict=True):
        assert ours.lower_threshold_inclusive == theirs.lower_threshold_inclusive
        for part in (
            "total_weighted_label",
            "total_weighted_refined_prediction",
            "num_weighted_examples",
        ):
            value = getattr(theirs, part).value
            assert getattr(ours, part).value == pytest.approx(value, rel=1e-12, abs=1e-12)


def test_matrices_are_made_over_arrays_of_the_histogram_of_their_model_and_class_alone() -> None:
    """TFMA's own loops over ten thousand thresholds take seconds a slice."""
    make = binary_confusion_matrices.binary_confusion_matrices
    for settings in [*OVER_ARRAYS[-2:], BY_TFMA[-1]]:
        histogram, derived = make(use_histogram=True, **settings)
        assert isinstance(derived, metric_types.DerivedMetricComputation)
        others = [
            *make(use_histogram=True, model_name="baseline")[:1],
            *make(use_histogram=True, sub_key=metric_types.SubKey(class_id=1))[:1],
            *make(use_histogram=True, output_name="late")[:1],
        ]
        assert derive_over_arrays(derived, others) == derived.result
        assert (derive_over_arrays(derived, [*others, histogram]) != derived.result) == (
            settings in OVER_ARRAYS
        )
