"""DLE: the loss is learned from the inputs, so that other inputs have another estimate."""

import numpy as np
import pytest

from retrainer.components.monitor_model.estimation.regression import LossEstimator


def draw(
    rows: int, seed: int = 1, shift: float = 0.0, rare: float = 0.2
) -> tuple[dict, np.ndarray]:
    """Rows whose error grows with x, and is three times as large for one carrier."""
    random = np.random.default_rng(seed)
    x = random.normal(shift, 1, rows)
    carrier = np.where(random.random(rows) < rare, "ÅÄ", "AA").astype(object)
    scale = np.exp(0.5 * x) * np.where(carrier == "ÅÄ", 3.0, 1.0)
    prediction = 10 + 2 * x
    columns = {
        "x": np.where(random.random(rows) < 0.02, np.nan, x),
        "carrier": carrier,
        "noise": random.random(rows),
        "prediction": prediction,
    }
    return columns, prediction + scale * random.normal(0, 1, rows)


@pytest.fixture(scope="module")
def fitted() -> LossEstimator:
    columns, labels = draw(12_000)
    return LossEstimator.fit(columns, labels, np.ones(12_000))


@pytest.mark.parametrize("options", [{}, {"shift": 0.8}, {"shift": -0.8}, {"rare": 0.5}])
def test_the_estimate_follows_the_inputs(fitted: LossEstimator, options: dict[str, float]) -> None:
    columns, labels = draw(20_000, seed=2, **options)
    ones = np.ones(20_000)
    for metric, within in (("mae", 0.05), ("rmse", 0.1)):
        real = fitted.realised(metric, columns, labels, ones)
        assert fitted.estimate(metric, columns, ones) == pytest.approx(real, rel=within)
    assert not fitted.problem(columns, ones)


def test_it_knows_how_well_it_explains_rows_that_it_did_not_learn_from(
    fitted: LossEstimator,
) -> None:
    estimated, real = fitted.of_held_out("mae", slice(None))
    assert estimated == pytest.approx(real, rel=0.01)
    assert 0.2 < fitted.explained("mae") < 0.5
    assert real == pytest.approx(fitted.losses["mae"].mean())
    assert fitted.held_out_count == 12_000


def test_values_that_the_reference_lacks_are_a_problem_only_where_they_count(
    fitted: LossEstimator,
) -> None:
    columns, _ = draw(2_000, seed=3)
    ones = np.ones(2_000)
    assert "'prediction'" in fitted.problem(
        {**columns, "prediction": columns["prediction"] + 50}, ones
    )
    other = np.full(2_000, "ZZ", object)
    assert "'carrier'" in fitted.problem({**columns, "carrier": other}, ones)
    assert not fitted.problem({**columns, "noise": columns["noise"] + 50}, ones)


def test_an_error_that_is_the_same_everywhere_is_estimated_as_that() -> None:
    columns, _ = draw(2_000)
    random = np.random.default_rng(5)
    labels = columns["prediction"] + random.choice([-1.0, 1.0], 2_000)
    estimator = LossEstimator.fit(columns, labels, random.integers(1, 5, 2_000).astype(float))
    other, _ = draw(500, seed=6, shift=1.0)
    assert estimator.estimate("mae", other, np.ones(500)) == pytest.approx(1.0)
    assert estimator.estimate("rmse", other, np.ones(500)) == pytest.approx(1.0)


def test_a_reference_without_finite_numbers_is_an_error() -> None:
    columns, labels = draw(600)
    labels[3] = np.inf
    with pytest.raises(ValueError, match="no finite numbers"):
        LossEstimator.fit(columns, labels, np.ones(600))
