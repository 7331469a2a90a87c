"""Thresholds at their very bound and beside it, and of two at once."""

import math
from typing import Any

import pytest
from google.protobuf import json_format
from tensorflow_model_analysis.metrics import metric_specs
from tensorflow_model_analysis.proto import config_pb2, validation_result_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from retrainer.components.evaluate_model.thresholds import (
    Check,
    _check,
    judge_thresholds,
    meets_change,
)
from retrainer.components.lib.evaluation.metric_value import Value


def change(direction: str = "HIGHER_IS_BETTER", **bounds: float) -> Any:
    return json_format.ParseDict(
        {"direction": direction, **bounds}, config_pb2.GenericChangeThreshold()
    )


FLOOR = json_format.ParseDict({"lower_bound": 0.7}, config_pb2.GenericValueThreshold())
LOWER = "LOWER_IS_BETTER"


@pytest.mark.parametrize(
    ("threshold", "value", "champion", "met"),
    [
        (change(absolute=0.25), 0.75, 0.5, True),
        (change(absolute=0.25), 0.7499, 0.5, False),
        (change(absolute=-0.25), 0.25, 0.5, True),
        (change(absolute=-0.25), 0.2499, 0.5, False),
        (change(LOWER, absolute=-0.25), 0.25, 0.5, True),
        (change(LOWER, absolute=-0.25), 0.2501, 0.5, False),
        (change(LOWER, absolute=0.25), 0.75, 0.5, True),
        (change(LOWER, absolute=0.25), 0.7501, 0.5, False),
        (change(absolute=0.0), 0.5, 0.5, True),
        (change(LOWER, absolute=0.0), 0.5, 0.5, True),
        (change(relative=0.5), 0.75, 0.5, True),
        (change(relative=0.5), 0.7499, 0.5, False),
        (change(LOWER, relative=-0.5), 0.25, 0.5, True),
        (change(LOWER, relative=-0.5), 0.2501, 0.5, False),
        # Both must be met.
        (change(absolute=0.25, relative=0.6), 0.76, 0.5, False),
        (change(absolute=0.25, relative=0.4), 0.76, 0.5, True),
        (change(absolute=0.3, relative=0.4), 0.76, 0.5, False),
    ],
)
def test_a_change_is_met_at_its_bound_and_missed_beside_it(
    threshold: Any, value: float, champion: float, met: bool
) -> None:
    assert meets_change(threshold, value, champion) is met


def judged(
    threshold: Any,
    value: Value | None,
    champion: Value | None = None,
    failed: bool = False,
    too_small: str = "",
) -> Check:
    return _check("auc", "overall", threshold, value, champion, failed, too_small)


@pytest.mark.parametrize("failed", [False, True])
def test_tfmas_judgement_stands_where_there_is_a_value(failed: bool) -> None:
    check = judged(FLOOR, Value(0.8), failed=failed)
    assert (check.passed, check.failed) == (not failed, failed)
    assert check.not_judged == ""
    missing = judged(FLOOR, None, failed=failed)
    assert missing.passed is not failed
    assert missing.value is None


@pytest.mark.parametrize("failed", [False, True])
def test_a_small_slice_or_an_undefined_value_neither_meets_nor_misses(failed: bool) -> None:
    small = judged(FLOOR, Value(0.8, undefined="1 row"), failed=failed, too_small="2 rows")
    assert (small.passed, small.failed, small.not_judged) == (False, False, "2 rows")
    undefined = judged(FLOOR, Value(math.nan, undefined="8 rows, all with label 0"), None, failed)
    assert (undefined.passed, undefined.failed) == (False, False)
    assert undefined.not_judged == "8 rows, all with label 0"


