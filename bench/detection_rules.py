"""Rules that alarm: retrainer's, Evidently's and TFDV's, over the same statistics of the same spans."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Protocol

import numpy as np

from retrainer.components.lib.monitoring.signal_states import Looked, SignalState, State, follow
from retrainer.components.lib.monitoring.signals import Kind, Outcome, Signal
from retrainer.components.lib.statistics.dataset import Column
from retrainer.components.lib.statistics.statistics_artifact import Feature
from retrainer.components.monitor_model.distances.count_table import count_numbers, count_texts
from retrainer.components.monitor_model.distances.judge import judge_past, judge_reference
from retrainer.components.monitor_model.distances.judge_signals import distance_signal
from retrainer.components.monitor_model.distances.measures import MEASURES
from retrainer.components.monitor_model.distances.settings import DriftSettings

EARLIER = 60
TRAINING = 28
_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


def statistics_of(columns: Mapping[str, np.ndarray]) -> dict[str, Column]:
    """Return the statistics of a span's columns, in TFDV's messages: 200 quantiles, or counts of the texts.

    TFDV's sketches give the same quantiles, to 0.0002 of the rows; without them a thousand spans take minutes less.
    """
    return {name: _column(name, values) for name, values in columns.items()}


def _column(name: str, values: np.ndarray) -> Column:
    feature = Feature()
    feature.path.step.append(name)
    if values.dtype.kind == "f":
        feature.type = Feature.FLOAT
        feature.num_stats.common_stats.num_non_missing = len(values)
        ends = np.quantile(values, np.linspace(0, 1, 201), method="inverted_cdf").tolist()
        histogram = feature.num_stats.histograms.add(type="QUANTILES")
        for low, high in pairwise(ends):
            histogram.buckets.add(low_value=low, high_value=high, sample_count=len(values) / 200)
        return Column(name, feature)
    feature.type = Feature.STRING
    texts, counts = np.unique(values.astype(str), return_counts=True)
    stats = feature.string_stats
    stats.common_stats.num_non_missing = len(values)
    stats.unique = len(texts)
    for place in np.argsort(-counts, kind="stable")[:1000].tolist():
        stats.rank_histogram.buckets.add(label=texts[place], sample_count=float(counts[place]))
    return Column(name, feature)


class Rule(Protocol):
    """A rule that sees one day after the other."""

    def score(self, day: int, columns: Mapping[str, Column]) -> float:
        """See a day, and return how alarming it is: an alarm above 1."""


class Retrainer:
    """`monitor_model`'s skew and drift with their default settings and states."""

    def __init__(self, training: Sequence[Mapping[str, Column]]) -> None:
        self._training = training
        self._settings = DriftSettings()
        self._past: list[tuple[int, Mapping[str, Column]]] = []
        self._states: dict[str, SignalState] = {}
        self._breached: dict[str, set[int]] = {}

    def remember(self, day: int, columns: Mapping[str, Column]) -> None:
        """Take a day as past without judging it."""
        self._past = [*self._past, (day, columns)][-EARLIER:]

    def score(self, day: int, columns: Mapping[str, Column]) -> float:
        """See a day: 2 if a signal is detected, else 0."""
        signals = list(self._signals(day, columns)) if len(self._past) >= 14 else []
        at = (_MONDAY + timedelta(days=day)).isoformat()
        self._states, _ = follow(self._states, signals, Looked(day + 1, str(day), at, 1), {})
        for one in signals:
            open_now = self._states[one.name].state in (State.SUSPECTED, State.DETECTED)
            if not open_now:
                self._breached.pop(one.name, None)
            elif one.outcome == Outcome.BREACHED:
                self._breached.setdefault(one.name, set()).add(day)
        self.remember(day, columns)
        return 2.0 if self.detected else 0.0

    @property
    def detected(self) -> list[str]:
        """Names of the signals that are detected."""
        return [n for n, one in self._states.items() if one.state == State.DETECTED]

    def _signals(self, day: int, columns: Mapping[str, Column]) -> list[Signal]:
        share = self._settings.false_alarms / len(columns)
        found = []
        for name, column in columns.items():
            measure = self._settings.measure_of(column)
            for kind in (Kind.DRIFT, Kind.SKEW):
                left_out = self._breached.get(f"{kind}/{name}", set())
                past = [(n, one[name]) for n, one in self._past if n not in left_out]
                before = [one for _, one in past]
                if kind == Kind.DRIFT:
                    seasons = [n % 7 for n, _ in past]
                    distance = judge_past(measure, [column], before, seasons, day % 7, share)
                else:
                    training = [one[name] for one in self._training]
                    distance = judge_reference(
                        measure, [column], before, training, share, reference_shows=True
                    )
                found.append(distance_signal(kind, name, name, distance, "before"))
        return found


class Evidently:
    """Evidently's default for a reference of more than 1,000 rows, as its code has it (0.7).

    Numbers: Wasserstein distance over the reference's standard deviation; text: Jensen-Shannon distance, the root of
    the divergence in nats; a column drifts from 0.1 on. The data drifts if half of the columns do.
    """

    def __init__(self, reference: Mapping[str, Column], share: float | None) -> None:
        self._reference = reference
        self._share = share

    def score(self, day: int, columns: Mapping[str, Column]) -> float:
        """See a day: how many times 0.1 the farthest column is away, or that at the share."""
        found = []
        for name, column in columns.items():
            if column.is_number:
                value = compare("wasserstein", column, self._reference[name])
            else:
                divergence = compare("jensen_shannon", column, self._reference[name])
                value = float(np.sqrt(divergence * np.log(2)))
            found.append(value / 0.1)
        if self._share is None:
            return max(found)
        return sorted(found)[-int(np.ceil(self._share * len(found)))]


class Tfdv:
    """TFDV's measures by fixed thresholds, those of validate_examples: TFDV itself has none."""

    def __init__(self, reference: Mapping[str, Column]) -> None:
        self._reference = reference

    def score(self, day: int, columns: Mapping[str, Column]) -> float:
        """See a day: how many times its threshold the farthest column is away."""
        found = []
        for name, column in columns.items():
            if column.is_number:
                found.append(compare("jensen_shannon", column, self._reference[name]) / 0.3)
            else:
                found.append(compare("infinity_norm", column, self._reference[name]) / 0.1)
        return max(found)


class EveryFewDays:
    """The dummy: an alarm every few days, whatever they hold."""

    def __init__(self, days: int) -> None:
        self._days = days

    def score(self, day: int, columns: Mapping[str, Column]) -> float:
        """See a day."""
        return 2.0 if day % self._days == 0 else 0.0


def compare(name: str, column: Column, reference: Column) -> float:
    """Measure a column of a day against all rows of the reference."""
    measure = MEASURES[name]
    if column.is_number:
        table = count_numbers([column, reference], [1], measure.bins)
    else:
        table = count_texts([column, reference], [1])
    return float(measure.distance(table.counts[0], table.counts[1], table.ends))
