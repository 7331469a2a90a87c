"""The verdict: what blesses a model, what doesn't, and in which words."""

import math
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf import json_format
from tensorflow_model_analysis.proto import config_pb2

from retrainer.components.evaluate_model.champion_comparison import judge_in_part
from retrainer.components.evaluate_model.evidence.checks import EvidenceCheck, Kind
from retrainer.components.evaluate_model.gate import (
    add_evidence,
    add_prediction_checks,
    difference,
    explain,
    judge,
    refuse_unfit,
    rule,
)
from retrainer.components.evaluate_model.prediction_checks import PredictionCheck, PredictionKind
from retrainer.components.evaluate_model.tfma_results import Evaluation, SliceResult
from retrainer.components.evaluate_model.thresholds import Check, meets_change
from retrainer.components.lib.evaluation.input_counts import SliceRows
from retrainer.components.lib.evaluation.metric_value import Value
from retrainer.components.lib.verdicts import Champion

NONE, THIRD = Champion(None, None), Champion(3, "models/3")


def value_threshold(**bounds: float) -> config_pb2.GenericValueThreshold:
    return json_format.ParseDict(bounds, config_pb2.GenericValueThreshold())


def change_threshold(direction: str = "HIGHER_IS_BETTER", **bounds: float) -> Any:
    return json_format.ParseDict(
        {"direction": direction, **bounds}, config_pb2.GenericChangeThreshold()
    )


def evaluation(*checks: Check, valid: bool | None = None) -> Evaluation:
    overall = SliceResult((), {"auc": Value(0.912), "example_count": Value(24000.0)})
    if any(check.champion is not None for check in checks):
        overall.champion = {"auc": Value(0.905)}
    slices = [overall, SliceResult((("carrier", "UA"),), {"auc": Value(0.9)})]
    passed = all(check.passed for check in checks) if valid is None else valid
    return Evaluation(slices, list(checks), passed)


FLOOR = Check("auc", "overall", value_threshold(lower_bound=0.7), 0.912, None, True)
CHANGE = Check("auc", "overall", change_threshold(absolute=-0.01), 0.912, 0.905, True)


def test_blessed_without_a_champion_by_a_floor() -> None:
    verdict = judge(evaluation(FLOOR), NONE)
    assert verdict.blessed
    assert verdict.reasons == ()
    assert verdict.sentence == "blessed: auc 0.912 (no champion yet), 24,000 rows, 2 slices"


def test_blessed_against_a_champion() -> None:
    verdict = judge(evaluation(CHANGE), THIRD)
    assert verdict.blessed
    assert verdict.sentence == (
        "blessed: auc 0.912 (champion version 3 0.905, +0.007), 24,000 rows, 2 slices"
    )


def test_a_blessing_on_evidence_names_the_interval_of_all_rows() -> None:
    overall = EvidenceCheck(
        Kind.NO_LOSS, "auc", "overall", 900, 0.91, 0.9, 0.01, -0.002, 0.022, -0.005, True
    )
    of_slice = replace(overall, slice="carrier = UA", low=-0.5, high=0.5)
    verdict = judge(evaluation(CHANGE), THIRD)
    with_evidence = add_evidence(verdict, [of_slice, overall], "champion version 3")
    assert with_evidence.summary.endswith("interval of the change in auc -0.002 to +0.022")
    assert add_evidence(verdict, [of_slice], "champion version 3") == verdict


@pytest.mark.parametrize(("champion", "word"), [(NONE, "no floor"), (THIRD, "no threshold")])
@pytest.mark.parametrize("valid", [True, False])
def test_without_thresholds_nothing_is_blessed(champion: Champion, word: str, valid: bool) -> None:
    verdict = judge(evaluation(valid=valid), champion)
    assert not verdict.blessed
    assert word in verdict.reasons[0]
    assert verdict.sentence.startswith("refused: ")


