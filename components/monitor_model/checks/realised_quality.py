"""Signals on the realised quality: losses of labelled rows, tested against the rows that the gate judged on."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...lib.monitoring.maturity import measure_maturity
from ...lib.monitoring.quality_record import LossBaseline, QualityRecord, QualityRecords
from ...lib.monitoring.reference import Reference
from ...lib.monitoring.row_losses import LOSS_WORDS
from ...lib.monitoring.signals import Kind, Outcome, Signal
from ...lib.predictions.joined_sets import JoinedSet
from ...lib.registry.registry import Registry
from ...lib.store import Store
from ...lib.words import name_spans, number, plural
from ..look import Look
from ..loss_tests import (
    LossTestSettings,
    add_span,
    choose_slices,
    clear_alarms,
    problem_of_reference,
    read_test,
    recent,
    start_record,
)
from .labels import mature_sets

LABELS = "labels"
"""Subject of the signal that says why nothing could be judged."""
METRICS_SHARE = 0.5
"""Share of `alpha` that is left to the metrics of `evaluation`, see `realised_metrics`."""
# Of two looks at once one writes first each time.
_TRIES = 20
_Z = 1.96
VARIATION = 0.25
"""Default of `variation`."""


def find_signals(look: Look) -> Iterator[Signal]:
    """Judge the realised quality of the champion.

    Raises:
        RetrainerError: If the rows that the gate judged it on can't be found.
    """
    if not look.label:
        return
    if not look.joined:
        yield _silent("no labels are joined with the predictions (monitoring.labels)")
        return
    ready, waiting = mature_sets(look)
    records = QualityRecords(look.store, look.model.version, look.since)
    if not ready and records.read() is None:
        yield _silent(waiting or "no span since the champion came into service has due labels")
        return
    reference = look.reference()
    record = _advance(look, records, reference, ready)
    if not record.sums:
        yield _silent(f"no row of version {look.model.version} has a label yet")
        return
    for baseline in record.baselines:
        yield _signal(look, record, baseline, waiting)


def _silent(meaning: str) -> Signal:
    return Signal(Kind.REALISED, LABELS, Outcome.SILENT, meaning)


def _settings(look: Look) -> LossTestSettings:
    own = look.section("realised_quality")
    slices: Any = ()
    if own.get("slices", True):
        registry = Registry(Store(look.store).models_uri)
        slices = choose_slices(registry.evaluation(look.model.version))
    return LossTestSettings(
        float(own.get("alpha", 0.01)) * (1 - METRICS_SHARE),
        float(own.get("max_increase", 0.1)),
        float(own.get("variation", VARIATION)),
        int(own.get("spans", 7)),
        slices,
        look.lists,
    )


def _advance(
    look: Look, records: QualityRecords, reference: Reference, ready: list[JoinedSet]
) -> QualityRecord:
    """Count the spans that did not count yet."""
    settings = _settings(look)
    problem = problem_of_reference(reference)
    for _ in range(_TRIES):
        before = records.read()
        is_same = before is not None and before.settings == settings.digest()
        serving = ready[-1].span if ready else ""
        record = before if before and is_same else start_record(reference, settings, serving)
        for joined in ready:
            if joined.span in record.spans:
                continue
            record = add_span(
                record, problem, joined, look.model.version, settings.spans, settings.lists
            )
            record = clear_alarms(record)
        if record == before or records.append(record):
            break
    return record


def _signal(look: Look, record: QualityRecord, one: LossBaseline, waiting: str) -> Signal:
    sums = recent(record, one.name)
    spans = [kept["span"] for kept in record.sums]
    words = LOSS_WORDS[one.loss]
    where = f" of {one.name.partition(' of ')[2]}" if one.slice else ""
    if sums.mean is None:
        what = f"row of version {look.model.version}{where and ' with'}{where.removeprefix(' of')}"
        meaning = f"no {what} in {name_spans(spans)} has a label"
        return Signal(Kind.REALISED, one.name, Outcome.SILENT, meaning, bound=one.allowed)
    test = read_test(record, one.name)
    alarm = record.alarmed.get(one.name)
    error = float(np.hypot(sums.error, float(test.between) / np.sqrt(len(spans))))
    meaning = (
        f"{words}{where} {number(sums.mean)} on {plural(sums.rows, 'labelled row')} of {name_spans(spans)}, where the "
        f"gate's rows had {number(one.mean)} and {number(one.allowed)} is allowed"
    )
    if alarm:
        meaning += f"; spans do not vary so much by chance (found with span {alarm})"
    elif sums.mean > one.allowed:
        meaning += "; spans may vary so much by chance"
    return Signal(
        Kind.REALISED,
        one.name,
        Outcome.BREACHED if alarm else Outcome.OK,
        meaning,
        sums.mean,
        one.allowed,
        window=spans[-1],
        evidence={
            "rows": sums.rows,
            "interval": [max(0.0, sums.mean - _Z * error), sums.mean + _Z * error],
            "baseline": one.mean,
            "baseline_rows": one.rows,
            "baseline_error": one.error,
            "cap": one.cap,
            "between_spans": float(test.between),
            "evidence": float(np.exp(min(float(test.log_evidence), 700.0))),
            "evidence_needed": 1 / one.alpha,
            "labelled_share": _labelled_share(look, spans),
            "spans": spans,
            "spans_counted": len(record.spans),
            "invalid_rows": record.invalid,
            "not_counted": waiting,
            "method": "e-process over the means of all spans since the champion came into service",
        },
    )


def _labelled_share(look: Look, spans: list[str]) -> float | None:
    own = [joined_set for joined_set in look.joined if joined_set.span in spans]
    return measure_maturity(own, look.now).share