def test_a_change_against_a_champion_without_a_value_is_not_judged() -> None:
    nan = Value(math.nan)
    check = judged(change(absolute=0.0), Value(0.8), nan, failed=True)
    assert (check.passed, check.failed) == (False, False)
    assert check.not_judged == "undefined for the champion"
    # Through the challenger's own predictions it is a miss, and a floor has nothing to do with the champion.
    assert judged(change(absolute=0.0), nan, nan, failed=True).failed
    assert judged(change(absolute=0.0), nan, Value(0.8), failed=True).failed
    assert judged(FLOOR, Value(0.8), nan).passed
    # Without a champion's value at all the change is TFMA's to judge.
    assert judged(change(absolute=0.0), Value(0.8), None, failed=True).failed
    assert judged(change(absolute=0.0), Value(0.8), None).passed


@pytest.mark.parametrize(
    ("threshold", "value", "champion", "failed", "passed"),
    [
        # TFMA divides by the champion's value: of 0 and below, its judgement is not taken.
        (change(relative=0.1), 0.5, 0.0, True, True),
        (change(relative=0.1), 0.0, 0.0, False, False),
        (change(relative=0.1), -0.5, -0.4, False, False),
        (change(relative=0.1), 0.5, 0.4, True, False),
        (change(relative=0.9), 0.5, 0.4, False, True),
        (change(absolute=0.1), 0.5, 0.0, True, False),
    ],
)
def test_a_share_of_nothing_or_of_less_is_judged_here_and_all_else_by_tfma(
    threshold: Any, value: float, champion: float, failed: bool, passed: bool
) -> None:
    assert judged(threshold, Value(value), Value(champion), failed).passed is passed


def test_checks_that_failed_come_first_then_those_not_judged_then_all_rows_before_slices() -> None:
    floor = {"value_threshold": {"lower_bound": 0.7}}
    shop, town = {"feature_keys": ["shop"]}, {"feature_keys": ["town"]}
    metric = {
        "class_name": "AUC",
        "threshold": floor,
        "per_slice_thresholds": [
            {"slicing_specs": [shop], "threshold": floor},
            {"slicing_specs": [town], "threshold": floor},
        ],
    }
    config = json_format.ParseDict(
        {"model_specs": [{"label_key": "late"}], "metrics_specs": [{"metrics": [metric]}]},
        config_pb2.EvalConfig(),
    )
    thresholds = metric_specs.metric_thresholds_from_metrics_specs(config.metrics_specs, config)
    (key,) = thresholds
    slices: list[tuple[tuple[str, Any], ...]] = [(("shop", name),) for name in "dbac"]
    found = {one: {key: Value(0.8)} for one in [*slices, ()]}
    validation = validation_result_pb2.ValidationResult()
    for one in (slices[0], slices[3]):
        per_slice = validation.metric_validations_per_slice.add()
        per_slice.slice_key.CopyFrom(slicer_lib.serialize_slice_key(one))
        failure = per_slice.failures.add(message="too low")
        failure.metric_key.CopyFrom(key.to_proto())
        failure.metric_threshold.value_threshold.lower_bound.value = 0.7
    small = {slices[1]: "fewer than 20 rows"}
    checks, corrected = judge_thresholds(config, found, validation, lambda key: key.name, small)
    assert [(check.slice, check.failed, check.passed) for check in checks] == [
        ("shop = c", True, False),
        ("shop = d", True, False),
        ("town", True, False),
        ("shop = b", False, False),
        ("overall", False, True),
        ("shop = a", False, True),
    ]
    failed = [one.slice_key for one in corrected.metric_validations_per_slice]
    assert failed == [slicer_lib.serialize_slice_key(one) for one in (slices[0], slices[3])]
    assert not corrected.validation_ok