def test_tfmas_no_stands_even_where_no_threshold_is_named() -> None:
    assert not judge(evaluation(FLOOR, valid=False), NONE).blessed


def test_a_failed_check_refuses_whatever_tfma_says_overall() -> None:
    failed = Check("auc", "overall", value_threshold(lower_bound=0.95), 0.912, None, False)
    assert not judge(evaluation(failed, valid=True), NONE).blessed


@pytest.mark.parametrize(
    ("threshold", "value", "champion", "words"),
    [
        (value_threshold(lower_bound=0.7), 0.51, None, "auc 0.51 is below 0.7"),
        (value_threshold(upper_bound=0.7), 0.9, None, "auc 0.9 is above 0.7"),
        (value_threshold(upper_bound=-1.0), -0.5, None, "auc -0.5 is above -1"),
        (value_threshold(lower_bound=0.1, upper_bound=0.7), 0.05, None, "auc 0.05 is below 0.1"),
        (value_threshold(lower_bound=0.7), 0.69999, None, "auc 0.69999 is below 0.7"),
        (
            value_threshold(lower_bound=0.7),
            math.nan,
            None,
            "auc is undefined (NaN) because of the model's predictions; for example, none is positive",
        ),
        (value_threshold(lower_bound=0.7), None, None, "auc has a threshold, but is not computed"),
        (
            change_threshold(absolute=-0.01),
            0.51,
            0.91,
            "auc 0.51 is 0.4 below champion version 3 (0.91), but at most 0.01 below is allowed",
        ),
        (
            change_threshold(absolute=0.005),
            0.912,
            0.91,
            "auc 0.912 is 0.002 above champion version 3 (0.91), but must be 0.005 above",
        ),
        (
            change_threshold(absolute=0.0),
            0.90,
            0.91,
            "auc 0.9 is 0.01 below champion version 3 (0.91), but must not be below",
        ),
        (
            change_threshold("LOWER_IS_BETTER", absolute=0.01),
            0.5,
            0.4,
            "auc 0.5 is 0.1 above champion version 3 (0.4), but at most 0.01 above is allowed",
        ),
        (
            change_threshold("LOWER_IS_BETTER", relative=-0.05),
            0.4,
            0.4,
            "auc 0.4 is equal to champion version 3 (0.4), but must be 5% below",
        ),
        (
            change_threshold(absolute=0.0),
            0.9099999,
            0.91,
            "auc 0.9099999 is 1e-07 below champion version 3 (0.91), but must not be below",
        ),
        (
            change_threshold(relative=-0.1),
            0.4,
            0.5,
            "auc 0.4 is 0.1 below champion version 3 (0.5), but at most 10% below is allowed",
        ),
        (
            change_threshold(absolute=2.0),
            0.512345,
            0.5,
            "auc 0.5123 is 0.0123 above champion version 3 (0.5), but must be 2 above",
        ),
        (
            change_threshold(absolute=-1.0),
            7.0,
            12345.678,
            "auc 7 is 12,339 below champion version 3 (12,346), but at most 1 below is allowed",
        ),
        (
            change_threshold(relative=0.1),
            0.99,
            0.9,
            "auc 0.99 is 0.09 above champion version 3 (0.9), but must be 10% above",
        ),
    ],
)
def test_reasons(threshold: Any, value: float | None, champion: float | None, words: str) -> None:
    assert explain(Check("auc", "overall", threshold, value, champion, False), THIRD) == words


def test_a_reason_names_its_slice() -> None:
    check = Check("auc", "carrier = HA", value_threshold(lower_bound=0.7), 0.5, None, False)
    assert explain(check, NONE) == "auc 0.5 for carrier = HA is below 0.7"
    check = Check(
        "auc", "carrier = ZZ", value_threshold(lower_bound=0.7), None, None, False, no_slice=True
    )
    assert "which has no eval rows" in explain(check, NONE)


