"""A test of the mean loss of spans that may be looked at with every span: days differ, and that is no alarm."""

import json
import math

import numpy as np
import pytest

from retrainer.components.lib.monitoring.span_test import BETS, MOST_SCORE, SpanTest

# By default each of two losses is tested at a quarter of 0.01.
SIMS, ALPHA, MEAN = 2000, 0.0025, 0.26
BOUND, ASSUMED = MEAN * 1.1, MEAN * 0.25


def _days(draw, days, mean, sd, kind="normal", rows=900):
    """Mean losses of days with their errors by rows: a day's own level, and the noise of its rows."""
    shape = (days, SIMS)
    if kind == "skewed":
        level = draw.gamma(1 / sd**2, sd**2, shape)
    elif kind == "normal":
        level = draw.normal(1, sd, shape)
    else:
        # A bad day follows a bad day.
        level = np.empty(shape)
        noise = draw.normal(0, sd * math.sqrt(1 - 0.5**2), shape)
        level[0] = draw.normal(0, sd, SIMS)
        for day in range(1, days):
            level[day] = 0.5 * level[day - 1] + noise[day]
        level += 1
    error = mean / math.sqrt(rows)
    return mean * level + draw.normal(0, error, shape), np.full(shape, error)


def _first_alarm(state, means, errors, before=()):
    """When each model alarms: there is evidence, and the newest seven days are above the bound, too."""
    alarmed, crossed = np.full(SIMS, len(means) + 1), np.zeros(SIMS, bool)
    recent = list(before)
    for day, (mean, error) in enumerate(zip(means, errors, strict=True), start=1):
        state = state.plus(mean, error)
        recent = [*recent, mean][-7:]
        above = np.mean(recent, axis=0) > BOUND
        crossed = (crossed | (state.log_evidence >= -np.log(ALPHA))) & above
        alarmed[crossed & (alarmed > len(means))] = day
    return alarmed, state


@pytest.mark.parametrize("kind", ["normal", "skewed", "correlated"])
@pytest.mark.parametrize("sd", [0.1, 0.25])
def test_days_that_differ_are_no_alarm_over_weeks_of_looks(kind, sd):
    """2,000 models of unchanged quality, ten weeks each, whose days vary by a tenth to a quarter of the mean."""
    draw = np.random.default_rng(3)
    state = SpanTest.start(BOUND, ASSUMED, (SIMS,))
    alarmed, _ = _first_alarm(state, *_days(draw, 70, MEAN, sd, kind))
    # The test knows nothing of bad days in a row.
    assert (alarmed <= 70).mean() <= ALPHA * (4 if kind == "correlated" else 1)


def test_hours_without_an_effect_of_their_own_are_no_alarm_either():
    draw = np.random.default_rng(5)
    state = SpanTest.start(BOUND, ASSUMED, (SIMS,))
    alarmed, _ = _first_alarm(state, *_days(draw, 500, BOUND, 0.0, rows=50))
    assert (alarmed <= 500).mean() <= ALPHA


def test_a_change_after_weeks_is_found():
    """Days vary by a tenth of the mean; after six weeks the loss is half as large again, or twice as large."""
    draw = np.random.default_rng(4)
    state = SpanTest.start(BOUND, ASSUMED, (SIMS,))
    means, errors = _days(draw, 42, MEAN, 0.1)
    _, state = _first_alarm(state, means, errors)
    for factor, most in ((1.5, 8), (2.0, 5)):
        found, _ = _first_alarm(state, *_days(draw, 20, MEAN * factor, 0.1), means[-7:])
        assert np.median(found) <= most


def test_a_span_by_hand():
    """Half of the capital is bet at first; a score of z multiplies a pot by exp(bz - b²/2)."""
    state = SpanTest.start(0.3, 0.04).plus(np.array(0.4), np.array(0.03))
    score = 0.1 / 0.05
    pots = [math.exp(bet * score - bet**2 / 2) for bet in BETS]
    assert math.exp(state.log_evidence) == pytest.approx(0.5 + 0.5 * np.mean(pots))
    again = state.plus(np.array(0.2), np.array(0.03))
    # Two means 0.1 on either side of 0.3 have a variance of 0.02, less their rows' 0.0009.
    variance = (4 * 0.04**2 + 1 * (0.02 - 0.0009)) / 5
    assert float(again.between) == pytest.approx(math.sqrt(variance))


def test_a_shift_does_not_hide_itself_in_the_variation_that_it_is_measured_by():
    """After four equal days the labels are turned round: each of these days still counts, and the fourth alarms."""
    state = SpanTest.start(0.35, 0.075)
    for mean in (0.3, 0.3, 0.3, 0.3):
        state = state.plus(np.array(mean), np.array(0.01))
    for _ in range(4):
        assert (0.74 - 0.35) / math.hypot(float(state.between), 0.01) > 2
        state = state.plus(np.array(0.74), np.array(0.01))
    assert state.log_evidence >= -math.log(ALPHA)


def test_no_single_span_is_an_alarm():
    state = SpanTest.start(0.3, 0.01).plus(np.array(50.0), np.array(0.0))
    assert state.log_evidence < -math.log(ALPHA)
    assert state.log_evidence == pytest.approx(
        np.log(0.5 + 0.5 * np.mean([math.exp(bet * MOST_SCORE - bet**2 / 2) for bet in BETS]))
    )


def test_the_state_survives_json():
    state = SpanTest.start(0.3, 0.1).plus(np.array(0.2), np.array(0.01))
    again = SpanTest.of(json.loads(json.dumps(state.content())))
    block = np.array(0.4), np.array(0.02)
    assert again.plus(*block).log_evidence == state.plus(*block).log_evidence
    fresh = SpanTest.of(json.loads(json.dumps(SpanTest.start(0.3, 0.1).content())))
    assert fresh.log_evidence == 0
