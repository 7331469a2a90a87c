import json

import numpy as np
import pandas as pd
import pytest

from retrainer.components.watch_rollout.guards import (
    GuardState,
    describe,
    is_violated,
    look,
    row_loss,
)

ALPHA = 0.05
LATENCY = {"quantile": 0.95, "max_factor": 1.2}
DRIFT = {"column": "prediction", "max_difference": 0.1}
METRIC = {
    "label": "y",
    "prediction": "prediction",
    "loss": "squared",
    "threshold": 0.5,
    "max_loss": 1.0,
    "max_increase": 0.0,
    "min_rows": 1,
}


def _rows(draw, count=4000, share=0.3, **columns):
    arm = (draw.random(count) < share).astype(int)
    made = {name: make(arm) for name, make in columns.items()}
    return pd.DataFrame({"arm": arm, "time": np.arange(count, dtype=float) + 1, **made})


def _after(name, settings, *looks):
    state = GuardState(settings)
    for rows in looks:
        # Its state lives in a record between looks.
        state = GuardState.of(json.loads(json.dumps(look(name, state, rows, [0.0]).content())))
    return state


@pytest.mark.parametrize(("factor", "violated"), [(1.0, False), (1.15, False), (1.5, True)])
def test_latency_may_grow_by_the_factor_and_no_more(factor, violated):
    draw = np.random.default_rng(1)
    rows = _rows(draw, latency_ms=lambda arm: draw.gamma(5, 4, len(arm)) * np.where(arm, factor, 1))
    state = _after("latency_ms", LATENCY, rows)
    assert is_violated(state, ALPHA) == violated
    assert state.stage_rows > 1000


@pytest.mark.parametrize(
    ("shift", "violated"), [(0.0, False), (0.05, False), (0.3, True), (-0.3, True)]
)
def test_predictions_may_drift_by_the_margin_and_no_more(shift, violated):
    draw = np.random.default_rng(2)
    rows = _rows(draw, prediction=lambda arm: draw.random(len(arm)) + shift * arm)
    assert is_violated(_after("prediction_drift", DRIFT, rows), ALPHA) == violated


def test_predictions_are_compared_below_each_tenth_of_the_baselines():
    draw = np.random.default_rng(2)
    state = _after("prediction_drift", DRIFT, _rows(draw, prediction=lambda arm: draw.random(4000)))
    assert state.reference == pytest.approx(np.arange(1, 10) / 10, abs=0.05)
    # Below and above each.
    assert len(state.comparisons) == 18


@pytest.mark.parametrize(("share", "violated"), [(0.5, False), (0.8, True)])
def test_classes_are_compared_by_their_shares(share, violated):
    draw = np.random.default_rng(3)
    rows = _rows(
        draw,
        prediction=lambda arm: np.where(
            draw.random(len(arm)) < np.where(arm, share, 0.5), "late", "on time"
        ),
    )
    assert is_violated(_after("prediction_drift", DRIFT, rows), ALPHA) == violated


def test_the_comparison_with_the_most_evidence_is_described():
    draw = np.random.default_rng(3)
    rows = _rows(
        draw,
        prediction=lambda arm: np.where(
            draw.random(len(arm)) < 0.1,
            "late",
            np.where(draw.random(len(arm)) < arm, "lost", "on time"),
        ),
    )
    # The share of those that are not on time grew most.
    said = describe("prediction_drift", _after("prediction_drift", DRIFT, rows))
    assert said.startswith("prediction_drift: 1 against 0.1")


def test_a_worse_loss_violates_the_metric():
    draw = np.random.default_rng(4)
    label = lambda arm: (draw.random(len(arm)) < 0.5).astype(float)  # noqa: E731
    rows = _rows(draw, y=label)
    good = rows.assign(prediction=np.abs(rows["y"] - 0.3))
    bad = rows.assign(prediction=np.abs(rows["y"] - 0.3 - 0.3 * rows["arm"]))
    assert not is_violated(_after("metric", METRIC, good), ALPHA)
    assert is_violated(_after("metric", METRIC, bad), ALPHA)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [("zero_one", [0, 1]), ("squared", [0.01, 0.81]), ("absolute", [0.1, 0.9])],
)
def test_the_losses(loss, expected):
    rows = pd.DataFrame({"y": [1.0, 0.0], "prediction": [0.9, 0.9]})
    assert row_loss(rows, {**METRIC, "loss": loss}) == pytest.approx(expected)
    classes = pd.DataFrame({"y": ["a", "b"], "prediction": ["a", "a"]})
    assert list(row_loss(classes, {**METRIC, "loss": "zero_one"})) == [0, 1]


def test_a_reference_needs_some_rows_of_the_baseline():
    draw = np.random.default_rng(5)
    rows = _rows(draw, 60, latency_ms=lambda arm: draw.random(len(arm)))
    few = _after("latency_ms", LATENCY, rows)
    assert (few.reference, few.stage_rows) == (None, 0)
    assert "nothing to compare yet" in describe("latency_ms", few)


def test_rows_without_a_value_are_left_out():
    draw = np.random.default_rng(6)
    rows = _rows(draw, latency_ms=lambda arm: np.full(len(arm), np.nan))
    assert _after("latency_ms", LATENCY, rows).stage_rows == 0


def test_many_small_looks_see_what_one_large_one_sees():
    draw = np.random.default_rng(7)
    rows = _rows(
        draw, 8000, failed=lambda arm: (draw.random(len(arm)) < 0.1 + 0.2 * arm).astype(float)
    )
    settings = {"max_increase": 0.0}
    one = _after("error_rate", settings, rows)
    many = _after("error_rate", settings, *np.array_split(rows, 40))
    assert is_violated(one, ALPHA)
    assert is_violated(many, ALPHA)
    assert one.stage_rows == many.stage_rows


def test_stages_are_compared_apart():
    """Errors that rise for both, while the canary's share grows, are no difference between them."""
    draw = np.random.default_rng(8)
    early = _rows(draw, 4000, 0.05, failed=lambda arm: (draw.random(len(arm)) < 0.01).astype(float))
    late = _rows(draw, 4000, 0.5, failed=lambda arm: (draw.random(len(arm)) < 0.2).astype(float))
    rows = pd.concat([early, late.assign(time=late["time"] + 5000)], ignore_index=True)
    state = look("error_rate", GuardState({"max_increase": 0.0}), rows, [0.0, 5000.0])
    assert not is_violated(state, ALPHA)
    assert is_violated(look("error_rate", GuardState({"max_increase": 0.0}), rows, [0.0]), ALPHA)