def test_a_label_of_one_value_is_never_blessed() -> None:
    alike = evaluation(CHANGE)
    alike.overall.holds = SliceRows(rows=24000, low=0.0, high=0.0)
    verdict = judge(alike, THIRD)
    assert not verdict.blessed
    assert verdict.reasons[0].startswith("all eval rows have label 0")


def not_judged(slice_: str, why: str = "8 rows, all with label 0") -> Check:
    threshold = value_threshold(lower_bound=0.7)
    return Check("auc", slice_, threshold, math.nan, None, False, why)


def test_an_undefined_value_on_a_slice_neither_blesses_nor_refuses() -> None:
    island = not_judged("branch = island")
    verdict = judge(evaluation(FLOOR, island, valid=True), NONE)
    assert verdict.blessed
    assert verdict.sentence.endswith(
        "2 slices; not judged: auc for branch = island (8 rows, all with label 0)"
    )
    more = judge(evaluation(FLOOR, island, not_judged("branch = rock"), valid=True), NONE)
    assert more.sentence.endswith("(8 rows, all with label 0), 1 more")
    low = Check("auc", "overall", value_threshold(lower_bound=0.95), 0.912, None, False)
    refused = judge(evaluation(low, island, valid=False), NONE)
    assert refused.reasons == ("auc 0.912 is below 0.95",)


def test_values_decide_where_no_change_could_be_judged_on_the_champions_rows() -> None:
    change = replace(not_judged("branch = island"), threshold=change_threshold(absolute=0.0))
    partly = evaluation(change, valid=True)
    assert judge_in_part(partly, THIRD, evaluation(FLOOR)).blessed
    low = Check("auc", "overall", value_threshold(lower_bound=0.95), 0.912, None, False)
    assert not judge_in_part(partly, THIRD, evaluation(low)).blessed
    assert not judge_in_part(partly, THIRD, partly).blessed


def test_an_undefined_value_on_all_rows_refuses() -> None:
    overall = not_judged("overall", "24,000 rows, all with weight 0")
    verdict = judge(evaluation(FLOOR, overall, valid=True), NONE)
    assert verdict.reasons == ("auc is undefined: 24,000 rows, all with weight 0",)


def test_small_slices_are_counted_in_the_verdict() -> None:
    small = not_judged("carrier = UA", "fewer than 20 rows")
    result = evaluation(FLOOR, small, valid=True)
    result.slices[1].too_small = "fewer than 20 rows"
    assert judge(result, NONE).sentence.endswith(
        "2 slices; not judged: 1 slice with fewer than 20 rows"
    )


def test_what_nothing_was_judged_on_is_never_blessed() -> None:
    verdict = judge(evaluation(not_judged("branch = island"), valid=True), THIRD)
    assert verdict.sentence == (
        "refused: no threshold could be judged: auc for branch = island (8 rows, all with label 0)"
    )


@pytest.mark.parametrize(
    ("threshold", "value", "champion", "met"),
    [
        # Of 0 there is no share: not worse is enough where worse is allowed, and better where better is asked for.
        (change_threshold(relative=-0.1), 0.71, 0.0, True),
        (change_threshold(relative=-0.1), 0.0, 0.0, True),
        (change_threshold(relative=-0.1), -0.01, 0.0, False),
        (change_threshold(relative=0.1), 0.71, 0.0, True),
        (change_threshold(relative=0.1), 0.0, 0.0, False),
        (change_threshold("LOWER_IS_BETTER", relative=0.1), 0.3, 0.0, False),
        (change_threshold("LOWER_IS_BETTER", relative=0.1), 0.0, 0.0, True),
        (change_threshold("LOWER_IS_BETTER", relative=-0.1), 0.0, 0.0, False),
        # A share of the size of a negative value.
        (change_threshold(relative=-0.1), 0.2, -0.5, True),
        (change_threshold(relative=-0.1), -0.54, -0.5, True),
        (change_threshold(relative=-0.1), -0.56, -0.5, False),
        (change_threshold(relative=0.1), -0.44, -0.5, True),
        (change_threshold(relative=0.1), -0.46, -0.5, False),
        (change_threshold("LOWER_IS_BETTER", relative=-0.1), -0.56, -0.5, True),
        (change_threshold("LOWER_IS_BETTER", relative=-0.1), -0.54, -0.5, False),
        # As TFMA has it.
        (change_threshold(relative=-0.1), 0.46, 0.5, True),
        (change_threshold(relative=-0.1), 0.44, 0.5, False),
        (change_threshold(relative=-0.1, absolute=-0.01), 0.48, 0.5, False),
        (change_threshold(relative=-0.1, absolute=0.5), 0.71, 0.0, True),
        (change_threshold(relative=-0.1, absolute=0.8), 0.71, 0.0, False),
    ],
)
def test_changes(threshold: Any, value: float, champion: float, met: bool) -> None:
    assert meets_change(threshold, value, champion) is met
    if not met:
        text = explain(Check("auc", "overall", threshold, value, champion, False), THIRD)
        assert "must" in text or "allowed" in text


