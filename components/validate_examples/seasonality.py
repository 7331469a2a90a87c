"""Seasonality of spans by weekday or hour: statistics kept beyond the window compare weekends with weekends."""

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ..lib.examples import Examples, SpanPart
from ..lib.spans.span_patterns import compile_pattern
from ..lib.spans.stored_spans import list_versions
from ..lib.spans.windows import Steps, infer_steps
from ..lib.statistics.dataset import Dataset
from ..lib.statistics.statistics_artifact import Statistics, parse_statistics
from ..lib.uris import exists, join, read_bytes, write_atomic

PROFILE_FILE = "profile.pb"
# Days have weekdays and hours a time of day; seasons of months would take years to learn.
_CYCLES = {"%d": 7, "%H": 24}
_BACK = 4


@dataclass(frozen=True)
class Season:
    """The seasonality of spans.

    Attributes:
        steps: How their names follow each other.
        cycle: The period, in steps.
    """

    steps: Steps
    cycle: int

    def same(self, one: str, other: str) -> bool:
        """Return whether two spans have the same weekday, or the same hour."""
        return (self.steps.number(one) - self.steps.number(other)) % self.cycle == 0

    def earlier(self, span: str) -> list[str]:
        """Return the last spans of the same weekday or hour, oldest first."""
        number = self.steps.number(span)
        return [self.steps.name(number - self.cycle * back) for back in range(_BACK, 0, -1)]


def find_season(spans: Sequence[str], pattern: str) -> Season | None:
    """Find the seasonality of spans.

    Args:
        spans: Names of the spans.
        pattern: The pattern that they were found with; empty if it is not known.

    Returns:
        None if they are not days or hours.
    """
    date_format = compile_pattern(pattern).date_format if pattern else None
    steps = infer_steps(spans, date_format) if date_format else None
    cycle = _CYCLES.get(steps.field) if steps is not None else None
    return Season(steps, cycle) if steps is not None and cycle is not None else None


def read_profiles(store: str, spans: Collection[str]) -> dict[str, Dataset]:
    """Read the statistics of spans that an earlier run had in its window.

    Args:
        store: URI of the store.
        spans: Names of spans, oldest first.

    Returns:
        By span; unknown ones are left out.
    """
    found = {}
    for span in spans:
        versions = list_versions(store, span)
        if not versions:
            continue
        # Missing or damaged statistics leave the span unknown.
        with contextlib.suppress(FileNotFoundError, ValueError):
            content = read_bytes(join(versions[-1].uri, PROFILE_FILE))
            found[span] = Dataset(parse_statistics(content))
    return found


def keep_profiles(examples: Examples, statistics: dict[str, Statistics]) -> None:
    """Keep the statistics of a window's spans beside them; each is written once.

    Args:
        examples: The window.
        statistics: By span, oldest first.
    """
    uris = {part.span: part.uri for part in _parts(examples)}
    for span in reversed(statistics):
        uri = join(uris.get(span, ""), PROFILE_FILE)
        if span not in uris or exists(uri):
            # The spans before it were kept when they were the newest.
            return
        # In a read-only store, seasonality is unknown.
        with contextlib.suppress(PermissionError):
            write_atomic(uri, statistics[span].SerializeToString(deterministic=True))


def _parts(examples: Examples) -> list[SpanPart]:
    return [part for parts in examples.splits.values() for part in parts]
