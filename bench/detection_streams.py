"""Streams of spans for the bench of detection: clean up to a known change, made here or of the flights' days."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

Columns: TypeAlias = Mapping[str, np.ndarray]
_SEA_NOISE = 0.1


@dataclass(frozen=True)
class Stream:
    """A source of daily spans.

    Attributes:
        name: Its name.
        about: What changes, in a few words.
        spans: Given a seed and the first changed day (None: never), yields the columns of one day after the other.
    """

    name: str
    about: str
    spans: Callable[[int, int | None], Iterator[Columns]]


def streams() -> list[Stream]:
    """List all streams; the flights last."""
    return [
        Stream(
            "numbers, 1,000 rows a day", "one of 10 moves by 0.3 deviations", _numbers(1_000, 0.3)
        ),
        Stream("numbers, 100 rows a day", "one of 10 moves by 1 deviation", _numbers(100, 1.0)),
        Stream(
            "numbers, 20,000 rows a day",
            "one of 10 moves by 0.15 deviations",
            _numbers(20_000, 0.15),
        ),
        Stream(
            "categories, 1,000 rows a day", "in one of 10 texts 8% of the rows move", _categories
        ),
        Stream("weekends, 300 to 3,000 rows a day", "one of 10 moves by 0.5 deviations", _weekends),
        Stream("SEA concepts, 1,000 rows a day", "the threshold moves from 8 to 9", _sea),
        Stream("hyperplane, 1,000 rows a day", "weights of 2 of 10 features turn", _hyperplane),
        Stream(
            "flights, days in random order",
            "a third of LGA's flights leave from EWR",
            flights(2 / 3),
        ),
    ]


def _numbers(rows: int, shift: float) -> Callable[[int, int | None], Iterator[Columns]]:
    def spans(seed: int, change: int | None) -> Iterator[Columns]:
        random = np.random.default_rng(seed)
        day = 0
        while True:
            columns = {f"x{n}": random.normal(size=rows) for n in range(6)}
            columns |= {f"y{n}": random.lognormal(size=rows) for n in range(4)}
            if change is not None and day >= change:
                columns["x0"] = columns["x0"] + shift
            yield columns
            day += 1

    return spans


def _categories(seed: int, change: int | None) -> Iterator[Columns]:
    random = np.random.default_rng(seed)
    sizes = (2, 3, 5, 8, 12, 20, 30, 50, 100, 1000)
    shares = [random.dirichlet(np.full(size, 0.7)) for size in sizes]
    moved = shares[4].copy()
    taken = np.minimum(moved, 0.08 * moved)
    moved = moved - taken
    moved[int(np.argmin(moved))] += 0.08
    day = 0
    while True:
        changed = change is not None and day >= change
        yield {
            f"c{n}": random.choice(
                np.array([f"v{k}" for k in range(len(share))]),
                1_000,
                p=(moved / moved.sum()) if changed and n == 4 else share,
            )
            for n, share in enumerate(shares)
        }
        day += 1


def _weekends(seed: int, change: int | None) -> Iterator[Columns]:
    random = np.random.default_rng(seed)
    day = 0
    while True:
        weekend = day % 7 >= 5
        rows = int(random.integers(300, 1_000) if weekend else random.integers(1_000, 3_000))
        columns = {
            f"x{n}": random.normal(weekend * 0.2 * n + 0.05 * random.normal(), 1, rows)
            for n in range(10)
        }
        if change is not None and day >= change:
            columns["x9"] = columns["x9"] + 0.5
        yield columns
        day += 1


def _sea(seed: int, change: int | None) -> Iterator[Columns]:
    """Make rows of the SEA concepts: W. N. Street and Y. Kim, A streaming ensemble algorithm, KDD 2001."""
    random = np.random.default_rng(seed)
    day = 0
    while True:
        x = random.uniform(0, 10, (1_000, 3))
        threshold = 9.0 if change is not None and day >= change else 8.0
        label = (x[:, 0] + x[:, 1] <= threshold) ^ (random.random(1_000) < _SEA_NOISE)
        yield _with_errors(x, label, x[:, 0] + x[:, 1] <= 8.0)
        day += 1


def _hyperplane(seed: int, change: int | None) -> Iterator[Columns]:
    """Make rows of a rotating hyperplane: G. Hulten et al., Mining time-changing data streams, KDD 2001."""
    random = np.random.default_rng(seed)
    before = random.uniform(0, 1, 10)
    after = before.copy()
    after[:2] = 1 - after[:2]
    day = 0
    while True:
        x = random.uniform(0, 1, (1_000, 10))
        weights = after if change is not None and day >= change else before
        label = (x @ weights >= weights.sum() / 2) ^ (random.random(1_000) < 0.05)
        yield _with_errors(x, label, x @ before >= before.sum() / 2)
        day += 1


def _with_errors(x: np.ndarray, label: np.ndarray, model: np.ndarray) -> Columns:
    """Return rows with their label, and whether a model of the first concept was right."""
    columns: dict[str, np.ndarray] = {f"x{n}": x[:, n] for n in range(x.shape[1])}
    columns["label"] = np.where(label, "yes", "no")
    columns["right"] = np.where(label == model, "yes", "no")
    return columns


def flights(kept: float, seed_of_order: int = 0) -> Callable[[int, int | None], Iterator[Columns]]:
    """Make a stream of the flights' days, in random order within each weekday, so that no season is a change.

    Args:
        kept: After the change, the share of LGA's flights that still leave from there; for each of the others there is
            a flight of EWR.
        seed_of_order: Added to the stream's seed.
    """

    def spans(seed: int, change: int | None) -> Iterator[Columns]:
        random = np.random.default_rng(seed + seed_of_order)
        days = flights_by_day()
        by_weekday: dict[int, list[int]] = {}
        for number in range(len(days)):
            by_weekday.setdefault(number % 7, []).append(number)
        day = 0
        while True:
            weekday = day % 7
            found = days[int(random.choice(by_weekday[weekday]))]
            if change is not None and day >= change:
                found = _moved(found, kept, random)
            yield columns_of(found)
            day += 1

    return spans


def flights_by_day() -> list[pd.DataFrame]:
    """Return the flights of each day of 2013, in order."""
    if not _DAYS:
        from retrainer.pipelines.examples.flights.data import read_flights

        table = read_flights()
        _DAYS.extend(one for _, one in table.groupby(["month", "day"], sort=True))
    return _DAYS


_DAYS: list[pd.DataFrame] = []
_NUMBERS = ("dep_delay", "distance", "sched_dep_time", "sched_arr_time", "hour", "minute")
_TEXTS = ("carrier", "origin", "dest", "tailnum")


def columns_of(flights_of_a_day: pd.DataFrame) -> Columns:
    """Return the features of the flights example, missing values left out."""
    found: dict[str, Any] = {
        name: flights_of_a_day[name].dropna().to_numpy(float) for name in _NUMBERS
    }
    found |= {name: flights_of_a_day[name].dropna().to_numpy(str).astype(object) for name in _TEXTS}
    return found


def _moved(day: pd.DataFrame, kept: float, random: np.random.Generator) -> pd.DataFrame:
    leaves = (day["origin"] == "LGA") & (random.random(len(day)) > kept)
    others = day[day["origin"] == "EWR"]
    taken = others.sample(int(leaves.sum()), replace=True, random_state=int(random.integers(2**31)))
    return pd.concat([day[~leaves], taken])