def test_tfmas_result_is_corrected_where_a_share_of_nothing_is_judged_here() -> None:
    asked = {"relative": 0.1, "direction": "HIGHER_IS_BETTER"}
    of_shop = {"feature_keys": ["shop"], "feature_values": {"town": "A"}}
    metric = {
        "class_name": "AUC",
        "threshold": {"change_threshold": asked},
        "per_slice_thresholds": [
            {"slicing_specs": [of_shop], "threshold": {"change_threshold": asked}}
        ],
    }
    config = json_format.ParseDict(
        {
            "model_specs": [{"label_key": "late"}, {"name": "baseline", "is_baseline": True}],
            "metrics_specs": [{"metrics": [metric]}],
        },
        config_pb2.EvalConfig(),
    )
    thresholds = metric_specs.metric_thresholds_from_metrics_specs(config.metrics_specs, config)
    (key,) = (one for one in thresholds if one.model_name != "baseline")
    plain = key._replace(is_diff=False)

    def corrected(
        ours: float, theirs: float, tfma_fails: bool, of: Any = (), small: Any = None
    ) -> Any:
        validation = validation_result_pb2.ValidationResult(validation_ok=not tfma_fails)
        validation.missing_slices.add().CopyFrom(
            json_format.ParseDict(of_shop, config_pb2.SlicingSpec())
        )
        if tfma_fails:
            per_slice = validation.metric_validations_per_slice.add()
            per_slice.slice_key.CopyFrom(slicer_lib.serialize_slice_key(()))
            failure = per_slice.failures.add(message="TFMA's")
            failure.metric_key.CopyFrom(key.to_proto())
            failure.metric_threshold.change_threshold.CopyFrom(change(relative=0.1))
        both = {plain: Value(ours), plain.make_baseline_key("baseline"): Value(theirs)}
        slices = {(): both, **dict.fromkeys(of, both)}
        return judge_thresholds(config, slices, validation, lambda one: one.name, small or {})

    shop_of_a = (("shop", "s"), ("town", "A"))
    checks, lost = corrected(0.5, 0.0, tfma_fails=True)
    # A slice that no row has is missing still.
    assert [(one.slice, one.no_slice, one.failed) for one in checks] == [
        ("shop, town = A", True, True),
        ("overall", False, False),
    ]
    assert not lost.validation_ok
    assert not lost.metric_validations_per_slice
    assert [list(one.feature_keys) for one in lost.missing_slices] == [["shop"]]
    _, found = corrected(0.5, 0.0, tfma_fails=True, of=[shop_of_a])
    assert found.validation_ok
    assert not found.missing_slices
    _, worse = corrected(-0.5, -0.4, tfma_fails=False, of=[shop_of_a])
    assert not worse.validation_ok
    of_all, of_slice = worse.metric_validations_per_slice
    (failure,) = of_all.failures
    assert failure.metric_value.double_value.value == pytest.approx(-0.1)
    assert failure.metric_threshold.change_threshold == change(relative=0.1)
    assert len(of_slice.failures) == 1
    _, small = corrected(-0.5, -0.4, False, of=[shop_of_a], small={(): 20, shop_of_a: 20})
    assert small.validation_ok
    _, tfmas = corrected(0.41, 0.4, tfma_fails=True, of=[shop_of_a])
    ((only,),) = ([one.failures for one in tfmas.metric_validations_per_slice],)
    assert [one.message for one in only] == ["TFMA's"]


def test_without_thresholds_tfmas_no_stands() -> None:
    config = json_format.ParseDict(
        {"model_specs": [{"label_key": "late"}]}, config_pb2.EvalConfig()
    )
    for is_ok in (True, False):
        validation = validation_result_pb2.ValidationResult(validation_ok=is_ok)
        _, corrected = judge_thresholds(config, {(): {}}, validation, lambda one: one.name, {})
        assert corrected.validation_ok is is_ok


def test_a_failure_of_a_threshold_that_is_not_known_stays() -> None:
    config = json_format.ParseDict(
        {"model_specs": [{"label_key": "late"}]}, config_pb2.EvalConfig()
    )
    validation = validation_result_pb2.ValidationResult()
    per_slice = validation.metric_validations_per_slice.add()
    per_slice.slice_key.CopyFrom(slicer_lib.serialize_slice_key(()))
    per_slice.failures.add(message="TFMA's").metric_threshold.value_threshold.CopyFrom(FLOOR)
    _, corrected = judge_thresholds(config, {(): {}}, validation, lambda one: one.name, {})
    assert corrected.metric_validations_per_slice == validation.metric_validations_per_slice
    assert not corrected.validation_ok
