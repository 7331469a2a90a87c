"""The verdict on a challenger, with the numbers behind it."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tensorflow_model_analysis.proto import config_pb2

from ..lib.evaluation.slices import OVERALL
from ..lib.verdicts import Champion
from ..lib.words import number, plural, signed
from .evidence.checks import EvidenceCheck, signed_range
from .prediction_checks import PredictionCheck
from .tfma_results import Evaluation
from .thresholds import Check, meets_change

MOST_REASONS_IN_VERDICT = 2
MOST_REASONS = 100


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger may serve.

    Attributes:
        blessed: Whether it may.
        reasons: Why not, one sentence for each failed threshold; there may be very many, see `listed`.
        summary: The numbers, or the reasons in short.
    """

    blessed: bool
    reasons: tuple[str, ...]
    summary: str

    @property
    def listed(self) -> tuple[str, ...]:
        """The reasons, at most `MOST_REASONS` and how many more there are."""
        if len(self.reasons) <= MOST_REASONS:
            return self.reasons
        return (*self.reasons[:MOST_REASONS], f"and {len(self.reasons) - MOST_REASONS:,} more")

    @property
    def sentence(self) -> str:
        """The verdict in one sentence, which starts with `blessed: ` or `refused: `."""
        return f"{'blessed' if self.blessed else 'refused'}: {self.summary}"


def judge(evaluation: Evaluation, champion: Champion) -> Verdict:
    """Judge a challenger by its thresholds.

    A challenger without any threshold is never blessed, and neither is a first one without a value
    threshold: without a champion nothing else sets a floor. Nor is one whose eval rows all
    have the same label, or one with a metric that has a threshold and no value on all rows
    together. On a single slice such a threshold is not judged: no model could meet or miss it.

    Args:
        evaluation: What TFMA computed, and the thresholds that passed and failed.
        champion: What it was compared with.

    Returns:
        The verdict.
    """
    reasons = []
    checks = evaluation.checks
    if not checks:
        reasons.append(
            "no threshold is set; add a value_threshold or a change_threshold to a metric"
            if champion.exists
            else "no floor: without a champion, at least one metric needs a value_threshold"
        )
    holds = evaluation.overall.holds
    one_label = False
    by_output = {"": holds} if holds is not None else {}
    for output, rows in (evaluation.overall.by_output or by_output).items():
        if rows.low == rows.high:
            one_label = True
            place = f" of output {output}" if output else ""
            reasons.append(
                f"all eval rows have label {number(rows.low)}{place}, so the model can't be evaluated"
            )
    reasons += [explain(check, champion) for check in checks if check.failed]
    open_ = [check for check in checks if check.not_judged]
    if not one_label:
        reasons += dict.fromkeys(
            f"{check.metric} is undefined: {check.not_judged}"
            for check in open_
            if check.slice == OVERALL and math.isnan(check.value or 0.0)
        )
    if open_ and not reasons and not any(check.passed for check in checks):
        reasons.append(f"no threshold could be judged: {_not_judged(evaluation)}")
    if not evaluation.valid and not reasons:
        reasons.append("TFMA's validation failed without naming a threshold")
    blessed = evaluation.valid and not reasons
    return Verdict(blessed, tuple(reasons), _summary(evaluation, champion, blessed, reasons))


def add_evidence(verdict: Verdict, evidence: Sequence[EvidenceCheck], champion: str) -> Verdict:
    """Refuse a challenger whose change against the champion fails the checks on evidence.

    Args:
        verdict: The verdict by the thresholds.
        evidence: The checks; empty if none was asked for, or there is no champion to compare with.
        champion: The champion's name.

    Returns:
        The verdict by both. Its summary has the interval of the first metric's difference.
    """
    failed = [check.reason for check in evidence if check.passed is False]
    if failed:
        reasons = [*verdict.reasons, *failed]
        return Verdict(False, tuple(reasons), _in_short(reasons))
    first = next((check for check in evidence if check.slice == OVERALL), None)
    if first is None or not verdict.blessed:
        return verdict
    interval = f"interval of the change in {first.metric} {signed_range(first.low, first.high)}"
    if first.low == first.high == 0:
        interval = f"{first.metric} equals that of {champion} on every sample of the rows"
    return replace(verdict, summary=f"{verdict.summary}; {interval}")


