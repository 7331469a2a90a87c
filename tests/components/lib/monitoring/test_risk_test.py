"""A test of one mean that may be looked at every hour: seldom wrong, and in time even after long good times."""

import itertools
import json
import math

import numpy as np
import pytest

from retrainer.components.lib.monitoring.risk_test import RiskTest, weighed
from retrainer.components.lib.sequential_test import EFFECTS, Values


def test_the_expected_capital_never_grows_under_the_claim():
    """Counted over every outcome of blocks of zeros and ones, whose rows need not be alike."""
    for bound in (0.1, 0.5, 0.9):
        state = RiskTest.start(bound)
        for shares in ([bound] * 3, [bound - 0.05, bound + 0.05, bound / 2], [0.0, 0.0]):
            expected = 0.0
            for outcome in itertools.product((0.0, 1.0), repeat=len(shares)):
                chance = math.prod(
                    one if hit else 1 - one for one, hit in zip(shares, outcome, strict=True)
                )
                expected += chance * math.exp(state.plus(Values.of(np.array(outcome))).log_evidence)
            assert expected <= math.exp(state.log_evidence) * (1 + 1e-9)
            state = state.plus(Values.of(np.array([1.0, 0.0, 0.0])))


def test_a_block_by_hand():
    """Half of the capital is bet at first; a loss multiplies a pot by 1 + b(1 - bound)."""
    state = RiskTest.start(0.2).plus(Values.of(np.array([1.0])))
    deviation = math.sqrt(0.2 - 0.2**2)
    pots = [1 + min(effect / deviation, 0.5 / 0.2) * 0.8 for effect in EFFECTS]
    assert math.exp(state.log_evidence) == pytest.approx(0.5 + 0.5 * np.mean(pots))


def test_looked_at_every_hour_it_alarms_seldom_and_finds_a_late_change():
    """2,000 models of unchanged quality, 300 looks each; then the share of errors grows from 10 to 14 per cent."""
    draw = np.random.default_rng(5)
    sims, looks, rows, alpha = 2000, 300, 200, 0.05
    state, alarmed = RiskTest.start(0.1, (sims,)), np.zeros(sims, bool)
    for _ in range(looks):
        errors = draw.binomial(rows, 0.1, sims)
        state = state.plus(Values.of_shares(errors, np.full(sims, rows)))
        alarmed |= state.log_evidence >= -np.log(alpha)
    assert alarmed.mean() <= alpha
    found = np.full(sims, looks)
    for look in range(20):
        errors = draw.binomial(rows, 0.14, sims)
        state = state.plus(Values.of_shares(errors, np.full(sims, rows)))
        new = (state.log_evidence >= -np.log(alpha)) & (found == looks)
        found[new] = look + 1
    assert np.median(found) <= 12
    assert (found <= 20).mean() > 0.9


def test_the_state_survives_json():
    state = RiskTest.start(0.3).plus(Values.of(np.array([0.2, 0.9])))
    again = RiskTest.of(json.loads(json.dumps(state.content())))
    block = Values.of(np.array([0.4]))
    assert again.plus(block).log_evidence == state.plus(block).log_evidence
    fresh = RiskTest.of(json.loads(json.dumps(RiskTest.start(0.3).content())))
    assert fresh.log_evidence == RiskTest.start(0.3).log_evidence == 0


def test_weighed_rows_stand_for_the_rows_that_were_not_kept():
    """Errors are all kept, and a tenth of the rest: unweighed, half of the rows are errors."""
    draw = np.random.default_rng(2)
    losses = (draw.random(20_000) < 0.09).astype(float)
    kept = (losses == 1) | (draw.random(len(losses)) < 0.1)
    weights = np.where(losses == 1, 1.0, 10.0)[kept]
    plain, fair = RiskTest.start(0.1), RiskTest.start(0.1)
    for rows in np.array_split(np.arange(kept.sum()), 20):
        values = losses[kept][rows]
        plain = plain.plus(Values.of(values))
        fair = fair.plus(Values.of(weighed(values, weights[rows], 0.1)))
    assert plain.log_evidence > 50
    assert fair.log_evidence < 0.5
    assert weighed(np.array([1.0]), np.array([0.0]), 0.1) == 0.1
