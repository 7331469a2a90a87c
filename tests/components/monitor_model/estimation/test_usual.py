"""The bound of an estimate: from windows before, else from the reference, and never beyond what labels vary by."""

from typing import Any

import numpy as np
import pytest

from retrainer.components.monitor_model.estimation.classification import ClassifierEstimator
from retrainer.components.monitor_model.estimation.metrics import BINARY
from retrainer.components.monitor_model.estimation.usual import (
    REFERENCE,
    WINDOWS,
    Baseline,
    Bound,
)

ROWS = 12_000


@pytest.fixture(scope="module")
def estimator() -> ClassifierEstimator:
    """Days of 600 rows, with weather that no input knows: it moves all labels of a day."""
    random = np.random.default_rng(2)
    score = random.beta(2, 3, ROWS)
    weather = np.repeat(random.normal(0, 0.1, ROWS // 600), 600)
    labels = (random.random(ROWS) < score + weather).astype(float)
    return ClassifierEstimator.fit(score, labels, np.ones(ROWS))


_BASELINES: dict[tuple[int, str], Baseline] = {}


def bound(estimator: Any, earlier: list[float], metric: str = "accuracy", rows: int = 600) -> Bound:
    key = id(estimator), metric
    if key not in _BASELINES:
        _BASELINES[key] = Baseline(estimator, metric)
    found = _BASELINES[key].bound(rows, np.array(earlier))
    assert found is not None
    return found


def test_the_windows_before_do_not_know_the_weather_and_the_reference_does(estimator: Any) -> None:
    random = np.random.default_rng(3)
    scores = [random.beta(2, 3, 600) for _ in range(14)]
    values = [estimator.estimate("accuracy", one, np.ones(600)) for one in scores]
    before, after = bound(estimator, []), bound(estimator, values)
    assert (before.null.source, after.null.source, after.null.count) == (REFERENCE, WINDOWS, 14)
    assert after.null.deviation < 0.5 * before.null.deviation
    for one in (before, after):
        assert one.value < one.clears_at < one.null.mean


def test_six_windows_before_are_enough(estimator: Any) -> None:
    windows = [0.80, 0.81, 0.82, 0.80, 0.81, 0.82]
    assert bound(estimator, windows[:5]).null.source == REFERENCE
    assert bound(estimator, [*windows[:5], np.nan]).null.source == REFERENCE
    found = bound(estimator, windows)
    assert (found.null.source, found.null.count) == (WINDOWS, 6)
    assert found.value == pytest.approx(0.81 - 3 * np.std(windows, ddof=1) * np.sqrt(7 / 6))


def test_windows_that_are_all_alike_still_vary_by_chance(estimator: Any) -> None:
    found = bound(estimator, [0.8] * 20)
    assert 0.001 < found.null.deviation < 0.02
    larger = bound(estimator, [0.8] * 20, rows=60_000)
    assert larger.null.deviation == pytest.approx(found.null.deviation / 10)


def test_a_slow_fall_that_takes_the_windows_before_with_it_is_found(estimator: Any) -> None:
    falling = np.linspace(0.75, 0.4, 60)
    bounds = [bound(estimator, falling[max(0, n - 28) : n].tolist()) for n in range(60)]
    found = [one.null.source for n, one in enumerate(bounds) if n > 5 and falling[n] < one.value]
    assert found[-1] == REFERENCE


def test_a_loss_is_worse_when_it_is_higher(estimator: Any) -> None:
    found = bound(estimator, [], "log_loss")
    assert found.value > found.clears_at > found.null.mean


def test_a_bound_stays_within_the_range_of_its_metric(estimator: Any) -> None:
    assert bound(estimator, [0.2, 0.9] * 4).value >= 0
    assert bound(estimator, [0.2, 0.9] * 4, "brier").value <= 2


def test_clean_days_hardly_alarm_two_of_three_looks(estimator: Any) -> None:
    """200 days of 600 rows, harder on weekends; as the states have it, two breached looks of three are an incident."""
    random = np.random.default_rng(5)
    baseline = Baseline(estimator, "accuracy")
    incidents, looks, values = 0, [], []
    for day in range(200):
        score = random.beta(2, 3, 600)
        if day % 7 >= 5:
            score = 0.15 + 0.7 * score
        value = BINARY["accuracy"](score, estimator.calibrations[0].function(score), np.ones(600))
        found = baseline.bound(600, np.array(values[-28:]))
        assert found is not None
        looks.append(value < found.value)
        incidents += sum(looks[-3:]) >= 2
        if not looks[-1]:
            values.append(value)
    assert incidents == 0
