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


def _of_each(baseline, canary, **columns):
    """Lay out rows of the baseline and of the canary in turn, as long as there are rows of both."""
    arms = np.array([0, 1] * min(baseline, canary) + [0] * max(0, baseline - canary))
    return pd.DataFrame({"arm": arms, "time": np.arange(len(arms)) + 1.0, **columns})


@pytest.mark.parametrize(
    ("baseline", "reference"), [(99, None), (100, 50), (1998, 999), (2000, 1000), (2400, 1000)]
)
def test_a_reference_is_half_of_the_baselines_rows_and_at_most_1000(baseline, reference):
    state = look("latency_ms", GuardState(LATENCY), _of_each(baseline, 40, latency_ms=7.0), [0.0])
    if reference is None:
        assert (state.reference, state.comparisons) == (None, ())
    else:
        assert int(state.comparisons[0].baseline.rows) == baseline - reference


def test_no_more_than_20_classes_are_compared():
    rows = _of_each(2100, 40, prediction="")
    rows["prediction"] = [f"class {number % 21}" for number in range(len(rows))]
    assert len(look("prediction_drift", GuardState(DRIFT), rows, [0.0]).reference) == 20


def test_a_request_at_the_bound_is_not_slow_and_a_prediction_at_it_is_below():
    rows = _of_each(400, 400, latency_ms=12.0, prediction=0.5)
    rows.loc[rows["arm"] == 0, "latency_ms"] = 10.0
    (slow,) = look("latency_ms", GuardState(LATENCY), rows, [0.0]).comparisons
    assert (slow.baseline.total, slow.canary.total) == (0, 0)
    below, above = look("prediction_drift", GuardState(DRIFT), rows, [0.0]).comparisons
    assert (below.canary.total, above.canary.total) == (400, 0)


def test_the_losses_at_their_bounds():
    rows = pd.DataFrame({"y": [0.5, 0.6, 5.0], "prediction": [0.4, 0.5, 1.0]})
    wrong = row_loss(rows, {**METRIC, "loss": "zero_one"})
    assert list(wrong) == [0, 1, 0]
    assert list(row_loss(rows, {**METRIC, "max_loss": 4.0})) == pytest.approx([0.0025, 0.0025, 1])
    mixed = pd.DataFrame({"y": ["1", "b"], "prediction": [1.0, 2.0]})
    assert list(row_loss(mixed, {**METRIC, "loss": "zero_one"})) == [1, 1]
    assert np.isnan(row_loss(mixed, METRIC)).tolist() == [False, True]


def test_rows_count_for_the_stage_that_they_are_of():
    """The first row of a stage has its very time; rows of one version alone are not compared."""
    rows = _of_each(10, 10, failed=0.0)
    error_rate = GuardState({"max_increase": 0.0})
    two = look("error_rate", error_rate, rows, [0.0, 11.0])
    assert (two.stage, two.stage_rows, int(two.comparisons[0].canary.rows)) == (2, 5, 10)
    assert look("error_rate", two, rows, [0.0, 11.0]).stage_rows == 10
    assert look("error_rate", two, rows, [0.0, 5.0, 17.0]).stage_rows == 2
    alone = look("error_rate", error_rate, rows[rows["arm"] == 1], [0.0])
    assert (alone.stage_rows, int(alone.comparisons[0].canary.rows)) == (0, 0)


def test_a_guard_without_evidence_is_violated_only_where_none_is_asked_for():
    assert is_violated(GuardState({}), 1.0)
    assert not is_violated(GuardState({}), 0.99)


@pytest.mark.parametrize(("baseline", "canary"), [("text", 1.0), (1.0, "text"), (1.0, 3.0)])
def test_a_loss_is_described_in_its_own_unit_where_both_versions_have_one(baseline, canary):
    rows = _of_each(10, 10, y=0.0)
    rows["prediction"] = [str((baseline, canary)[arm]) for arm in rows["arm"]]
    settings = {**METRIC, "loss": "absolute", "max_loss": 4.0}
    said = describe("metric", look("metric", GuardState(settings), rows, [0.0]))
    assert said == (
        "metric: 3 against 1 before (absolute loss; 10 and 10 compared)"
        if canary == 3
        else "metric: nothing to compare yet"
    )
