"""The checks: the change on all rows, losses on slices, and gaps between slices."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import stats

from ...lib.evaluation.metric_directions import HIGHER
from ...lib.evaluation.paired.differences import PairedDifference
from ...lib.evaluation.slices import OVERALL, SliceKey, slice_name
from ...lib.words import number, plural, signed
from .corrections import adjust
from .settings import GateSettings, PromoteOn, Significance

DEFAULT_MARGIN = 0.01
DEFAULT_RELATIVE_MARGIN = 0.02
LEAST_GROUPS = 10
"""With fewer groups of rows a standard error is itself mostly chance."""

MOST_COMPARED = 1_000
"""Gaps are judged between so many of the largest slices by the same columns: there are half a million pairs of them."""


class Kind(StrEnum):
    """What a check is about."""

    NO_LOSS = "no_loss"
    GAIN = "gain"
    SLICE_LOSS = "slice_loss"
    GAP = "gap"


@dataclass(frozen=True)
class EvidenceCheck:
    """One check on evidence.

    Attributes:
        kind: What it is about.
        metric: The metric's name.
        slice: The slice in words; of a gap, the two slices.
        rows: Rows of the slice.
        challenger: The challenger's value; of a gap, its value on the better slice.
        champion: The champion's value; of a gap, the challenger's value on the worse slice.
        difference: Challenger minus champion; of a gap, the size of the gap.
        low: Lower end of the difference's confidence interval.
        high: Upper end.
        bound: What the difference is held against; of a gap, the largest that is allowed.
        passed: Whether it passed; None where it was not judged.
        reason: Why it failed or was not judged; empty if it passed.
    """

    kind: Kind
    metric: str
    slice: str
    rows: int
    challenger: float
    champion: float
    difference: float
    low: float
    high: float
    bound: float
    passed: bool | None
    reason: str = ""


def judge_differences(
    differences: Sequence[PairedDifference],
    directions: Mapping[str, int],
    settings: GateSettings,
    champion: str,
) -> list[EvidenceCheck]:
    """Judge a challenger's differences from the champion.

    On all rows together the challenger has to show that it is no worse, or better. On a slice, where there are fewer
    rows, a loss has to be shown before it counts: beyond the margin, with the p-values of all slices corrected.

    Args:
        differences: Of each metric on each slice.
        directions: `HIGHER` or `LOWER` by metric.
        settings: The gate's settings, with `significance`.
        champion: The champion's name in messages.

    Returns:
        The checks: all rows first, then slices, then gaps.
    """
    significance = settings.significance
    assert significance is not None
    overall = [difference for difference in differences if not difference.slice_key]
    slices = [difference for difference in differences if difference.slice_key]
    checks = [
        _judge_all_rows(
            paired,
            directions[paired.metric],
            significance,
            champion,
            settings.cluster,
        )
        for paired in overall
    ]
    checks += _judge_slices(slices, directions, settings, significance, champion)
    if settings.slices.max_gap is not None:
        checks += _judge_gaps(slices, directions, settings, significance)
    return checks


def margin_of(one: PairedDifference, direction: int, significance: Significance) -> float:
    """Return the largest loss that counts as none, in the metric's own unit."""
    if significance.margin is not None:
        return significance.margin
    if significance.relative_margin is not None:
        return significance.relative_margin * abs(one.champion)
    if direction == HIGHER:
        return DEFAULT_MARGIN
    return DEFAULT_RELATIVE_MARGIN * abs(one.champion)


def _judge_all_rows(
    one: PairedDifference, direction: int, significance: Significance, champion: str, cluster: str
) -> EvidenceCheck:
    is_gain = significance.promote_on == PromoteOn.GAIN
    bound = 0.0 if is_gain else -direction * margin_of(one, direction, significance)
    low, high = one.interval(significance.confidence if is_gain else _one_sided(significance))
    check = _check(Kind.GAIN if is_gain else Kind.NO_LOSS, one, low, high, bound)
    if not one.undefined and math.isfinite(one.challenger) and not math.isfinite(one.champion):
        # As a change threshold, it is not judged because of the champion's predictions.
        return _with(check, None, _no_evidence(one, cluster))
    if not _has_evidence(one):
        reason = f"{one.metric}: {_no_evidence(one, cluster)}, so nothing is shown about its change"
        return _with(check, False, reason)
    # The end of the interval on the side of a loss.
    worst = low if direction == HIGHER else high
    if direction * (worst - bound) > 0 or (not is_gain and worst == one.difference == 0):
        return _with(check, True)
    return _with(check, False, _explain(check, one, direction, significance, champion))


