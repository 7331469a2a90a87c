"""Judging differences: all rows have to show no loss, slices have to show one."""

from dataclasses import replace
from typing import Any

import pytest

from retrainer.components.evaluate_model.evidence.checks import (
    EvidenceCheck,
    Kind,
    judge_differences,
)
from retrainer.components.evaluate_model.evidence.settings import (
    Correction,
    GateSettings,
    PromoteOn,
    Significance,
    Slices,
)
from retrainer.components.lib.evaluation.metric_directions import HIGHER, LOWER
from retrainer.components.lib.evaluation.paired.differences import PairedDifference

ALL = PairedDifference("auc", (), 50_000, 100, 0.88, 0.88, 0.002, 0.001)


def judge(
    *differences: PairedDifference,
    direction: int = HIGHER,
    slices: Slices | None = None,
    **asked: Any,
) -> list[EvidenceCheck]:
    settings = GateSettings(Significance(**asked), slices=slices or Slices())
    directions = {one.metric: direction for one in differences}
    return judge_differences(differences, directions, settings, "champion version 3")


def of_slice(number: int, loss: float, error: float = 0.004, rows: int = 2_000) -> PairedDifference:
    key = (("carrier", f"C{number}"),)
    return PairedDifference("auc", key, rows, 100, 0.88 - loss, 0.88, error, error)


def test_an_equal_model_shows_no_loss_but_no_gain_either() -> None:
    (check,) = judge(ALL)
    assert (check.kind, check.passed, check.reason) == (Kind.NO_LOSS, True, "")
    assert check.bound == -0.01
    assert (check.low, check.high) == pytest.approx((-0.00166, 0.00166), abs=1e-5)
    (gain,) = judge(ALL, promote_on=PromoteOn.GAIN)
    assert gain.passed is False
    assert "there is no gain" in gain.reason


def test_at_the_margin_the_interval_decides_not_the_value() -> None:
    # 1.66 standard errors of 0.001 are between the value and the end of its interval.
    just = replace(ALL, challenger=0.88 - 0.01 + 0.001665)
    (passed,), (failed,) = judge(just), judge(replace(just, challenger=just.challenger - 0.00001))
    assert (passed.passed, failed.passed) == (True, False)


def test_too_few_rows_are_named_with_how_many_would_do() -> None:
    (check,) = judge(replace(ALL, rows=1_000, error=0.01))
    assert check.passed is False
    assert check.reason == (
        "auc 0.88 (champion version 3 0.88, 90 % interval of the difference -0.0166 to +0.0166) does not show that the "
        "loss is below 0.01; with this difference about 2,800 rows would"
    )


def test_a_gain_is_blessed_when_it_is_more_than_chance() -> None:
    better = replace(ALL, challenger=0.883)
    assert judge(better, promote_on=PromoteOn.GAIN)[0].passed
    (check,) = judge(replace(better, error=0.002), promote_on=PromoteOn.GAIN)
    assert check.passed is False
    assert "does not show a gain" in check.reason


@pytest.mark.parametrize(
    ("margins", "bound"),
    [({}, 0.02 * 10), ({"margin": 0.5}, 0.5), ({"relative_margin": 0.1}, 1.0)],
)
def test_of_a_loss_lower_is_better(margins: dict[str, float], bound: float) -> None:
    error = PairedDifference("mse", (), 5_000, 100, 10.0, 10.0, 0.05, 0.05)
    (check,) = judge(error, direction=LOWER, **margins)
    assert check.bound == pytest.approx(bound)
    assert check.passed
    (worse,) = judge(replace(error, challenger=10 + bound), direction=LOWER, **margins)
    assert worse.passed is False
    (better,) = judge(replace(error, challenger=8.0), direction=LOWER, promote_on=PromoteOn.GAIN)
    assert better.passed


def test_chance_among_two_hundred_slices_blocks_nothing_and_a_real_loss_does() -> None:
    # 2.6 standard errors beyond the margin: p = 0.005, which one of two hundred equal slices reaches.
    lucky = [of_slice(i, 0.0) for i in range(199)]
    by_chance = of_slice(199, 0.01 + 2.6 * 0.004)
    checks = judge(ALL, *lucky, by_chance)
    assert all(check.passed for check in checks)
    without = judge(ALL, *lucky, by_chance, slices=Slices(correction=Correction.NONE))
    assert [check.slice for check in without if not check.passed] == ["carrier = C199"]
    real = replace(of_slice(200, 0.05), rows=5_000)
    (failed,) = [check for check in judge(ALL, *lucky, real) if not check.passed]
    assert failed.kind == Kind.SLICE_LOSS
    assert failed.reason.startswith(
        "auc 0.83 for carrier = C200 is 0.05 worse than champion version 3 (0.88) on 5,000 rows, more than the 0.01 "
        "allowed and more than chance (p below 0.0001, corrected for 200 slices)"
    )


def test_a_small_slice_is_not_judged_and_says_why() -> None:
    small = of_slice(1, 0.5, rows=199)
    few_groups = replace(of_slice(2, 0.5), groups=9)
    _, first, second = judge(ALL, small, few_groups)
    assert (first.passed, second.passed) == (None, None)
    assert first.reason == "199 rows, and gate.slices.min_rows is 200"
    assert second.reason == "9 groups of rows, and an interval needs at least 10"


def test_without_evidence_on_all_rows_the_model_is_refused() -> None:
    (check,) = judge(replace(ALL, groups=5))
    assert check.passed is False
    assert "5 groups of rows, and an interval needs at least 10" in check.reason
    settings = GateSettings(Significance(), cluster="channel")
    (check,) = judge_differences(
        [replace(ALL, groups=3)], {"auc": HIGHER}, settings, "champion version 3"
    )
    assert check.reason.startswith(
        "auc: 3 values of 'channel' (gate.cluster), and an interval needs at least 10"
    )


def test_a_gap_between_slices() -> None:
    near = [of_slice(i, 0.0) for i in range(5)]
    limit = Slices(max_gap=0.05)
    (*_, gap) = judge(ALL, *near, of_slice(6, -0.01), slices=limit)
    assert (gap.kind, gap.passed) == (Kind.GAP, True)
    assert gap.difference == pytest.approx(0.01)
    far = replace(of_slice(7, 0.0), challenger=0.78, champion=0.78)
    (*_, wide) = judge(ALL, *near, far, slices=limit)
    assert wide.passed is False
    assert wide.slice.endswith("and carrier = C7")
    assert "a gap of 0.1, more than the 0.05 allowed and more than chance" in wide.reason
    # As wide, but of few rows: its standard error is larger.
    (*_, chance) = judge(ALL, *near, replace(far, challenger_error=0.03), slices=limit)
    assert chance.passed


def test_identical_models_pass_on_every_slice() -> None:
    same = replace(ALL, error=0.0)
    checks = judge(same, replace(of_slice(1, 0.0), error=0.0))
    assert [check.passed for check in checks] == [True, True]
