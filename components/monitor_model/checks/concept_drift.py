"""Concept drift: a change of the error of labelled rows, in the order of time.

ADWIN decides, and the error must have risen by more than spans vary. Page-Hinkley and DDM are evidence beside it: with
the defaults of their papers they alarm on streams without any change (8 and 0.2 times in 200 spans of 1,000 rows, and
with weekends Page-Hinkley 21 times), and two of three would with them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ...lib.digests import digest_value
from ...lib.errors import RetrainerError
from ...lib.monitoring.reference import Reference
from ...lib.monitoring.row_losses import ABSOLUTE, SQUARED, ZERO_ONE, Problem, problem_of, row_loss
from ...lib.monitoring.signals import Kind, Outcome, Signal
from ...lib.predictions.joined_sets import JoinedSet
from ...lib.predictions.joined_table import LABEL, read_joined
from ...lib.predictions.prediction_table import prediction_columns
from ...lib.store import Store
from ...lib.uris import read_json, write_json
from ...lib.words import plural
from ..error_stream import Errors, ErrorStream, Rise, common_spans
from ..look import Look
from .labels import mature_sets

ERROR = "error of labelled rows"
"""The signal's subject."""
FORMAT = 1
MOST_SPAN_ROWS = 100_000
"""Of a span with more labelled rows so many are taken, evenly."""
MOST_REFERENCE_ROWS = 10_000
KEPT_STATES = 14
"""So many states are kept, each after one more span: labels that come late are counted where they belong."""
_TAIL, _WORST = 0.99, 0.8
_WORDS = {"page_hinkley": "Page-Hinkley", "ddm": "DDM"}


def find_signals(look: Look) -> Iterator[Signal]:
    """Judge whether the error of the champion's rows has risen.

    Raises:
        RetrainerError: If the champion's reference is missing.
    """
    if not look.section("concept_drift").get("enabled", True) or not look.label:
        return
    sets, waiting = mature_sets(look)
    if not sets:
        why = waiting or "no span since the champion came into service has labels that are due"
        yield Signal(Kind.CONCEPT, ERROR, Outcome.SILENT, why)
        return
    stream = _advance(look, sets)
    least = int(look.section("concept_drift").get("min_rows", 300))
    if stream.rows < least:
        meaning = f"{stream.rows:,} labelled rows of version {look.model.version}, and {least:,} are needed"
        yield Signal(Kind.CONCEPT, ERROR, Outcome.SILENT, meaning)
        return
    yield _signal(stream)


def _signal(stream: ErrorStream) -> Signal:
    rise = stream.rise()
    breached = stream.alarm is not None and rise.present > rise.bound
    newest = next(span.span for span in reversed(stream.spans) if span.rows)
    others = [_WORDS[name] for name, span in sorted(stream.found.items()) if span]
    evidence: dict[str, Any] = {
        "method": "ADWIN",
        "usual": rise.usual,
        "deviation_of_a_span": rise.deviation,
        "rows": stream.rows,
        "spans": len(stream.spans),
        "window_rows": stream.adwin.width,
        "alarm": None
        if stream.alarm is None
        else {
            "span": stream.alarm.span,
            "before": stream.alarm.before,
            "after": stream.alarm.after,
        },
        "others": dict(stream.found),
    }
    return Signal(
        Kind.CONCEPT,
        ERROR,
        Outcome.BREACHED if breached else Outcome.OK,
        _meaning(stream, rise, breached, others),
        rise.present,
        rise.bound,
        min(rise.bound, (rise.usual + rise.bound) / 2),
        newest,
        evidence,
    )


def _meaning(stream: ErrorStream, rise: Rise, breached: bool, others: Sequence[str]) -> str:
    spans = plural(rise.spans, "span") if rise.spans > 1 else "span"
    present = f"the mean loss of the newest {spans} with labels is {rise.present:.4f}"
    if breached:
        assert stream.alarm is not None
        too = f"; {' and '.join(others)} found one, too" if others else ""
        return (
            f"the error has risen since span {stream.alarm.span} (ADWIN): {present}, above {rise.bound:.4f}, and was "
            f"{rise.usual:.4f} before{too}"
        )
    if stream.alarm is not None:
        return (
            f"ADWIN found a rise in span {stream.alarm.span}, within what spans vary by: {present}; the bound is "
            f"{rise.bound:.4f}"
        )
    return f"no rise of the error: {present}, {rise.usual:.4f} is usual"