def add_prediction_checks(verdict: Verdict, checks: Sequence[PredictionCheck]) -> Verdict:
    """Refuse a challenger that answers each row with the same; add warnings to the summary.

    Args:
        verdict: The verdict so far.
        checks: The checks of its predictions.
    """
    failed = [check.reason for check in checks if check.passed is False]
    if failed:
        # What explains the others stands first.
        reasons = (*failed, *verdict.reasons)
        verdict = Verdict(False, reasons, _in_short(reasons))
    warnings = [check.reason for check in checks if check.passed is None]
    return replace(verdict, summary="; ".join([verdict.summary, *warnings]))


def refuse_unfit(reasons: Sequence[str]) -> Verdict:
    """Refuse a challenger whose predictions can't be judged.

    Args:
        reasons: Why they can't.
    """
    reasons = tuple(reason.rstrip(".") for reason in reasons)
    return Verdict(False, reasons, _in_short(reasons))


def explain(check: Check, champion: Champion) -> str:
    """Describe a failed threshold: what is required, and the value.

    Args:
        check: A threshold that failed.
        champion: What a change was measured against.

    Returns:
        A clause without a full stop.
    """
    place = "" if check.slice == OVERALL else f" for {check.slice}"
    if check.value is None:
        if check.no_slice:
            return f"{check.metric} has a threshold for {check.slice}, which has no eval rows"
        return f"{check.metric} has a threshold, but is not computed{place}"
    if math.isnan(check.value):
        # Where no model has a value, the threshold is not judged: see `undefined`.
        return (
            f"{check.metric} is undefined (NaN){place} because of the model's predictions; for example, "
            "none is positive"
        )
    if isinstance(check.threshold, config_pb2.GenericValueThreshold):
        return _explain_value(check, place)
    return _explain_change(check, place, champion)


def rule(threshold: config_pb2.GenericValueThreshold | config_pb2.GenericChangeThreshold) -> str:
    """Format a threshold as a short condition.

    Returns:
        Such as `0.7 or more`, or `change of -0.01 or more`.
    """
    if isinstance(threshold, config_pb2.GenericValueThreshold):
        lower, upper = threshold.HasField("lower_bound"), threshold.HasField("upper_bound")
        if lower and upper:
            return f"{number(threshold.lower_bound.value)} to {number(threshold.upper_bound.value)}"
        if lower:
            return f"{number(threshold.lower_bound.value)} or more"
        return f"{number(threshold.upper_bound.value)} or less"
    side = "more" if _higher(threshold) else "less"
    parts = []
    if threshold.HasField("absolute"):
        parts.append(f"change of {signed(threshold.absolute.value)} or {side}")
    if threshold.HasField("relative"):
        parts.append(f"change of {signed(100 * threshold.relative.value)} % or {side}")
    return " and ".join(parts)


def difference(value: float) -> str:
    """Format a difference with four decimals."""
    return signed(round(value, 4) if abs(value) < 1 else value)


def _higher(threshold: config_pb2.GenericChangeThreshold) -> bool:
    return threshold.direction == config_pb2.MetricDirection.HIGHER_IS_BETTER


def _explain_value(check: Check, place: str) -> str:
    assert check.value is not None
    threshold = check.threshold
    if threshold.HasField("lower_bound") and check.value < threshold.lower_bound.value:
        bound, side = threshold.lower_bound.value, "below"
    else:
        bound, side = threshold.upper_bound.value, "above"
    return (
        f"{check.metric} {number(check.value, bound)}{place} is {side} {number(bound, check.value)}"
    )


