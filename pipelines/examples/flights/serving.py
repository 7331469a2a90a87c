"""Weeks of serving for the demo, made of real flights: quiet days, a day with a broken feed, and a new terminal.

The data is of 2013 alone, so the days that follow are other flights of that year: quiet days are November's, and the
flights of the new terminal are those of January to August that went west in the afternoon, or by two carriers that flew
little. They are harder to foresee than most, which makes the model answer worse without anything being wrong with it.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from .data import write_flights

QUIET_MONTH = 11
BROKEN_COLUMN = "dep_delay"
TERMINAL_DAY = 900
"""Flights of the new terminal on a day."""
KEY = "flight_id"
_COLUMNS = ["carrier", "flight", "origin", "dest", "distance", "hour", "minute", "dep_delay"]
_WEST = ["DEN", "DFW", "IAH", "LAS", "LAX", "PDX", "PHX", "SAN", "SAT", "SEA", "SFO", "SJU", "SLC"]
_NEW_CARRIERS = ["F9", "FL"]
_SEED = 7


def quiet_days(flights: pd.DataFrame, count: int) -> list[pd.DataFrame]:
    """Return the flights of quiet days.

    Args:
        flights: From `read_flights`.
        count: How many days, at most 30.

    Returns:
        The flights of each day.
    """
    month = flights[flights["month"] == QUIET_MONTH]
    return [month[month["day"] == day] for day in range(1, count + 1)]


def break_feed(day: pd.DataFrame) -> pd.DataFrame:
    """Return a day whose feed of departure delays is missing."""
    broken = day.copy()
    broken[BROKEN_COLUMN] = float("nan")
    return broken


def terminal_flights(flights: pd.DataFrame, sizes: Sequence[int]) -> list[pd.DataFrame]:
    """Return flights of the new terminal, none of them twice.

    Args:
        flights: From `read_flights`.
        sizes: How many flights each part has, 24,000 in all at most.

    Returns:
        The parts.
    """
    to_the_west = flights["dest"].isin(_WEST) & flights["hour"].between(14, 19)
    chosen = (to_the_west | flights["carrier"].isin(_NEW_CARRIERS)) & (flights["month"] < 9)
    pool = flights[chosen].sample(frac=1, random_state=_SEED)
    parts = []
    for size in sizes:
        parts.append(pool.iloc[:size])
        pool = pool.iloc[size:]
    return parts


def write_requests(days: Sequence[pd.DataFrame], first: date, folder: Path) -> None:
    """Write what the model is asked, a file a day: what is known at departure.

    Args:
        days: The flights of each day.
        first: The first of them.
        folder: Where to; made if missing.
    """
    _write([_keyed(flights)[[KEY, *_COLUMNS]] for flights in days], first, folder)


def write_labels(days: Sequence[pd.DataFrame], first: date, folder: Path) -> None:
    """Write the labels of requests, a file a day; flights that never arrived have none.

    Args:
        days: The flights of each day.
        first: The first of them.
        folder: Where to; made if missing.
    """
    _write(
        [_keyed(flights[flights["late"].notna()])[[KEY, "late"]] for flights in days], first, folder
    )


def _write(days: Sequence[pd.DataFrame], first: date, folder: Path) -> None:
    for number, flights in enumerate(days):
        write_flights(flights, folder, (first + timedelta(days=number)).isoformat())


def _keyed(flights: pd.DataFrame) -> pd.DataFrame:
    # A flight of one day of 2013 is served on one day alone.
    return flights.assign(**{KEY: flights.index})