@pytest.mark.parametrize(
    ("threshold", "value", "required"),
    [
        (change_threshold(relative=0.1), 0.0, "equal to champion version 3 (0), but must be above"),
        (change_threshold(relative=0.0), -0.5, "but must not be below"),
        (change_threshold(relative=-0.1), -0.5, "but must not be below"),
        (change_threshold("LOWER_IS_BETTER", relative=-0.1), 0.5, "but must be below"),
        (change_threshold("LOWER_IS_BETTER", relative=0.0), 0.5, "but must not be above"),
        (change_threshold("LOWER_IS_BETTER", relative=0.1), 0.5, "but must not be above"),
    ],
)
def test_a_change_against_0_says_which_side(threshold: Any, value: float, required: str) -> None:
    assert explain(Check("auc", "overall", threshold, value, 0.0, False), THIRD).endswith(required)


def test_many_reasons_are_counted() -> None:
    checks = [
        Check("auc", f"hour = {i}", value_threshold(lower_bound=0.7), 0.5, None, False)
        for i in range(300)
    ]
    verdict = judge(evaluation(*checks), NONE)
    assert len(verdict.listed) == 101
    assert verdict.listed[-1] == "and 200 more"
    assert verdict.sentence.endswith("; and 298 more")
    assert len(verdict.sentence) < 200


def test_rules() -> None:
    assert rule(value_threshold(lower_bound=0.5, upper_bound=0.9)) == "0.5 to 0.9"
    assert rule(change_threshold(absolute=-1e-10)) == "change of -1e-10 or more"
    assert rule(change_threshold("LOWER_IS_BETTER", relative=0.1)) == "change of +10 % or less"


def test_two_reasons_are_in_the_sentence_and_a_third_is_counted() -> None:
    def refused(count: int) -> str:
        checks = [
            Check("auc", f"hour = {i}", value_threshold(lower_bound=0.7), 0.5, None, False)
            for i in range(count)
        ]
        return judge(evaluation(*checks), NONE).sentence

    assert refused(2) == (
        "refused: auc 0.5 for hour = 0 is below 0.7; auc 0.5 for hour = 1 is below 0.7"
    )
    assert refused(3) == f"{refused(2)}; and 1 more"


def test_as_many_reasons_as_are_kept_have_no_rest() -> None:
    def reasons(count: int) -> tuple[str, ...]:
        floor = value_threshold(lower_bound=0.7)
        checks = [Check("auc", f"hour = {i}", floor, 0.5, None, False) for i in range(count)]
        return judge(evaluation(*checks), NONE).listed

    assert len(reasons(100)) == 100
    assert reasons(101)[-1] == "and 1 more"


