"""Signals on the labels: which share of the predictions has one in time, and whether some cases get none."""

from collections.abc import Iterator
from datetime import datetime

from ...lib.monitoring.maturity import Difference, find_differences, is_all_due, measure_maturity
from ...lib.monitoring.signals import Kind, Outcome, Signal
from ...lib.predictions.joined_sets import JoinedSet
from ...lib.predictions.prediction_sets import PREDICT_BATCH
from ...lib.spans.span_periods import span_periods
from ...lib.words import percent
from ..look import Look

SHARE, SELECTION = "share of labels", "selection of labels"
"""Subjects of the signals. They have spaces, so that hardly a column has their name."""
# By chance alone a bin differs so much in one of a thousand spans.
LEAST_P_VALUE = 0.001
_SETTING = "monitoring.labels.delay_seconds"


def find_signals(look: Look) -> Iterator[Signal]:
    """Judge the labels of the newest span whose labels are due."""
    if not look.joined:
        return
    yield _share(look)
    yield from _selection(look)


def due_sets(look: Look) -> list[JoinedSet]:
    """Return the spans that are over and whose labels are all due, newest first."""
    over = {prediction_set.span for prediction_set in look.feed.sets}
    delay = _delay(look) or 0.0
    return [
        joined_set
        for joined_set in look.joined
        if joined_set.span in over and is_all_due(joined_set, look.now, delay)
    ]


def why_immature(look: Look, joined: JoinedSet) -> str:
    """Return why the labels of a span whose labels are due can't be judged on; empty if they can."""
    if few := why_too_few(look, joined):
        return few
    for difference in _selected(look, joined):
        return _describe(difference, joined.span)
    return ""


def why_too_few(look: Look, joined: JoinedSet) -> str:
    """Return why too few predictions of a span have a label; empty if enough have."""
    least = float(look.section("labels").get("min_labelled", 0.5))
    share = measure_maturity([joined], look.now).share
    if share is None:
        return f"span {joined.span} has no prediction that a label can come for"
    if share < least:
        return (
            f"{percent(share)} of the predictions of span {joined.span} have their label, and {percent(least)} is the "
            "minimum (monitoring.labels.min_labelled)"
        )
    return ""


def mature_sets(look: Look) -> tuple[list[JoinedSet], str]:
    """Return the spans since the champion came into service whose labels can be judged on.

    A span that ended before is among them if batch prediction scored it since, and it is newer than what the champion
    has seen. Answers to broken data say nothing of the model, so those spans are left out: their labels come when the
    data is whole again, and would start a retrain for a breakage that is over.

    Returns:
        The spans, oldest first, and why the newest whose labels are due is not among them; empty if it is.
    """
    mature, waiting = [], ""
    scored = _scored_since(look)
    for due_set in reversed(due_sets(look)):
        newest = due_set.newest
        if newest is not None and newest <= look.since and due_set.span not in scored:
            continue
        waiting = _why_broken(look, due_set) or why_immature(look, due_set)
        if not waiting:
            mature.append(due_set)
    return mature, waiting


def _scored_since(look: Look) -> set[str]:
    """Return the spans that batch prediction scored with the champion since it serves, newer than what it has seen.

    What it was trained on says nothing of its quality, and what is older may be another world.
    """
    newest = look.model.newest_span
    known = span_periods([newest]).get(newest)
    if known is None:
        return set()
    return {
        predictions.span
        for predictions in look.feed.sets
        if predictions.writer == PREDICT_BATCH
        and predictions.model_version == look.model.version
        and datetime.fromisoformat(predictions.scored) >= look.since
        and predictions.span in look.feed.periods
        and look.feed.periods[predictions.span].start >= known.end
    }


def _why_broken(look: Look, joined: JoinedSet) -> str:
    broken = [name for name, spans in look.broken_before.items() if joined.span in spans]
    if joined.span in {prediction_set.span for prediction_set in look.current}:
        broken = list(look.broken)
    return f"the data of span {joined.span} was broken ({', '.join(broken[:3])})" if broken else ""


