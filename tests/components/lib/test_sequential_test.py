import itertools
import json
import math

import numpy as np
import pytest

from retrainer.components.lib.sequential_test import (
    EFFECTS,
    Comparison,
    Values,
    block_ends,
    confidence_interval,
    log_mean,
    whole_blocks,
)


def _after(state):
    """Return states as they are before a block: at the start, and after uneven ones."""
    yield state
    later = state.plus(Values.of(np.array([0, 0, 1.0])), Values.of(np.array([1.0])))
    yield later
    yield later.plus(Values.of(np.array([0.25])), Values.of(np.array([0.5, 1, 0, 0])))


@pytest.mark.parametrize("margin", [0.0, 0.1, -0.2])
@pytest.mark.parametrize(("baseline_rows", "canary_rows"), [(1, 1), (3, 1), (1, 3), (2, 2)])
def test_the_expected_capital_never_grows_under_the_claim(margin, baseline_rows, canary_rows):
    """Counted over every outcome of a block of zeros and ones, with each row's own probability."""
    for state in _after(Comparison.start(margin)):
        for rate in (0.0, 0.05, 0.3, 0.5, 0.9):
            worst = rate + margin
            if not 0 <= worst <= 1:
                continue
            # The rows of an arm need not be alike: only their mean counts.
            spread = min(worst, 1 - worst, 0.1) * np.linspace(-1, 1, canary_rows)
            shares = [*[rate] * baseline_rows, *(worst + spread)]
            expected = 0.0
            for outcome in itertools.product((0.0, 1.0), repeat=len(shares)):
                chance = math.prod(
                    share if one else 1 - share for share, one in zip(shares, outcome, strict=True)
                )
                after = state.plus(
                    Values.of(np.array(outcome[:baseline_rows])),
                    Values.of(np.array(outcome[baseline_rows:])),
                )
                expected += chance * math.exp(after.log_evidence)
            assert expected <= math.exp(state.log_evidence) * (1 + 1e-9)


def test_a_block_by_hand():
    """A bet of b at centre c: a failed canary multiplies by 1 + b(1 - c), a passed baseline by 1 + bc."""
    state = Comparison.start()
    after = state.plus(Values.of(np.array([0.0])), Values.of(np.array([1.0])))
    centre = 0.05
    deviation = math.sqrt(centre * (1 - centre))
    gains = []
    for effect in EFFECTS:
        bet = min(effect / deviation / 2, 0.5 / (1 - centre))
        gains.append((1 + bet * (1 - centre)) * (1 + bet * centre))
    assert math.exp(after.log_evidence) == pytest.approx(np.mean(gains))
    assert after.difference == 1.0


def test_a_block_of_one_arm_compares_nothing():
    state = Comparison.start().plus(Values.of(np.array([])), Values.of(np.ones(1000)))
    assert state.log_evidence == pytest.approx(0)
    assert (state.canary.rows, state.baseline.rows) == (1000, 0)


def test_many_tests_side_by_side_are_the_same_as_each_alone():
    draw = np.random.default_rng(3)
    many = Comparison.start(0.02, (5,))
    alone = [Comparison.start(0.02) for _ in range(5)]
    for _ in range(3):
        baseline, canary = draw.binomial(900, 0.1, 5), draw.binomial(100, 0.3, 5)
        many = many.plus(
            Values.of_shares(baseline, np.full(5, 900)), Values.of_shares(canary, np.full(5, 100))
        )
        alone = [
            one.plus(
                Values.of_shares(baseline[n], np.array(900)),
                Values.of_shares(canary[n], np.array(100)),
            )
            for n, one in enumerate(alone)
        ]
    assert many.log_evidence == pytest.approx([one.log_evidence for one in alone])


def test_the_state_survives_json():
    state = Comparison.start(0.01).plus(Values.of(np.array([0, 0.5])), Values.of(np.array([1.0])))
    again = Comparison.of(json.loads(json.dumps(state.content())))
    block = Values.of(np.array([0.1, 0.2])), Values.of(np.array([0.9]))
    assert again.plus(*block).log_evidence == state.plus(*block).log_evidence


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("margin", [0.0, 0.02])
def test_looked_at_every_time_it_alarms_seldom_without_and_surely_with_a_difference(share, margin):
    draw = np.random.default_rng(7)
    sims, looks, rows = 2000, 40, 400
    canary = int(rows * share)
    baseline = rows - canary
    alarms = {}
    for rate in (0.1 + margin, 0.4):
        state, alarmed = Comparison.start(margin, (sims,)), np.zeros(sims, bool)
        for _ in range(looks):
            state = state.plus(
                Values.of_shares(draw.binomial(baseline, 0.1, sims), np.full(sims, baseline)),
                Values.of_shares(draw.binomial(canary, rate, sims), np.full(sims, canary)),
            )
            alarmed |= state.log_evidence >= math.log(1 / 0.05)
        alarms[rate] = alarmed.mean()
    assert alarms[0.1 + margin] <= 0.05
    assert alarms[0.4] == 1.0


def test_the_interval_holds_the_difference_at_every_look_and_gets_narrow():
    draw = np.random.default_rng(11)
    missed, width = 0, 2.0
    for _ in range(30):
        baseline = draw.beta(2, 8, 3000)
        canary = np.clip(draw.beta(2, 8, 1000) + 0.05, 0, 1)
        blocks = [
            (Values.of(baseline[3 * start : 3 * end]), Values.of(canary[start:end]))
            for start, end in ((0, 50), (50, 200), (200, 1000))
        ]
        held = True
        for look in range(1, 4):
            low, high = confidence_interval(blocks[:look], 0.05)
            held &= low <= 0.05 <= high
            width = high - low
        missed += not held
    assert missed <= 3
    assert width < 0.06


def test_without_rows_nothing_is_known_of_the_difference():
    low, high = confidence_interval([], 0.05)
    assert low == pytest.approx(-1, abs=1e-5)
    assert high == pytest.approx(1, abs=1e-5)


def test_blocks_cover_a_look_and_never_exceed_what_was_seen_before():
    assert block_ends(0, 1000) == [100, 200, 400, 800, 1000]
    assert block_ends(5000, 1000) == [1000]
    assert block_ends(0, 0) == []


def test_whole_blocks_do_not_move_when_rows_come():
    fewer, more = whole_blocks(3000), whole_blocks(5000)
    assert more[: len(fewer)] == fewer
    assert 3000 / 1.1 < fewer[-1] <= 3000


def test_the_mean_of_e_values():
    assert log_mean([math.log(3), math.log(1)]) == pytest.approx(math.log(2))