def _explain_change(check: Check, place: str, champion: Champion) -> str:
    assert check.value is not None
    if check.champion is None:
        return f"{check.metric}{place} can't be compared: the champion has no value"
    change, threshold = check.value - check.champion, check.threshold
    required = []
    if threshold.HasField("absolute") and not _reaches(change, threshold.absolute.value, threshold):
        required.append(_required(threshold.absolute.value, number, threshold))
    if threshold.HasField("relative"):
        alone = config_pb2.GenericChangeThreshold(direction=threshold.direction)
        alone.relative.CopyFrom(threshold.relative)
        if not meets_change(alone, check.value, check.champion):
            required.append(_required_share(threshold, check.champion))
    if not required:
        # TFMA subtracts before it rounds; at the bound the two may disagree.
        required.append(f"but a {rule(threshold)} is required")
    return (
        f"{check.metric} {number(check.value, check.champion)}{place} is {_standing(change)} "
        f"{champion.name} ({number(check.champion, check.value)}), {' and '.join(required)}"
    )


def _standing(change: float) -> str:
    distance = number(round(abs(change), 4) or abs(change))
    if change > 0:
        return f"{distance} above"
    return f"{distance} below" if change < 0 else "equal to"


def _reaches(value: float, bound: float, threshold: config_pb2.GenericChangeThreshold) -> bool:
    return value >= bound if _higher(threshold) else value <= bound


def _required(bound: float, write: object, threshold: config_pb2.GenericChangeThreshold) -> str:
    text = write(abs(bound))  # type: ignore[operator]
    gain, worse, better = _sides(bound, threshold)
    if gain > 0:
        return f"but must be {text} {better}"
    return f"but at most {text} {worse} is allowed" if gain < 0 else f"but must not be {worse}"


def _required_share(threshold: config_pb2.GenericChangeThreshold, champion: float) -> str:
    """Describe a required relative change; if the champion has 0, only its direction."""
    share = threshold.relative.value
    if champion:
        return _required(share, lambda v: f"{100 * v:.4g}%", threshold)
    gain, worse, better = _sides(share, threshold)
    return f"but must be {better}" if gain > 0 else f"but must not be {worse}"


def _sides(bound: float, threshold: config_pb2.GenericChangeThreshold) -> tuple[float, str, str]:
    """Return a bound as a gain, and the words for worse and better."""
    return (bound, "below", "above") if _higher(threshold) else (-bound, "above", "below")


def _not_judged(evaluation: Evaluation) -> str:
    """Describe in short where no threshold was judged."""
    parts = []
    small = Counter(result.too_small for result in evaluation.slices if result.too_small)
    parts += [f"{plural(count, 'slice')} with {few}" for few, count in small.items()]
    names = {result.name for result in evaluation.slices if result.too_small}
    rest = [c for c in evaluation.checks if c.not_judged and c.slice not in names]
    rest = list({(c.metric, c.slice): c for c in rest}.values())
    if rest:
        first = rest[0]
        place = "" if first.slice == OVERALL else f" for {first.slice}"
        parts.append(f"{first.metric}{place} ({first.not_judged})")
    if len(rest) > 1:
        parts.append(f"{len(rest) - 1:,} more")
    return ", ".join(parts)


def _summary(
    evaluation: Evaluation, champion: Champion, blessed: bool, reasons: Sequence[str]
) -> str:
    if not blessed:
        return _in_short(reasons)
    overall = evaluation.overall
    name = next(check.metric for check in evaluation.checks if check.passed)
    value = overall.challenger.get(name)
    parts = []
    if value is not None:
        theirs = overall.champion.get(name)
        beside = (
            f"{champion.name} {number(theirs.value)}, {difference(value.value - theirs.value)}"
            if theirs is not None
            else champion.absence
        )
        parts.append(f"{name} {number(value.value)} ({beside})")
    if overall.rows is not None:
        parts.append(f"{overall.rows:,} rows")
    count = len(evaluation.slices)
    parts.append(plural(count, "slice"))
    left = _not_judged(evaluation)
    return ", ".join(parts) + (f"; not judged: {left}" if left else "")


def _in_short(reasons: Sequence[str]) -> str:
    more = len(reasons) - MOST_REASONS_IN_VERDICT
    text = "; ".join(reasons[:MOST_REASONS_IN_VERDICT])
    return text + (f"; and {more:,} more" if more > 0 else "")
