"""Signals on the metrics of `evaluation` over labelled rows, against what the gate measured."""

import math
from collections.abc import Iterator, Mapping
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from ...lib.monitoring.quality_record import QualityRecord, QualityRecords
from ...lib.monitoring.signals import Kind, Outcome, Signal
from ...lib.monitoring.span_test import PRIOR_SPANS, SpanTest
from ...lib.registry.evaluation_summary import SliceMetrics
from ...lib.registry.registry import Registry
from ...lib.store import Store
from ...lib.words import name_spans, number, plural
from ..look import Look
from ..loss_tests import equivalent_spans
from . import realised_quality

if TYPE_CHECKING:
    from ..realised_metrics import Measured, Measurement

METRICS = "metrics"
"""Subject of the signal that says why no metric could be judged."""
_LIMIT = NormalDist().inv_cdf(0.95)
# Where nothing else is known, the deviation between spans that is assumed: as a share of the distance to 0 or 1.
_VARIATION = 0.1
# With fewer rows a standard error by the jackknife is none.
_LEAST_ROWS = 200
_MOST_SLICES = 50
# TFMA's jackknife leaves one of 20 groups out at a time.
_MOST_DEGREES = 19


def find_signals(look: Look) -> Iterator[Signal]:
    """Judge the metrics on the newest spans that count in the tests of `realised_quality`.

    A metric such as AUC is no mean over rows, so no bet is made on it. Its error has a part by rows, the jackknife's
    (Efron and Stein, "The jackknife estimate of variance", 1981, as TFMA computes it), and a part by spans, which vary
    beside that: see `span_test`. The probability of a false alarm is spent over the looks: at the k-th span that counts
    1/(k(k+1)) of it, so that all looks together have no more (the union bound; Lan and DeMets, "Discrete sequential
    boundaries for clinical trials", 1983, call it spending). That holds as far as a metric of hundreds of rows is
    normally distributed.
    """
    if not look.label or not look.joined or not look.evaluation.get("metrics_specs"):
        return
    record = QualityRecords(look.store, look.model.version, look.since).read()
    if record is None or not record.sums:
        # `realised_quality` says why.
        return
    summary = Registry(Store(look.store).models_uri).evaluation(look.model.version)
    if not summary:
        meaning = f"the registry keeps no metrics of version {look.model.version}, so nothing can be compared with them"
        yield Signal(Kind.REALISED, METRICS, Outcome.SILENT, meaning)
        return
    spans = [str(span_sums["span"]) for span_sums in record.sums]
    measurement = _measure(look, spans)
    if measurement is None or measurement.rows < _LEAST_ROWS:
        rows = measurement.rows if measurement else 0
        meaning = (
            f"{plural(rows, 'labelled row')} of version {look.model.version} in {name_spans(spans)}, and metrics need "
            f"{_LEAST_ROWS}"
        )
        yield Signal(Kind.REALISED, METRICS, Outcome.SILENT, meaning)
        return
    if measurement.not_covered:
        meaning = f"only TFMA's own pipeline computes {'; '.join(measurement.not_covered)}"
        yield Signal(Kind.REALISED, METRICS, Outcome.SILENT, meaning)
    taken = {baseline.name for baseline in record.baselines}
    names = [name for name in measurement.metrics if name in summary[0].metrics]
    for name in names:
        subject = f"{name} of evaluation" if name in taken else name
        judged = _Judged(look, record, spans, summary, len(names))
        yield judged.signal(subject, name, measurement)


def _measure(look: Look, spans: list[str]) -> "Measurement | None":
    from ..labelled_rows import read_scores
    from ..realised_metrics import measure

    sets = [joined_set for joined_set in look.joined if joined_set.span in spans]

    def make() -> "Measurement | None":
        scores = read_scores(sets, look.model.version, list(slices), look.lists)
        return None if scores is None else measure(scores, look.evaluation, look.label)

    slices: dict[str, None] = {}
    for spec in look.evaluation.get("slicing_specs") or ():
        slices.update(
            dict.fromkeys([*spec.get("feature_keys", ()), *spec.get("feature_values", {})])
        )
    # A run that catches up judges the same labelled rows in each of its looks.
    return look.share(
        ("realised metrics", *((joined_set.span, joined_set.version) for joined_set in sets)), make
    )


def _quantile(probability: float, spans: int) -> float:
    """Return a quantile of Student's t distribution with the degrees of freedom that the error has."""
    from scipy.stats import t

    return float(t.ppf(probability, min(_MOST_DEGREES, spans - 1 + PRIOR_SPANS)))


def _assumed(gate: float, direction: int, variation: float) -> float:
    """Return the deviation between spans that is assumed of a metric."""
    if direction < 0:
        return variation * abs(gate)
    return _VARIATION * (min(gate, 1 - gate) if 0 < gate < 1 else abs(gate))


