"""Quality estimated before labels come: of classifiers by calibrated probabilities, of regressors by a learned loss."""

import math
from collections.abc import Iterator
from typing import Any

from ...lib.errors import RetrainerError
from ...lib.monitoring.signals import Kind, Outcome, Signal
from ...lib.words import did_you_mean, name_spans
from ..estimation.metrics import LESS_IS_BETTER, LIMITS
from ..estimation.quality import DEVIATIONS, MOST_ROWS, Quality, Usual
from ..estimation.rows import Rows
from ..look import Look
from .labels import mature_sets

_CLEARS = 2.0
_MOST_LEFT_OUT = 0.01


def find_signals(look: Look) -> Iterator[Signal]:
    """Judge the estimated quality of the champion's answers, a signal for each metric.

    Raises:
        RetrainerError: If the champion's reference is missing, or a metric can't be estimated.
    """
    settings = look.section("estimated_quality")
    if not settings.get("enabled", True) or not look.current:
        return
    if not look.label:
        yield _silent(
            "quality", "the label's column is unknown, so there is no reference (data.label)", {}
        )
        return
    quality = Quality.of(look)
    rows = quality.reader.of_window(look, look.current, MOST_ROWS)
    evidence = {
        "rows": rows.count,
        "spans": [one.span for one in look.current],
        "reference": {"spans": list(quality.reference.spans), "rows": quality.rows.count},
        "problem": quality.problem,
    }
    metrics = quality.wanted(look)
    fault = _fault(look, quality, rows)
    mature = mature_sets(look)[0][::-1]
    for metric in metrics:
        if quality.estimator is not None and metric not in quality.estimator.metrics:
            known = sorted(quality.estimator.metrics)
            raise RetrainerError(
                f"monitoring.estimated_quality.metrics: '{metric}' can't be estimated of a {quality.problem} model."
                f"{did_you_mean(metric, known)} There are: {', '.join(known)}."
            )
        if fault or quality.estimator is None:
            yield _silent(metric, fault, evidence)
            continue
        if moved := quality.biased(metric) or quality.moved(look, metric, mature):
            yield _silent(metric, moved, evidence)
            continue
        yield _judge(look, quality, metric, rows, evidence)


def _judge(
    look: Look, quality: Quality, metric: str, rows: Rows, evidence: dict[str, Any]
) -> Signal:
    assert quality.estimator is not None
    value = quality.estimator.estimate(metric, rows.inputs, rows.weights)
    if not math.isfinite(value):
        return _silent(
            metric, f"{metric} is not defined: the window has rows of one kind alone", evidence
        )
    usual = quality.usual(look, metric, rows.effective)
    fixed = look.section("estimated_quality").get("bounds", {}).get(metric)
    if not math.isfinite(usual.deviation) and fixed is None:
        why = f"the reference is too small to know how much {metric} varies"
        return _silent(metric, why, evidence)
    worse = 1.0 if metric in LESS_IS_BETTER else -1.0
    low, high = LIMITS.get(metric, (0.0, 1.0))

    def away(deviations: float) -> float:
        return min(high, max(low, usual.mean + worse * deviations * usual.deviation))

    bound = away(DEVIATIONS) if fixed is None else float(fixed)
    clears = away(_CLEARS) if fixed is None else None
    breached = worse * (value - bound) > 0
    error = usual.row / math.sqrt(rows.effective)
    found = {
        **evidence,
        **_details(quality, metric, usual),
        "standard_error": error,
        "interval": [value - DEVIATIONS * error, value + DEVIATIONS * error],
        "left_out": rows.left_out,
    }
    side = "above" if worse > 0 else "below"
    meaning = (
        f"{metric} is estimated to be {value:.4f} ± {DEVIATIONS * error:.4f}, {side} {bound:.4f}, and was "
        f"{usual.mean:.4f} when the model was evaluated"
        if breached
        else f"{metric} is estimated to be {value:.4f} ± {DEVIATIONS * error:.4f}; the bound is {bound:.4f}"
    )
    outcome = Outcome.BREACHED if breached else Outcome.OK
    return Signal(
        Kind.ESTIMATED, metric, outcome, meaning, value, bound, clears, look.window, found
    )


def _details(quality: Quality, metric: str, usual: Usual) -> dict[str, Any]:
    found: dict[str, Any] = {
        "usual": usual.mean,
        "deviation": {
            "by_chance": usual.sampling,
            "between_chunks": usual.chunks,
            "between_earlier_spans": usual.earlier,
        },
    }
    estimator = quality.estimator
    assert estimator is not None
    found["method"] = estimator.method
    for name in ("error", "noise"):
        if hasattr(estimator, name):
            found[f"calibration_{name}"] = getattr(estimator, name)
    if hasattr(estimator, "explained"):
        found["explained_share_of_the_loss"] = estimator.explained(metric)
    return found


def _fault(look: Look, quality: Quality, rows: Rows) -> str:
    """Return why nothing can be estimated in this window; empty if it can."""
    if quality.fault:
        return quality.fault
    assert quality.estimator is not None
    taken = sorted(set(look.broken) & set(quality.reference.features))
    if taken:
        return f"broken data in {', '.join(taken[:3])}: {look.broken[taken[0]]}"
    least = int(look.section("estimated_quality").get("min_rows", 300))
    if rows.count < least:
        spans = name_spans([one.span for one in look.current])
        return f"{spans} has {rows.count:,} rows of the champion with a prediction, and {least:,} are needed"
    if rows.left_out > _MOST_LEFT_OUT * (rows.count + rows.left_out):
        return f"{rows.left_out:,} of {rows.count + rows.left_out:,} rows have no finite prediction"
    return quality.estimator.problem(rows.inputs, rows.weights)


def _silent(subject: str, meaning: str, evidence: dict[str, Any]) -> Signal:
    return Signal(Kind.ESTIMATED, subject, Outcome.SILENT, meaning, evidence=evidence)
