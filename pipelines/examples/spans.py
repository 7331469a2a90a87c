"""Days of made-up rows, as an export would bring them: one CSV file a day."""

import datetime
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

FIRST_DAY = datetime.date(2026, 1, 1)


def write_days(
    make_day: Callable[[np.random.Generator, int], pd.DataFrame],
    name: str,
    folder: Path,
    days: int,
) -> list[Path]:
    """Write one CSV file a day; the same files every time.

    Args:
        make_day: Makes a day's rows of a random generator and the day's number, from 0.
        name: What the files' names begin with.
        folder: Where to; made if missing.
        days: How many days.

    Returns:
        The files, oldest first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for day in range(days):
        file = folder / f"{name}-{FIRST_DAY + datetime.timedelta(days=day)}.csv"
        make_day(np.random.default_rng(day), day).to_csv(file, index=False)
        files.append(file)
    return files
