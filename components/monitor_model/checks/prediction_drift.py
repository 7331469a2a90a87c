"""Drift of predictions: compared with those on the evaluation split, and with those of the spans before."""

from collections.abc import Iterator

from ...lib.monitoring.signals import Kind, Signal
from ...lib.statistics.dataset import Column, Dataset
from ...lib.statistics.prediction_statistics import output_statistics
from ..distances.judge import judge_past, judge_reference
from ..distances.judge_signals import distance_signal, is_comparable, silent, too_short
from ..distances.settings import DriftSettings
from ..distances.window_columns import Past, WindowColumns
from ..look import Look

OVER_TIME = " over time"
"""Behind the name of a column of predictions: the subject of its drift from the spans before."""


def find_signals(look: Look) -> Iterator[Signal]:
    """Judge the champion's predictions against its reference rows, and against its earlier predictions.

    Raises:
        RetrainerError: If the reference rows are missing.
    """
    settings = DriftSettings.of(look.section("drift"))
    if not look.current or not settings.predictions:
        return
    window = WindowColumns(look)
    names = [name for name in window.outputs if name not in settings.ignore]
    # Each is judged twice.
    share = settings.false_alarms / max(2 * len(names), 1)
    for name in names:
        kind, over_time = Kind.PREDICTION_DRIFT, f"{name}{OVER_TIME}"
        if look.broken:
            why = f"broken data, no drift of predictions: {next(iter(look.broken.values()))}"
            yield silent(kind, name, why)
            yield silent(kind, over_time, why, name)
            continue
        current = window.current_output(name)
        past = window.past_output(name, f"{kind}/{name}")
        yield _from_reference(look, settings, name, current, past, share)
        past = window.past_output(name, f"{kind}/{over_time}")
        yield _over_time(settings, name, current, past, window.season, share)


def _from_reference(
    look: Look,
    settings: DriftSettings,
    name: str,
    current: list[Column],
    past: Past,
    share: float,
) -> Signal:
    kind = Kind.PREDICTION_DRIFT
    if not look.label:
        why = "no single label is known (data.label), so there are no predictions to compare with"
        return silent(kind, name, why)
    reference = look.reference()
    version = look.model.version
    known = Dataset(output_statistics(reference.table, version)).columns
    columns = [known[name]] if name in known and known[name].filled else []
    if why := is_comparable(current, columns, settings, "the predictions on the evaluation split"):
        return silent(kind, name, why)
    distance = judge_reference(
        settings.measure_of(current[0]),
        current,
        past.columns,
        columns,
        share,
        settings.thresholds.get(name),
        past_shows=past.is_long and len(past.columns) >= settings.min_spans,
    )
    words = f"the predictions of version {version} on its evaluation split"
    return distance_signal(kind, name, name, distance, words, reference.spans)


def _over_time(
    settings: DriftSettings,
    name: str,
    current: list[Column],
    past: Past,
    season: int | None,
    share: float,
) -> Signal:
    kind, subject = Kind.PREDICTION_DRIFT, f"{name}{OVER_TIME}"
    threshold = settings.thresholds.get(name)
    why = is_comparable(
        current, past.columns, settings, "the champion's spans before"
    ) or too_short(len(past.columns), past.is_long, settings, threshold)
    if why:
        return silent(kind, subject, why, name)
    distance = judge_past(
        settings.measure_of(current[0]),
        current,
        past.columns,
        past.seasons,
        season,
        share,
        threshold,
    )
    words = f"the champion's {len(past.spans)} clean spans before"
    return distance_signal(kind, subject, name, distance, words, past.spans)