def _one_sided(significance: Significance) -> float:
    """Return the confidence of the interval whose one end a claim on one side is held against: 0.9 for 0.95.

    That the loss is below a margin is such a claim (non-inferiority); that there is a gain is held to the whole
    interval, as is usual, so that of equal models one in forty is promoted, not one in twenty.
    """
    return 2 * significance.confidence - 1


def _explain(
    check: EvidenceCheck,
    one: PairedDifference,
    direction: int,
    significance: Significance,
    champion: str,
) -> str:
    is_gain = check.kind == Kind.GAIN
    share = number(100 * (significance.confidence if is_gain else _one_sided(significance)))
    interval = f"{share} % interval of the difference {signed_range(check.low, check.high)}"
    values = f"{one.metric} {number(one.challenger, one.champion)} ({champion} {number(one.champion, one.challenger)}"
    allowed = number(abs(check.bound))
    wanted = "a gain" if is_gain else f"that the loss is below {allowed}"
    room = direction * (one.difference - check.bound)
    if room <= 0:
        end = "there is no gain" if is_gain else f"at most {allowed} may be lost"
        return f"{values}, {interval}): {end}"
    reach = abs(one.difference - (check.low if direction == HIGHER else check.high))
    needed = math.ceil(one.rows * (reach / room) ** 2)
    return f"{values}, {interval}) does not show {wanted}; with this difference about {_round(needed)} rows would"


def _judge_slices(
    slices: Sequence[PairedDifference],
    directions: Mapping[str, int],
    settings: GateSettings,
    significance: Significance,
    champion: str,
) -> Iterator[EvidenceCheck]:
    counted = [
        paired
        for paired in slices
        if paired.rows >= settings.slices.min_rows and _has_evidence(paired)
    ]
    chances = [
        _chance_of_loss(
            paired,
            directions[paired.metric],
            margin_of(paired, directions[paired.metric], significance),
        )
        for paired in counted
    ]
    adjusted = dict(
        zip(map(id, counted), adjust(np.array(chances), settings.slices.correction), strict=True)
    )
    for paired in slices:
        direction = directions[paired.metric]
        margin = margin_of(paired, direction, significance)
        low, high = paired.interval(_one_sided(significance))
        check = _check(Kind.SLICE_LOSS, paired, low, high, -direction * margin)
        if id(paired) not in adjusted:
            few = f"{plural(paired.rows, 'row')}, and gate.slices.min_rows is {settings.slices.min_rows:,}"
            yield _with(
                check,
                None,
                few
                if paired.rows < settings.slices.min_rows
                else _no_evidence(paired, settings.cluster),
            )
            continue
        chance = float(adjusted[id(paired)])
        if chance > 1 - significance.confidence:
            yield _with(check, True)
            continue
        yield _with(
            check,
            False,
            f"{paired.metric} {number(paired.challenger, paired.champion)} for {slice_name(paired.slice_key)} is "
            f"{number(abs(paired.difference))} worse than {champion} ({number(paired.champion, paired.challenger)}) on "
            f"{plural(paired.rows, 'row')}, more than the {number(margin)} allowed and more than chance "
            f"(p {_p(chance)}, corrected for {plural(len(counted), 'slice')})",
        )


def _judge_gaps(
    slices: Sequence[PairedDifference],
    directions: Mapping[str, int],
    settings: GateSettings,
    significance: Significance,
) -> Iterator[EvidenceCheck]:
    """Judge the gaps between slices of the same columns, whose rows differ."""
    most = settings.slices.max_gap
    assert most is not None
    groups: dict[tuple[str, tuple[str, ...]], list[PairedDifference]] = defaultdict(list)
    for paired in slices:
        if paired.rows >= settings.slices.min_rows and _has_evidence(paired):
            groups[paired.metric, _columns(paired.slice_key)].append(paired)
    for (metric, columns), members in groups.items():
        largest = sorted(members, key=lambda member: -member.rows)[:MOST_COMPARED]
        if len(largest) > 1:
            level = 1 - significance.confidence
            yield _judge_gap(metric, columns, largest, directions[metric], most, settings, level)