def _advance(look: Look, sets: Sequence[JoinedSet]) -> ErrorStream:
    """Bring the detectors to the newest of the spans, from the newest state that is still true."""
    reference = look.reference()
    delta = float(look.section("concept_drift").get("delta", 0.002))
    place = Store(look.store).error_stream_uri(look.model.version)
    made_of = digest_value(
        [FORMAT, look.model.version, look.since.isoformat(), reference.table.version, delta]
    )
    states = _read_states(place, str(made_of))
    wanted = [(joined_set.span, joined_set.version) for joined_set in sets]
    # Spans that are older than the oldest state that is kept have gone through, whatever became of them since.
    kept = [state for state in states if common_spans(state.spans, wanted) == len(state.spans)]
    problem = problem_of(reference.labels, reference.predictions)
    errors = ErrorReader(problem, reference)
    if kept:
        stream = kept[-1]
        left = sets[len(stream.spans) :]
    elif states:
        stream = states[0]
        gone = {span.span for span in stream.spans}
        left = [joined_set for joined_set in sets if joined_set.span not in gone]
        kept = [stream]
    else:
        stream = ErrorStream.start(errors.of_reference(), delta)
        left, kept = list(sets), [stream]
    if not left and states and stream == states[-1]:
        return stream
    for joined_set in left:
        stream = stream.add(
            joined_set.span, joined_set.version, errors.of_joined(joined_set, look.model.version)
        )
        kept.append(stream)
    content = {
        "format": FORMAT,
        "made_of": made_of,
        "states": [one.content() for one in kept[-KEPT_STATES:]],
    }
    write_json(place, content)
    return stream


def _read_states(place: str, made_of: str) -> list[ErrorStream]:
    """Read the states after the newest spans, oldest first; none if they are of something else."""
    # Only a shortcut: without it, or with one that is damaged, every span goes through again.
    with suppress(FileNotFoundError, RetrainerError, KeyError, TypeError, ValueError):
        content: Mapping[str, Any] = read_json(place)
        if content["format"] == FORMAT and content["made_of"] == made_of:
            return [ErrorStream.of(state) for state in content["states"]]
    return []


class ErrorReader:
    """Computes the errors of rows: losses between 0 and 1, and which rows are wrong.

    Of classifiers the loss is the squared difference of probabilities and label (Brier), which also knows rare classes
    that the share of wrong rows does not; without probabilities it is 0 or 1. Of a number it is the absolute error as a
    share of the reference's 99th percentile, and a row is wrong if its error is above the 80th.
    """

    def __init__(self, problem: Problem, reference: Reference) -> None:
        """Learn the scale of the errors of the reference.

        Args:
            problem: What the model predicts.
            reference: The reference rows.
        """
        self._problem = problem
        self._reference = reference
        self._cap = self._worst = 0.0
        if problem == Problem.NUMBER:
            error = row_loss(ABSOLUTE, problem, reference.labels, reference.predictions)
            finite = error[np.isfinite(error)]
            if len(finite):
                self._cap, self._worst = (
                    float(np.quantile(finite, one)) for one in (_TAIL, _WORST)
                )

    def of_reference(self) -> Errors:
        """Return the errors of the reference, evenly chosen."""
        chosen = _evenly(self._reference.rows, MOST_REFERENCE_ROWS)
        return self._errors(self._reference.labels[chosen], self._reference.predictions[chosen])

    def of_joined(self, joined: JoinedSet, version: int) -> Errors:
        """Read the errors of a version's labelled rows in the order of time.

        Args:
            joined: The span.
            version: Number of the version.
        """
        outputs = prediction_columns(
            1 if self._reference.predictions.ndim == 1 else self._reference.predictions.shape[1]
        )
        columns = ["model_version", "occurred_at", LABEL, *outputs]
        times, labels, predictions = [], [], []
        for batch in read_joined(joined, columns):
            versions = np.asarray(batch.column(0).fill_null(version))
            own = versions == version
            times.append(np.asarray(batch.column(1).cast("int64").fill_null(0))[own])
            labels.append(
                np.asarray(batch.column(2).cast("float64").to_numpy(zero_copy_only=False))[own]
            )
            each = [batch.column(3 + n).to_numpy(zero_copy_only=False) for n in range(len(outputs))]
            predictions.append(np.stack(each, axis=1)[own].astype(np.float64))
        if not labels:
            return Errors(np.zeros(0), np.zeros(0, np.int64))
        order = np.argsort(np.concatenate(times), kind="stable")
        chosen = order[_evenly(len(order), MOST_SPAN_ROWS)]
        values = np.concatenate(predictions)[chosen]
        return self._errors(
            np.concatenate(labels)[chosen], values[:, 0] if len(outputs) == 1 else values
        )

    def _errors(self, labels: np.ndarray, predictions: np.ndarray) -> Errors:
        if self._problem == Problem.NUMBER:
            error = row_loss(ABSOLUTE, self._problem, labels, predictions)
            error = error[np.isfinite(error)]
            loss = np.minimum(error / self._cap, 1) if self._cap else (error > 0).astype(np.float64)
            return Errors(loss, (error > self._worst).astype(np.int64))
        wrong = row_loss(ZERO_ONE, self._problem, labels, predictions)
        if self._problem == Problem.BINARY:
            loss = row_loss(SQUARED, Problem.NUMBER, labels, predictions)
        elif self._problem == Problem.CLASSES:
            classes = labels[:, None] == np.arange(predictions.shape[1])
            loss = ((predictions - classes) ** 2).sum(axis=1) / 2
        else:
            loss = wrong
        known = np.isfinite(wrong) & np.isfinite(loss)
        return Errors(np.minimum(loss[known], 1), wrong[known].astype(np.int64))


def _evenly(rows: int, most: int) -> np.ndarray:
    count = min(rows, most)
    return np.arange(count, dtype=np.int64) * rows // max(1, count)
