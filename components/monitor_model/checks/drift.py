"""Drift: columns of the requests, compared with the spans before the window."""

from collections.abc import Iterator

from ...lib.monitoring.signals import Kind, Signal
from ..distances.judge import judge_past
from ..distances.judge_signals import distance_signal, is_comparable, silent, too_short
from ..distances.settings import DriftSettings
from ..distances.window_columns import WindowColumns
from ..look import Look


def find_signals(look: Look) -> Iterator[Signal]:
    """Judge each column against the clean spans before the window."""
    if not look.current:
        return
    settings = DriftSettings.of(look.section("drift"))
    window = WindowColumns(look)
    names = [name for name in window.names if name not in settings.ignore]
    share = settings.false_alarms / max(len(names), 1)
    for name in names:
        signal = f"{Kind.DRIFT}/{name}"
        if name in look.broken:
            yield silent(Kind.DRIFT, name, f"broken data, no drift: {look.broken[name]}")
            continue
        current, past = window.current(name), window.past(name, signal)
        threshold = settings.thresholds.get(name)
        reason = is_comparable(current, past.columns, settings, "the spans before") or too_short(
            len(past.columns), past.is_long, settings, threshold
        )
        if reason:
            yield silent(Kind.DRIFT, name, reason)
            continue
        distance = judge_past(
            settings.measure_of(current[0]),
            current,
            past.columns,
            past.seasons,
            window.season,
            share,
            threshold,
        )
        yield distance_signal(
            Kind.DRIFT,
            name,
            name,
            distance,
            f"the {len(past.spans)} clean spans before",
            past.spans,
        )
