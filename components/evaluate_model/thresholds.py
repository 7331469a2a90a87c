"""Every threshold on every slice that it applies to: passed, failed, or not judged."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2, validation_result_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from ..lib.evaluation.eval_config import BASELINE
from ..lib.evaluation.metric_value import Value
from ..lib.evaluation.slices import OVERALL, SliceKey, slice_name

Threshold: TypeAlias = config_pb2.GenericValueThreshold | config_pb2.GenericChangeThreshold
Values = Mapping[SliceKey, Mapping[metric_types.MetricKey, Value]]


@dataclass(frozen=True)
class Check:
    """One threshold on one slice.

    Attributes:
        metric: The metric's name.
        slice: The slice in words.
        threshold: TFMA's threshold.
        value: The challenger's value, None if the slice or the metric isn't there.
        champion: The champion's value.
        passed: Whether the threshold is met.
        not_judged: Why the threshold neither passes nor fails, such as `8 rows, all with label 0`; empty if it does.
        no_slice: Whether no row is in the slice.
    """

    metric: str
    slice: str
    threshold: Threshold
    value: float | None
    champion: float | None
    passed: bool
    not_judged: str = ""
    no_slice: bool = False

    @property
    def is_change(self) -> bool:
        """Whether it compares with the champion."""
        return isinstance(self.threshold, config_pb2.GenericChangeThreshold)

    @property
    def failed(self) -> bool:
        """Whether the threshold failed."""
        return not self.passed and not self.not_judged


def judge_thresholds(
    config: config_pb2.EvalConfig,
    found: Values,
    validation: validation_result_pb2.ValidationResult,
    names: Callable[[metric_types.MetricKey], str],
    too_small: Mapping[SliceKey, str],
) -> tuple[list[Check], validation_result_pb2.ValidationResult]:
    """Pair every threshold with the slices it applies to, and with TFMA's judgement of it.

    TFMA's result holds failures only; every other threshold passed. Three of its judgements are corrected: it fails
    every threshold on a slice that `min_slice_size` hides; it reads 0 or NaN where a metric is undefined; and it
    divides a relative change by the champion's value, which fails every challenger if that is 0, and turns worse
    into better if it is negative.

    Args:
        config: The config of the evaluation.
        found: Values by slice and TFMA's key.
        validation: TFMA's result.
        names: From TFMA's key to the name of a metric.
        too_small: What hidden slices have too few of, such as `fewer than 20 rows`.

    Returns:
        The checks, failures first, and TFMA's result corrected by them.
    """
    failures = {
        (key, metric, threshold.SerializeToString())
        for key, metric, threshold, _ in _failures(validation)
    }
    thresholds = metric_specs.metric_thresholds_from_metrics_specs(config.metrics_specs, config)
    judged: dict[tuple[SliceKey, metric_types.MetricKey, bytes], Check] = {}
    missing: list[Check] = []
    for key, pairs in thresholds.items():
        if key.model_name == BASELINE:
            continue
        plain = key._replace(is_diff=False)
        for spec, threshold in pairs:
            about = [k for k in found if _applies(spec, k)]
            for slice_key in about:
                place = (slice_key, key, threshold.SerializeToString())
                judged[place] = _check(
                    names(plain),
                    slice_name(slice_key),
                    threshold,
                    found[slice_key].get(plain),
                    found[slice_key].get(plain.make_baseline_key(BASELINE)),
                    place in failures,
                    too_small.get(slice_key, ""),
                )
            if not about and spec is not None:
                missing.append(
                    Check(
                        names(plain),
                        _spec_name(spec),
                        threshold,
                        None,
                        None,
                        False,
                        no_slice=True,
                    )
                )
    checks = sorted(
        [*judged.values(), *missing],
        key=lambda c: (not c.failed, c.passed, c.slice != OVERALL, c.slice),
    )
    return checks, _corrected(validation, judged, found, set(too_small))


def meets_change(
    threshold: config_pb2.GenericChangeThreshold, value: float, champion: float
) -> bool:
    """Return whether a change is as large, or as small, as a threshold requires.

    A relative change is measured by the size of the champion's value. If that is 0, the
    challenger must be better if the threshold requires a gain, else not worse.
    """
    up = 1 if threshold.direction == config_pb2.MetricDirection.HIGHER_IS_BETTER else -1
    gain = up * (value - champion)
    met = True
    if threshold.HasField("absolute"):
        met = gain >= up * threshold.absolute.value
    if threshold.HasField("relative"):
        asked = up * threshold.relative.value
        least = asked * abs(champion)
        # A share of 0 is 0: any gain is enough.
        met = met and (gain > 0 if asked > 0 and not champion else gain >= least)
    return met


def _check(
    metric: str,
    place: str,
    threshold: Threshold,
    value: Value | None,
    champion: Value | None,
    failed: bool,
    too_small: str,
) -> Check:
    passed = not failed
    not_judged = too_small
    theirs = math.nan if champion is None else champion.value
    if not too_small and value is not None and value.undefined:
        not_judged = value.undefined
    elif (
        not too_small
        and value is not None
        and isinstance(threshold, config_pb2.GenericChangeThreshold)
    ):
        if champion is not None and math.isnan(theirs) and not math.isnan(value.value):
            # Because of the champion's predictions, such as a precision without positive ones.
            not_judged = "undefined for the champion"
        elif threshold.HasField("relative") and theirs <= 0:
            passed = meets_change(threshold, value.value, theirs)
    return Check(
        metric=metric,
        slice=place,
        threshold=threshold,
        value=None if value is None else value.value,
        champion=None if champion is None else champion.value,
        passed=passed and not not_judged,
        not_judged=not_judged,
    )


def _corrected(
    validation: validation_result_pb2.ValidationResult,
    judged: Mapping[tuple[SliceKey, metric_types.MetricKey, bytes], Check],
    found: Values,
    too_small: set[SliceKey],
) -> validation_result_pb2.ValidationResult:
    """Return TFMA's result with the failures of the checks only."""
    result = validation_result_pb2.ValidationResult()
    result.CopyFrom(validation)
    del result.metric_validations_per_slice[:]
    by_slice: dict[SliceKey, validation_result_pb2.MetricsValidationForSlice] = {}
    named = set()

    def add(slice_key: SliceKey) -> validation_result_pb2.ValidationFailure:
        if slice_key not in by_slice:
            by_slice[slice_key] = result.metric_validations_per_slice.add()
            by_slice[slice_key].slice_key.CopyFrom(slicer_lib.serialize_slice_key(slice_key))
        return by_slice[slice_key].failures.add()

    for slice_key, metric, threshold, failure in _failures(validation):
        place = (slice_key, metric, threshold.SerializeToString())
        named.add(place)
        if slice_key in too_small or (place in judged and not judged[place].failed):
            continue
        add(slice_key).CopyFrom(failure)
    for place, check in judged.items():
        if check.failed and place not in named and check.value is not None:
            failure = add(place[0])
            failure.metric_key.CopyFrom(place[1].to_proto())
            failure.metric_value.double_value.value = check.value - (check.champion or 0.0)
            failure.metric_threshold.change_threshold.CopyFrom(check.threshold)
    lost = [spec for spec in validation.missing_slices if not any(_applies(spec, k) for k in found)]
    del result.missing_slices[:]
    result.missing_slices.extend(lost)
    result.validation_ok = not (
        by_slice
        or lost
        or result.missing_thresholds
        or (not judged and not validation.validation_ok)
    )
    return result


def _failures(
    validation: validation_result_pb2.ValidationResult,
) -> Iterator[
    tuple[SliceKey, metric_types.MetricKey, Threshold, validation_result_pb2.ValidationFailure]
]:
    for per_slice in validation.metric_validations_per_slice:
        key = slicer_lib.deserialize_slice_key(per_slice.slice_key)
        for failure in per_slice.failures:
            metric = metric_types.MetricKey.from_proto(failure.metric_key)
            yield key, metric, _threshold(failure.metric_threshold), failure


def _applies(spec: config_pb2.SlicingSpec | None, key: SliceKey) -> bool:
    return spec is None or slicer_lib.SingleSliceSpec(spec=spec).is_slice_applicable(key)


def _threshold(threshold: config_pb2.MetricThreshold) -> Threshold:
    if threshold.HasField("value_threshold"):
        return threshold.value_threshold
    return threshold.change_threshold


def _spec_name(spec: config_pb2.SlicingSpec) -> str:
    parts = [*spec.feature_keys, *(f"{k} = {v}" for k, v in sorted(spec.feature_values.items()))]
    return ", ".join(parts) or OVERALL