def test_labels_that_differ_are_no_reason_and_one_label_is_the_only_one_of_its_kind() -> None:
    both = evaluation(CHANGE)
    both.overall.holds = SliceRows(rows=2, low=0.0, high=1.0)
    assert judge(both, THIRD).blessed
    undefined = not_judged("overall", "2 rows, all with label 1")
    alike = evaluation(FLOOR, undefined, valid=True)
    alike.overall.holds = SliceRows(rows=2, low=1.0, high=1.0)
    assert len(judge(alike, NONE).reasons) == 1


def test_a_metric_that_is_undefined_under_two_thresholds_is_named_once() -> None:
    why = "24,000 rows, all with weight 0"
    two = [not_judged("overall", why), not_judged("overall", why)]
    assert len(judge(evaluation(FLOOR, *two, valid=True), NONE).reasons) == 1


def test_what_is_not_judged_on_all_rows_with_a_value_of_its_own_does_not_refuse() -> None:
    change = Check(
        "auc", "overall", change_threshold(absolute=0.0), 0.9, math.nan, False,
        "undefined for the champion",
    )  # fmt: skip
    verdict = judge(evaluation(FLOOR, change, valid=True), NONE)
    assert verdict.blessed
    assert verdict.sentence.endswith("not judged: auc (undefined for the champion)")


def test_the_sentence_names_the_metric_that_passed_and_not_one_that_was_not_judged() -> None:
    verdict = judge(evaluation(not_judged("branch = island"), FLOOR, valid=True), NONE)
    assert verdict.sentence.startswith("blessed: auc 0.912 (no champion yet), 24,000 rows")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.00004, "±0"), (0.00006, "+0.0001"), (-0.12345, "-0.1235"), (1.5, "+1.5")],
)
def test_a_difference_has_four_decimals(value: float, shown: str) -> None:
    assert difference(value) == shown


def test_a_bound_that_is_met_to_the_digit_is_not_called_above() -> None:
    both = value_threshold(lower_bound=0.1, upper_bound=0.7)
    assert explain(Check("auc", "overall", both, 0.1, None, False), NONE).endswith("above 0.7")
    assert explain(Check("auc", "overall", both, 0.8, None, False), NONE) == "auc 0.8 is above 0.7"


def test_both_halves_of_a_change_are_asked_for_where_both_are_missed() -> None:
    threshold = change_threshold(absolute=0.2, relative=0.5)
    missed = explain(Check("auc", "overall", threshold, 0.5, 0.5, False), THIRD)
    assert missed.endswith("but must be 0.2 above and but must be 50% above")
    one = explain(Check("auc", "overall", threshold, 0.72, 0.5, False), THIRD)
    assert one.endswith("is 0.22 above champion version 3 (0.5), but must be 50% above")
    other = explain(Check("auc", "overall", threshold, 0.19, 0.12, False), THIRD)
    assert other.endswith("but must be 0.2 above")


def test_a_change_without_a_champions_value_says_so() -> None:
    check = Check("auc", "hour = 1", change_threshold(absolute=0.0), 0.5, None, False)
    assert explain(check, THIRD) == (
        "auc for hour = 1 can't be compared: the champion has no value"
    )


def test_a_summary_has_what_is_known_of_all_rows() -> None:
    of_slice = Check("recall", "carrier = UA", value_threshold(lower_bound=0.1), 0.5, None, True)
    assert judge(evaluation(of_slice), NONE).summary == "24,000 rows, 2 slices"
    unknown = evaluation(CHANGE)
    del unknown.overall.challenger["example_count"]
    unknown.overall.champion = {}
    assert (
        judge(unknown, Champion(3)).summary
        == "auc 0.912 (champion version 3 not compared), 2 slices"
    )
    # Of two metrics the first that passed is named.
    failed = Check("loss", "overall", value_threshold(upper_bound=9.0), 1.0, None, True)
    assert judge(evaluation(CHANGE, failed), THIRD).summary.startswith("auc 0.912")