def _delay(look: Look) -> float | None:
    """Return how long after a prediction its label is expected; None if nobody has said so."""
    seconds = look.section("labels").get("delay_seconds")
    return None if seconds is None else float(seconds)


def _share(look: Look) -> Signal:
    delay = _delay(look)
    least = float(look.section("labels").get("min_labelled", 0.5))
    maturity = measure_maturity(look.joined[: _spans(look)], look.now, delay)
    evidence = {
        "rows": maturity.rows,
        "labelled": maturity.labelled,
        "due": maturity.due,
        "late": maturity.late,
        "by_age": [
            [age_share.age, age_share.rows, age_share.labelled] for age_share in maturity.by_age
        ],
    }
    due = due_sets(look)
    if not due:
        meaning = "no span is old enough for its labels to be expected"
        return Signal(Kind.DATA, SHARE, Outcome.SILENT, meaning, bound=least, evidence=evidence)
    share = measure_maturity(due[:1], look.now, delay).share
    if share is None:
        meaning = f"span {due[0].span} has no prediction that a label can come for"
        return Signal(Kind.DATA, SHARE, Outcome.SILENT, meaning, bound=least, evidence=evidence)
    below = share < least
    meaning = (
        f"{percent(share)} of the predictions of span {due[0].span} have their label, "
        f"{'less than' if below else 'at least'} {percent(least)}"
    )
    outcome = Outcome.OK
    if below:
        outcome = Outcome.SILENT if delay is None else Outcome.BREACHED
    if outcome == Outcome.SILENT:
        meaning += f"; nothing says when labels are late ({_SETTING})"
    return Signal(
        Kind.DATA,
        SHARE,
        outcome,
        meaning,
        share,
        least,
        window=due[0].span,
        evidence=evidence,
    )


def _selection(look: Look) -> Iterator[Signal]:
    most = float(look.section("labels").get("max_difference", 0.1))
    delay = _delay(look)
    due = due_sets(look)
    if not due:
        return
    if delay is None and why_too_few(look, due[0]):
        meaning = f"labels of span {due[0].span} may still come: nothing says when they are late ({_SETTING})"
        yield Signal(Kind.DATA, SELECTION, Outcome.SILENT, meaning, bound=most, window=due[0].span)
        return
    found = find_differences(due[0], look.now, delay or 0.0)
    if not found:
        rows = due[0].rows
        meaning = f"span {due[0].span} has {'labels for all' if rows else 'no labels for its'} predictions"
        outcome = Outcome.OK if rows else Outcome.SILENT
        yield Signal(Kind.DATA, SELECTION, outcome, meaning, bound=most, window=due[0].span)
        return
    worst = max(
        found, key=lambda difference: (difference.p_value < LEAST_P_VALUE, difference.distance)
    )
    breached = _is_selected(worst, most)
    meaning = (
        _describe(worst, due[0].span)
        if breached
        else f"predictions of span {due[0].span} with a label are like all: '{worst.column}' differs by "
        f"{worst.distance:.3f}"
    )
    yield Signal(
        Kind.DATA,
        SELECTION,
        Outcome.BREACHED if breached else Outcome.OK,
        meaning,
        worst.distance,
        most,
        window=due[0].span,
        evidence={
            difference.column: [
                difference.distance,
                difference.p_value,
                difference.bin,
                difference.labelled,
                difference.rows,
            ]
            for difference in found
        },
    )


def _selected(look: Look, joined: JoinedSet) -> list[Difference]:
    most = float(look.section("labels").get("max_difference", 0.1))
    return [
        difference
        for difference in find_differences(joined, look.now, 0)
        if _is_selected(difference, most)
    ]


def _is_selected(one: Difference, most: float) -> bool:
    return one.distance > most and one.p_value < LEAST_P_VALUE


def _describe(one: Difference, span: str) -> str:
    return (
        f"labels come for some predictions of span {span} only: the distribution of '{one.column}' differs by "
        f"{one.distance:.3f} between rows with a label and all rows, most at '{one.bin}'"
    )


def _spans(look: Look) -> int:
    return int(look.section("realised_quality").get("spans", 7))