def _judge_gap(
    metric: str,
    columns: Sequence[str],
    members: Sequence[PairedDifference],
    direction: int,
    most: float,
    settings: GateSettings,
    level: float,
) -> EvidenceCheck:
    """Judge the widest gap between some slices, or the widest of those that are too wide and not by chance."""
    first, second = np.triu_indices(len(members), 1)
    values = np.array([member.challenger for member in members])
    squares = np.array([member.challenger_error for member in members]) ** 2
    freedoms = np.array([member.freedom for member in members])
    gaps = np.abs(values[first] - values[second])
    errors = np.sqrt(squares[first] + squares[second])
    freedom = np.minimum(freedoms[first], freedoms[second])
    with np.errstate(all="ignore"):
        beyond = np.where(errors > 0, (gaps - most) / errors, np.copysign(np.inf, gaps - most))
    adjusted = adjust(stats.t.sf(beyond, freedom), settings.slices.correction)
    shown = adjusted <= level
    candidates = np.flatnonzero(shown) if shown.any() else np.arange(len(gaps))
    widest = candidates[np.argmax(gaps[candidates])]
    better, worse = members[first[widest]], members[second[widest]]
    if direction * (better.challenger - worse.challenger) < 0:
        better, worse = worse, better
    gap, failed = float(gaps[widest]), bool(shown[widest])
    reach = float(stats.t.ppf(1 - level, freedom[widest]) * errors[widest])
    reason = (
        f"{metric} is {number(better.challenger, worse.challenger)} for {slice_name(better.slice_key)} and "
        f"{number(worse.challenger, better.challenger)} for {slice_name(worse.slice_key)}: a gap of {number(gap)}, "
        f"more than the {number(most)} allowed and more than chance (p {_p(float(adjusted[widest]))}, corrected for "
        f"{plural(len(gaps), 'pair')} of slices by {' and '.join(columns)})"
    )
    return EvidenceCheck(
        kind=Kind.GAP,
        metric=metric,
        slice=f"{slice_name(better.slice_key)} and {slice_name(worse.slice_key)}",
        rows=better.rows + worse.rows,
        challenger=better.challenger,
        champion=worse.challenger,
        difference=gap,
        low=gap - reach,
        high=gap + reach,
        bound=most,
        passed=not failed,
        reason=reason if failed else "",
    )


def signed_range(low: float, high: float) -> str:
    """Write an interval around a difference, such as `-0.0021 to +0.0043`."""
    return f"{signed(_short(low))} to {signed(_short(high))}"


def _check(
    kind: Kind, one: PairedDifference, low: float, high: float, bound: float
) -> EvidenceCheck:
    return EvidenceCheck(
        kind=kind,
        metric=one.metric,
        slice=slice_name(one.slice_key) if one.slice_key else OVERALL,
        rows=one.rows,
        challenger=one.challenger,
        champion=one.champion,
        difference=one.difference,
        low=low,
        high=high,
        bound=bound,
        passed=None,
    )


def _with(check: EvidenceCheck, passed: bool | None, reason: str = "") -> EvidenceCheck:
    return EvidenceCheck(**{**vars(check), "passed": passed, "reason": reason})


def _has_evidence(one: PairedDifference) -> bool:
    return not one.undefined and one.groups >= LEAST_GROUPS and math.isfinite(one.error)


def _no_evidence(one: PairedDifference, cluster: str) -> str:
    if one.undefined:
        return one.undefined
    if not math.isfinite(one.challenger):
        return "undefined because of the model's predictions; for example, none is positive"
    if not math.isfinite(one.champion):
        return "undefined for the champion"
    if one.groups < LEAST_GROUPS:
        what = f"values of '{cluster}' (gate.cluster)" if cluster else "groups of rows"
        return f"{one.groups} {what}, and an interval needs at least {LEAST_GROUPS}"
    return "it has no value when some of the rows are left out"


def _chance_of_loss(one: PairedDifference, direction: int, margin: float) -> float:
    """Return how likely so large a loss is if the true one is `margin`."""
    if direction == HIGHER:
        return one.chance_of(-margin)
    return 1 - one.chance_of(margin)


def _columns(key: SliceKey) -> tuple[str, ...]:
    return tuple(column for column, _ in key)


def _short(value: float) -> float:
    return round(value, 4) if abs(value) < 1 else value


def _p(chance: float) -> str:
    return "below 0.0001" if chance < 0.0001 else number(chance)


def _round(rows: int) -> str:
    digits = max(len(str(rows)) - 2, 0)
    return f"{round(rows, -digits):,}"
