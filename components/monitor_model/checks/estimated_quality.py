"""Quality estimated before labels come: of classifiers by calibrated probabilities, of regressors by a learned loss."""

import math
from collections.abc import Iterator
from typing import Any

from ...lib.errors import RetrainerError
from ...lib.monitoring.signals import Kind, Outcome, Signal
from ...lib.words import did_you_mean, name_spans
from ..estimation.metrics import LESS_IS_BETTER
from ..estimation.quality import Quality
from ..estimation.rows import Rows
from ..estimation.usual import DEVIATIONS, Bound
from ..look import Look
from .labels import mature_sets

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
            "quality", "no single label is known (data.label), so there is no reference", {}
        )
        return
    quality = Quality.of(look)
    rows = quality.reader.of_window(look, look.current, quality.most_rows)
    evidence = {
        "rows": rows.count,
        "spans": [prediction_set.span for prediction_set in look.current],
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
    baseline = quality.baseline(metric)
    fixed = look.section("estimated_quality").get("bounds", {}).get(metric)
    bound = baseline.bound(rows.effective, quality.earlier(look, metric))
    if bound is None and fixed is None:
        why = f"the reference is too small to know how much {metric} varies"
        return _silent(metric, why, evidence)
    limit = float(fixed) if bound is None or fixed is not None else bound.value
    clears = None if bound is None or fixed is not None else bound.clears_at
    worse = 1.0 if metric in LESS_IS_BETTER else -1.0
    breached = worse * (value - limit) > 0
    error = baseline.row / math.sqrt(rows.effective)
    found = {
        **evidence,
        **_details(quality, metric, bound, rows.effective),
        "standard_error": error,
        "interval": [value - DEVIATIONS * error, value + DEVIATIONS * error],
        "left_out": rows.left_out,
    }
    estimate = f"{metric} is estimated to be {value:.4f} ± {DEVIATIONS * error:.4f}"
    before = "" if bound is None else f"; {bound.null.source} had {bound.null.mean:.4f}"
    side = "above" if worse > 0 else "below"
    meaning = (
        f"{estimate}, {side} {limit:.4f}{before}"
        if breached
        else f"{estimate}; the bound is {limit:.4f}"
    )
    outcome = Outcome.BREACHED if breached else Outcome.OK
    return Signal(
        Kind.ESTIMATED, metric, outcome, meaning, value, limit, clears, look.window, found
    )


def _details(quality: Quality, metric: str, bound: Bound | None, rows: float) -> dict[str, Any]:
    baseline = quality.baseline(metric)
    found: dict[str, Any] = {
        "on_the_reference": baseline.real,
        "deviation_of_labelled_chunks": baseline.of_reference(rows).deviation,
    }
    if bound is not None:
        found["usual"] = {
            "from": bound.null.source,
            "mean": bound.null.mean,
            "deviation": bound.null.deviation,
            "count": bound.null.count,
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
        spans = name_spans([prediction_set.span for prediction_set in look.current])
        return f"{spans} has {rows.count:,} rows of the champion with a prediction, and {least:,} are needed"
    if rows.left_out > _MOST_LEFT_OUT * (rows.count + rows.left_out):
        return f"{rows.left_out:,} of {rows.count + rows.left_out:,} rows have no finite prediction"
    return quality.estimator.problem(rows.inputs, rows.weights)


def _silent(subject: str, meaning: str, evidence: dict[str, Any]) -> Signal:
    return Signal(Kind.ESTIMATED, subject, Outcome.SILENT, meaning, evidence=evidence)