def between_spans(values: Mapping[str, tuple[float, float]], assumed: float) -> float:
    """Return the standard deviation of a metric between spans, beside that of its rows.

    Args:
        values: Value and standard error by span.
        assumed: What is assumed; it counts as `PRIOR_SPANS` spans.
    """
    state = SpanTest.start(0.0, assumed)
    for span in sorted(values):
        value, error = values[span]
        if math.isfinite(error):
            state = state.plus(np.array(value), np.array(error))
    return float(state.between)


class _Judged:
    """What the metrics of one look are judged by."""

    def __init__(
        self,
        look: Look,
        record: QualityRecord,
        spans: list[str],
        summary: tuple[SliceMetrics, ...],
        metrics: int,
    ) -> None:
        own = look.section("realised_quality")
        self._increase = float(own.get("max_increase", 0.1))
        self._decrease = float(own.get("max_decrease", 0.03))
        count = max(1, len(record.spans))
        alpha = float(own.get("alpha", 0.01)) * realised_quality.METRICS_SHARE / max(1, metrics)
        self._alpha = alpha / (count * (count + 1))
        self._variation = float(own.get("variation", realised_quality.VARIATION))
        self._gate_spans = equivalent_spans(look.model.info.get("eval_spans") or (), spans[-1])
        self._spans = spans
        self._overall = summary[0]
        self._by_slice = {slice_metrics.name: slice_metrics for slice_metrics in summary[1:]}

    def signal(self, subject: str, name: str, measurement: "Measurement") -> Signal:
        """Judge a metric."""
        found = measurement.metrics[name]
        gate = self._overall.metrics[name]
        where = f"on {plural(measurement.rows, 'labelled row')} of {name_spans(self._spans)}"
        if found.undefined or not math.isfinite(found.value):
            why = found.undefined or "it is no number"
            meaning = f"{name} is undefined {where}: {why}"
            return Signal(Kind.REALISED, subject, Outcome.SILENT, meaning, window=self._spans[-1])
        if not math.isfinite(found.error):
            meaning = f"{name} {number(found.value)} {where}; its standard error is not known"
            return Signal(
                Kind.REALISED,
                subject,
                Outcome.SILENT,
                meaning,
                found.value,
                window=self._spans[-1],
            )
        rows = self._overall.rows
        of_gate = found.error * math.sqrt(measurement.rows / rows) if rows else 0.0
        count = max(1, len(found.by_span))
        assumed = _assumed(gate, found.direction, self._variation)
        between = between_spans(found.by_span, assumed)
        # As of losses: what the gate measured counts by its 95 % limit.
        limit = _LIMIT * math.hypot(of_gate, assumed / math.sqrt(self._gate_spans))
        error = math.hypot(found.error, between / math.sqrt(count))
        margin = _quantile(1 - self._alpha, count) * error
        if found.direction > 0:
            allowed = gate - limit - self._decrease * abs(gate)
            bound = allowed - margin
            breached = found.value < bound
        else:
            allowed = gate + limit + self._increase * abs(gate)
            bound = allowed + margin
            breached = found.value > bound
        meaning = f"{name} {number(found.value)} {where}, where the gate measured {number(gate)}"
        if breached:
            meaning += f"; {number(allowed)} is allowed, and chance does not explain the rest"
        return Signal(
            Kind.REALISED,
            subject,
            Outcome.BREACHED if breached else Outcome.OK,
            meaning,
            found.value,
            bound,
            clears_at=allowed,
            window=self._spans[-1],
            evidence={
                **self._evidence(name, found, measurement),
                "allowed": allowed,
                "between_spans": between,
            },
        )

    def _evidence(self, name: str, found: "Measured", measurement: "Measurement") -> dict[str, Any]:
        slices = sorted(found.by_slice.items(), key=lambda item: -item[1][1])[:_MOST_SLICES]
        return {
            "rows": measurement.rows,
            "invalid_rows": measurement.invalid,
            "interval": [found.value - 1.96 * found.error, found.value + 1.96 * found.error],
            "gate": self._overall.metrics[name],
            "gate_rows": self._overall.rows,
            "alpha_of_this_look": self._alpha,
            "spans": self._spans,
            "slices": [
                {
                    "slice": key,
                    "value": value,
                    "rows": rows,
                    "gate": self._by_slice[key].metrics.get(name)
                    if key in self._by_slice
                    else None,
                }
                for key, (value, rows) in slices
            ],
            "by_span": {span: value for span, (value, _) in found.by_span.items()},
            "method": "jackknife and deviation between spans; probability of a false alarm spent over looks",
        }
