"""Skew: columns of the requests, compared with what the champion was trained on."""

from collections.abc import Iterator
from datetime import timedelta

from ...lib.monitoring.signals import Kind, Signal
from ...lib.spans.span_periods import span_periods
from ...lib.statistics.dataset import Dataset
from ...lib.statistics.training_statistics import training_statistics
from ..distances.judge import judge_reference
from ..distances.judge_signals import distance_signal, is_comparable, silent
from ..distances.settings import DriftSettings
from ..distances.window_columns import CYCLES, WindowColumns
from ..look import Look


def find_signals(look: Look) -> Iterator[Signal]:
    """Judge each column against the champion's training data.

    Raises:
        RetrainerError: If the training data is not known, or not in the store any more.
    """
    settings = DriftSettings.of(look.section("drift"))
    if not look.current or not settings.skew:
        return
    window = WindowColumns(look)
    training = look.share(
        ("training", look.model.version),
        lambda: {
            span: Dataset(one) for span, one in training_statistics(look.store, look.model).items()
        },
    )
    names = [name for name in window.names if name not in settings.ignore]
    share = settings.false_alarms / max(len(names), 1)
    is_alike = _shows_variation(list(training), window.length)
    reference = f"the training data of version {look.model.version}"
    for name in names:
        if name in look.broken:
            yield silent(Kind.SKEW, name, f"broken data, no skew: {look.broken[name]}")
            continue
        known = [
            one.columns[name]
            for one in training.values()
            if name in one.columns and one.columns[name].filled
        ]
        current = window.current(name)
        past = window.past(name, f"{Kind.SKEW}/{name}")
        kind = current[0].is_number if current else None
        earlier = [column for column in past.columns if column.is_number == kind]
        reason = is_comparable(current, known, settings, "the training data")
        if reason:
            yield silent(Kind.SKEW, name, reason)
            continue
        distance = judge_reference(
            settings.measure_of(current[0]),
            current,
            earlier,
            known,
            share,
            settings.thresholds.get(name),
            past_shows=past.is_long and len(earlier) >= settings.min_spans,
            reference_shows=is_alike,
        )
        yield distance_signal(Kind.SKEW, name, name, distance, reference, list(training))


def _shows_variation(training: list[str], length: timedelta | None) -> bool:
    """Return whether training spans are as long as the window's, and enough of them for nights or weekends."""
    periods = list(span_periods(training).values()) if training else []
    if not periods or length != periods[0].end - periods[0].start:
        return False
    if length > timedelta(days=1):
        return True
    cycle = timedelta(days=7) if length == timedelta(days=1) else timedelta(days=1)
    return periods[-1].end - periods[0].start >= CYCLES * cycle
