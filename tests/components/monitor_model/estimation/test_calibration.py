"""Calibration: the isotonic fit, the calibration error, and when scores stay as they are."""

import numpy as np
import pytest

from retrainer.components.monitor_model.estimation.calibration import (
    calibrate,
    calibration_error,
    error_noise,
    fit_isotonic,
)


def draw(rows: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and labels that keep to them."""
    random = np.random.default_rng(seed)
    probabilities = random.beta(2, 3, rows)
    return probabilities, (random.random(rows) < probabilities).astype(float)


def test_isotonic_regression_pools_adjacent_violators() -> None:
    """The example of de Leeuw, Hornik and Mair, "Isotone optimization in R" (2009), by hand: 3 and 2 are pooled."""
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    shares = np.array([0.1, 0.3, 0.2, 0.5, 0.4])
    function = fit_isotonic(scores, shares, np.array([1.0, 1.0, 1.0, 1.0, 3.0]))
    assert function(scores) == pytest.approx([0.1, 0.25, 0.25, 0.425, 0.425])
    assert function(np.array([0.0, 0.15, 0.9])) == pytest.approx([0.1, 0.175, 0.425])


def test_rows_of_equal_scores_count_as_one_point_with_their_weight() -> None:
    scores, positive = np.array([0.2, 0.2, 0.2, 0.8]), np.array([1.0, 0.0, 0.0, 1.0])
    function = fit_isotonic(scores, positive, np.array([2.0, 1.0, 1.0, 1.0]))
    assert function(np.array([0.2, 0.8])) == pytest.approx([0.5, 1.0])


def test_the_calibration_error_is_the_mean_gap_of_its_bins() -> None:
    probabilities = np.repeat([0.2, 0.6], 500)
    positive = np.concatenate([np.ones(150), np.zeros(350), np.ones(250), np.zeros(250)])
    # Shares 0.3 and 0.5 where 0.2 and 0.6 were said. Equal scores share a bin, though the labels are in order.
    error = calibration_error(probabilities, positive, np.ones(1_000), bins=2)
    assert error == pytest.approx(0.1)
    doubled = np.repeat([3.0, 1.0], 500)
    assert calibration_error(probabilities, positive, doubled, bins=4) == pytest.approx(
        0.1, abs=1e-9
    )


def test_scores_that_are_distorted_are_calibrated() -> None:
    probabilities, positive = draw(20_000)
    found = calibrate(probabilities**2, positive, np.ones(20_000))
    assert found.error_before > 0.1
    assert found.error < 0.02
    assert found.error == pytest.approx(found.noise, abs=0.01)
    grid = np.linspace(0.1, 0.7, 7)
    assert found.function(grid**2) == pytest.approx(grid, abs=0.06)
    assert np.abs(found.held_out - probabilities).mean() < 0.02


def test_scores_that_are_probabilities_already_stay_as_they_are() -> None:
    kept = [calibrate(*draw(400, seed), np.ones(400)) for seed in range(8)]
    unchanged = [one for one in kept if one.error == one.error_before]
    assert unchanged
    assert all((one.function(np.array([0.3])) == 0.3).all() for one in unchanged)


def test_the_noise_is_what_perfect_probabilities_have_on_average() -> None:
    errors, noise = [], 0.0
    for seed in range(100):
        probabilities, positive = draw(1_000, seed)
        errors.append(calibration_error(probabilities, positive, np.ones(1_000)))
        noise = error_noise(probabilities, np.ones(1_000))
    assert np.mean(errors) == pytest.approx(noise, rel=0.1)


def test_few_rows_of_a_class_make_fewer_folds() -> None:
    scores = np.linspace(0.01, 0.99, 60)
    positive = np.zeros(60)
    positive[[20, 40, 59]] = 1
    found = calibrate(scores, positive, np.ones(60))
    assert np.isfinite(found.held_out).all()
