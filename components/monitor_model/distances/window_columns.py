"""The columns of a window and of the spans before it, by their statistics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from ...lib.predictions.prediction_sets import PredictionSet
from ...lib.statistics.dataset import Column, Dataset
from ...lib.statistics.prediction_statistics import input_statistics, output_statistics
from ...lib.statistics.statistics_artifact import Statistics
from ..look import Look
from .clean_past import CleanPast, read_clean_past

CYCLES = 2
"""From so many weeks of days, or days of hours, weekends and nights are part of what is usual."""


@dataclass(frozen=True)
class Past:
    """A column in the clean spans before a window.

    Attributes:
        columns: The column in each, oldest first.
        seasons: Weekday or hour of each.
        spans: Their names.
        is_long: Whether they show weekends or nights, if they are days or hours.
    """

    columns: tuple[Column, ...]
    seasons: tuple[int, ...]
    spans: tuple[str, ...]
    is_long: bool


class WindowColumns:
    """What a look's window was asked and answered, and what came before."""

    def __init__(self, look: Look) -> None:
        """Take the look; statistics are read, or made, when they are used."""
        self._look = look

    @property
    def names(self) -> list[str]:
        """Names of the columns that models are sent, in the window or the span before it."""
        sets = (*self._look.earlier[-1:], *self._look.current)
        return list(
            dict.fromkeys(
                name for prediction_set in sets for name in self._inputs(prediction_set).columns
            )
        )

    def current(self, name: str) -> list[Column]:
        """Return a column of each of the window's spans that has values of it."""
        return _with_values(
            name, [self._inputs(prediction_set) for prediction_set in self._look.current]
        )

    def past(self, name: str, signal: str) -> Past:
        """Return a column of the clean spans before the window.

        Args:
            name: The column.
            signal: Name of the signal that is judged.
        """
        return self._past(name, signal, self._look.earlier, self._inputs)

    @property
    def outputs(self) -> list[str]:
        """Names of the columns of predictions."""
        sets = self._look.current[-1:]
        return [name for prediction_set in sets for name in self._outputs(prediction_set).columns]

    def current_output(self, name: str) -> list[Column]:
        """Return a column of the champion's predictions in the window."""
        return _with_values(
            name, [self._outputs(prediction_set) for prediction_set in self._look.current]
        )

    def past_output(self, name: str, signal: str) -> Past:
        """Return a column of the champion's predictions before the window; other versions answer otherwise.

        Spans in which any column was broken are left out.
        """
        whole = [
            prediction_set
            for prediction_set in self._look.earlier
            if self.clean.is_whole(prediction_set.span)
        ]
        return self._past(name, signal, whole, self._outputs)

    @property
    def season(self) -> int | None:
        """Weekday or hour of the window, if it is a single day or hour."""
        if len(self._look.current) != 1:
            return None
        return self._season_of(self._look.current[0].span)

    @cached_property
    def clean(self) -> CleanPast:
        """What the looks say of the spans before the window."""
        return self._look.share(
            ("clean past", self._look.window), lambda: read_clean_past(self._look)
        )

    def _past(
        self,
        name: str,
        signal: str,
        earlier: Sequence[PredictionSet],
        read: Callable[[PredictionSet], Dataset],
    ) -> Past:
        order = {
            prediction_set.span: place for place, prediction_set in enumerate(self._look.earlier)
        }
        found = [
            (prediction_set.span, column)
            for prediction_set in earlier
            if self.clean.is_clean(prediction_set.span, name, signal, order)
            for column in _with_values(name, [read(prediction_set)])
        ]
        spans = tuple(span for span, _ in found)
        seasons = tuple(self._season_of(span) or 0 for span in spans)
        return Past(tuple(one for _, one in found), seasons, spans, self._is_long(spans))

    def _season_of(self, span: str) -> int | None:
        start = self._start_of(span)
        length = self.length
        if start is None or length is None or length > timedelta(days=1):
            return None
        return start.weekday() if length == timedelta(days=1) else start.hour

    def _is_long(self, spans: Sequence[str]) -> bool:
        length, newest = self.length, self._start_of(self._look.window)
        if length is None or length > timedelta(days=1) or newest is None:
            return True
        cycle = timedelta(days=7 if length == timedelta(days=1) else 1)
        oldest = self._start_of(spans[0]) if spans else None
        return oldest is not None and newest - oldest >= CYCLES * cycle

    @property
    def length(self) -> timedelta | None:
        """How long the window's newest span is; None if its name is no date."""
        period = self._look.feed.periods.get(self._look.window)
        return period.end - period.start if period else None

    def _start_of(self, span: str) -> datetime | None:
        period = self._look.feed.periods.get(span)
        return period.start if period else None

    def _inputs(self, found: PredictionSet) -> Dataset:
        return self._read(("inputs", found.uri), lambda: input_statistics(found))

    def _outputs(self, found: PredictionSet) -> Dataset:
        version = self._look.model.version
        key = ("outputs", found.uri, version)
        return self._read(key, lambda: output_statistics(found, version))

    def _read(self, key: tuple[object, ...], make: Callable[[], Statistics]) -> Dataset:
        return self._look.share(key, lambda: Dataset(make()))


def _with_values(name: str, datasets: Sequence[Dataset]) -> list[Column]:
    found = [dataset.columns[name] for dataset in datasets if name in dataset.columns]
    return [column for column in found if column.filled]
