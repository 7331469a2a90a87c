"""Judging a column of a window against its past, and against a reference such as the training data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...lib.statistics.dataset import Column
from .count_table import CountTable, count_numbers, count_texts
from .measures import Measure
from .usual import Chance, Variation, bound_of, chance_of, variation_of

LEAST_SHOWN = 3
"""Number of datasets from which they show how far they vary."""
# As validate_examples has it for columns without a threshold: `limits.py` there says where they come from.
_FALLBACK = {
    "jensen_shannon": 0.1,
    "infinity_norm": 0.1,
    "psi": 0.25,
    "ks": 0.2,
    "wasserstein": 0.3,
}
# Number of datasets of one season that a window is compared with at least.
_SAME_SEASON = 2


@dataclass(frozen=True)
class Distance:
    """How far a window is from what it is compared with, and how far it may be.

    Attributes:
        value: The distance.
        bound: The largest that is usual, or allowed.
        measure: What measured it.
        rows: Number of values in the window.
        reference_rows: Number of values that it was compared with.
        datasets: Number of datasets that show what is usual.
        season: Whether only datasets of the same weekday or hour were compared with.
        source: Where the bound comes from: `past`, `threshold` or `fallback`.
        largest: Names of the texts or the place in the range that moved most.
    """

    value: float
    bound: float
    measure: Measure
    rows: int
    reference_rows: int
    datasets: int = 0
    season: bool = False
    source: str = "past"
    largest: str = ""

    @property
    def is_breached(self) -> bool:
        """Whether the distance is beyond its bound."""
        return self.value > self.bound

    def evidence(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {
            "method": self.measure.name,
            "rows": self.rows,
            "reference_rows": self.reference_rows,
            "datasets": self.datasets,
            "same_season": self.season,
            "bound_from": self.source,
            "largest": self.largest,
        }


def judge_past(
    measure: Measure,
    current: Sequence[Column],
    past: Sequence[Column],
    seasons: Sequence[int],
    season: int | None,
    share: float,
    threshold: float | None = None,
) -> Distance:
    """Judge a window against earlier ones.

    Where enough of them have the window's weekday or hour, and those are nearer to each other than all are, it is
    compared with them alone.

    Args:
        measure: The measure.
        current: The column in each dataset of the window.
        past: The column in each earlier one, two or more.
        seasons: The season of each earlier one.
        season: The window's season; None without any.
        share: The share of clean comparisons that may breach the bound.
        threshold: Largest distance allowed, if it was set.
    """
    table, now, before = _tabulate(measure, current, past)
    rows = table.counts[now].sum(0)
    chance = chance_of(measure, table, before, rows.sum())
    options: list[tuple[float, Distance]] = []
    same = [place for place, one in zip(before, seasons, strict=True) if one == season]
    ways = [(before, [0] * len(before), False)]
    if season is not None and len(same) >= _SAME_SEASON:
        ways.append((same, list(seasons), True))
    for compared, groups, is_season in ways:
        reference = table.counts[compared].sum(0)
        by_chance = float(chance.at(rows.sum(), reference.sum()))
        variation = variation_of(measure, table, before, groups, chance)
        bound = bound_of(measure, by_chance, chance.freedom, [variation], share)
        value = float(measure.distance(rows, reference, table.ends))
        distance = Distance(
            value,
            bound if threshold is None else threshold,
            measure,
            int(rows.sum()),
            int(reference.sum()),
            variation.datasets,
            is_season,
            "past" if threshold is None else "threshold",
            _largest(table, rows, reference),
        )
        options.append((by_chance + variation.mean, distance))
    return min(options, key=lambda option: option[0])[1]


def judge_reference(
    measure: Measure,
    current: Sequence[Column],
    past: Sequence[Column],
    reference: Sequence[Column],
    share: float,
    threshold: float | None = None,
    *,
    past_shows: bool = True,
    reference_shows: bool = False,
) -> Distance:
    """Judge a window against a reference, such as the training data.

    Windows differ among themselves, and so do the reference's datasets; what is usual is the sum. A difference that all
    windows have from the reference is not part of it, so it is found.

    Args:
        measure: The measure.
        current: The column in each dataset of the window.
        past: The column in each earlier window.
        reference: The column in each dataset of the reference, one or more.
        share: The share of clean comparisons that may breach the bound.
        threshold: Largest distance allowed, if it was set.
        past_shows: Whether the earlier windows are enough to show how windows vary, such as two weeks of days.
        reference_shows: Whether the reference's datasets are like windows, such as days both, so that they show it.
    """
    columns = [*current, *past, *reference]
    counts = [len(current), len(past), len(reference)]
    now, earlier, known = (
        list(range(start, start + count))
        for start, count in zip(np.cumsum([0, *counts[:-1]]).tolist(), counts, strict=True)
    )
    table = _count(measure, columns, known)
    rows, total = table.counts[now].sum(0), table.counts[known].sum(0)
    value = float(measure.distance(rows, total, table.ends))
    source, bound, shown = "threshold", threshold, 0
    if bound is None:
        chance = chance_of(measure, table, known, rows.sum())
        variations = _variations(measure, table, (earlier, known), chance)
        shown = min((variation.datasets for variation in variations), default=0)
        source, bound = "fallback", _FALLBACK[measure.name]
        if variations:
            by_chance = float(chance.at(rows.sum(), total.sum()))
            usual = bound_of(measure, by_chance, chance.freedom, variations, share)
            if past_shows or (reference_shows and len(known) >= LEAST_SHOWN):
                source, bound = "past", usual
            else:
                bound = max(bound, usual)
    return Distance(
        value,
        bound,
        measure,
        int(rows.sum()),
        int(total.sum()),
        shown,
        False,
        source,
        _largest(table, rows, total),
    )


def _variations(
    measure: Measure, table: CountTable, sides: tuple[list[int], list[int]], chance: Chance
) -> list[Variation]:
    shown = [
        variation_of(measure, table, side, [0] * len(side), chance)
        for side in sides
        if len(side) >= LEAST_SHOWN
    ]
    # Of a side that is a single dataset, it is assumed that it is as one of the others.
    return shown * 2 if len(shown) == 1 else shown


def _tabulate(
    measure: Measure, current: Sequence[Column], past: Sequence[Column]
) -> tuple[CountTable, list[int], list[int]]:
    columns = [*current, *past]
    before = list(range(len(current), len(columns)))
    return _count(measure, columns, before), list(range(len(current))), before


def _count(measure: Measure, columns: Sequence[Column], past: Sequence[int]) -> CountTable:
    if columns[0].is_number:
        return count_numbers(columns, past, measure.bins)
    return count_texts(columns, past)


def _largest(table: CountTable, one: np.ndarray, other: np.ndarray) -> str:
    """Describe the bin whose share moved most."""
    shares, before = one / max(one.sum(), 1e-300), other / max(other.sum(), 1e-300)
    place = int(np.argmax(np.abs(shares - before)))
    if table.names:
        where = repr(table.names[place][:60]) if table.names[place] else "all other values"
    elif place == 0:
        where = f"up to {table.ends[0]:.6g}"
    elif place == len(table.ends) - 1:
        where = f"above {table.ends[-2]:.6g}"
    else:
        where = f"{table.ends[place - 1]:.6g} to {table.ends[place]:.6g}"
    return f"{where}: {before[place]:.1%} before, {shares[place]:.1%} now"