def test_what_was_not_judged_is_counted_by_why() -> None:
    slices = [f"hour = {hour}" for hour in range(5)]
    small = [not_judged(one, "fewer than 20 rows") for one in slices[:2]]
    few = not_judged(slices[2], "fewer than 9 queries")
    twice = [not_judged(slices[3], "9 rows, all with label 1")] * 2
    result = evaluation(FLOOR, *small, few, *twice, not_judged("overall", "no query"), valid=True)
    result.overall.champion = {}
    for name, why in zip(
        slices, ["fewer than 20 rows"] * 2 + ["fewer than 9 queries"], strict=False
    ):
        result.slices.append(SliceResult((("hour", name[-1]),), too_small=why))
    result.slices.append(SliceResult((("hour", "3"),)))
    left = judge(
        replace(result, checks=[c for c in result.checks if c.slice != "overall" or c.passed]), NONE
    )
    assert left.summary.endswith(
        "6 slices; not judged: 2 slices with fewer than 20 rows, 1 slice with fewer than 9 queries, auc for hour = 3 "
        "(9 rows, all with label 1)"
    )
    refused = judge(result, NONE)
    assert refused.reasons == ("auc is undefined: no query",)


@pytest.mark.parametrize("passed", [True, False, None])
def test_checks_of_predictions_refuse_first_and_warnings_come_last(passed: bool | None) -> None:
    verdict = judge(evaluation(CHANGE), THIRD)
    checks = [
        PredictionCheck(PredictionKind.NUMBERS, True),
        PredictionCheck(PredictionKind.VARIETY, passed, "" if passed else "always the same"),
        PredictionCheck(PredictionKind.CLASSES, None, "never class 2"),
    ]
    found = add_prediction_checks(verdict, checks)
    assert found.blessed is (passed is not False)
    assert found.reasons == (("always the same",) if passed is False else ())
    first = "always the same" if passed is False else verdict.summary
    middle = "; always the same" if passed is None else ""
    assert found.summary == f"{first}{middle}; never class 2"
    refused = judge(evaluation(replace(FLOOR, value=0.5, passed=False)), NONE)
    assert add_prediction_checks(refused, checks).reasons[-1] == "auc 0.5 is below 0.7"


def test_evidence_against_a_challenger_refuses_beside_what_else_does() -> None:
    change = EvidenceCheck(
        Kind.NO_LOSS, "auc", "overall", 900, 0.8, 0.9, -0.1, -0.2, 0.0, -0.01, False, "auc fell"
    )
    verdict = judge(evaluation(CHANGE), THIRD)
    for checks in ([change], [replace(change, passed=True), change]):
        refused = add_evidence(verdict, checks, "champion version 3")
        assert (refused.blessed, refused.reasons, refused.summary) == (
            False,
            ("auc fell",),
            "auc fell",
        )
    low = judge(evaluation(replace(FLOOR, value=0.5, passed=False)), NONE)
    both = add_evidence(low, [change], "champion version 3")
    assert both.reasons == ("auc 0.5 is below 0.7", "auc fell")
    # What passed does not bless what is refused, nor say anything of it.
    assert add_evidence(low, [replace(change, passed=True)], "champion version 3") == low
    equal = replace(change, passed=True, low=0.0, high=0.0)
    assert add_evidence(verdict, [equal], "champion version 3").summary.endswith(
        "; auc equals that of champion version 3 on every sample of the rows"
    )
    for low_end, high_end in ((0.0, 0.1), (-0.1, 0.0)):
        some = replace(equal, low=low_end, high=high_end)
        assert "interval of the change" in add_evidence(verdict, [some], "champion").summary
    open_ = replace(change, passed=None)
    assert add_evidence(verdict, [open_], "champion version 3").blessed


def test_reasons_for_which_nothing_can_be_judged_end_without_a_full_stop() -> None:
    refused = refuse_unfit(["NaN in 3 rows.", "no output"])
    assert (refused.blessed, refused.reasons) == (False, ("NaN in 3 rows", "no output"))
    assert refused.sentence == "refused: NaN in 3 rows; no output"
