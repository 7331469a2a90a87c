"""The bench's data: the flights of 2013, repeated to any number of rows, as monthly files and as one."""

import itertools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from retrainer.pipelines.examples.flights.data import YEAR, read_flights, write_month

YEAR_ROWS = 336_776
MONTHS = range(1, 13)
# The span that comes after the year; the flights know one year only, so it holds those of January.
NEXT_SPAN = "2014-01"
# A row of the flights takes about so much room as CSV, and as a span in the store.
BYTES_PER_ROW = 170
# The year comes as months and as one file, each of which is stored.
COPIES = 2


@dataclass(frozen=True)
class FlightsFiles:
    """The same rows in two forms.

    Attributes:
        rows: How many, without those of the next span.
        year: One CSV file with all of them.
        year_pattern: Pattern that finds it as a span.
        months: Pattern of the spans of the year, and of the one after it.
        newest: Name of the year's newest month.
    """

    rows: int
    year: Path
    year_pattern: str
    months: str
    newest: str


def write_flights(folder: Path, rows: int) -> FlightsFiles:
    """Write the flights of 2013, repeated.

    Flights that never arrived count as late, so that no row lacks its label and all who count rows count the same.

    Args:
        folder: Where to; what is there is removed.
        rows: How many in all; each month has its share of them.

    Returns:
        The files.
    """
    shutil.rmtree(folder, ignore_errors=True)
    months = folder / "months"
    months.mkdir(parents=True)
    flights = read_flights()
    flights["late"] = flights["late"].fillna(1)
    before = 0
    for month in MONTHS:
        # Rounded at the months' ends, so that they add up.
        behind = rows * int((flights["month"] <= month).sum()) // YEAR_ROWS
        file = write_month(flights, month, months)
        _repeat(file, behind - before)
        before = behind
    files = sorted(months.iterdir())
    year = folder / "year" / f"flights-{YEAR}.csv"
    year.parent.mkdir()
    _join(files, year)
    stem = f"flights-{YEAR}"
    shutil.copy(files[0], months / files[0].name.replace(f"{stem}-01", f"flights-{NEXT_SPAN}"))
    newest = files[-1].stem.removeprefix("flights-")
    name = "flights-{span}.csv"
    return FlightsFiles(rows, year, str(year.parent / name), str(months / name), newest)


def _repeat(file: Path, rows: int) -> None:
    header, *lines = file.read_bytes().splitlines(keepends=True)
    with file.open("wb") as out:
        out.write(header)
        out.writelines(itertools.islice(itertools.cycle(lines), rows))


def _join(files: Sequence[Path], target: Path) -> None:
    with target.open("wb") as out:
        for number, file in enumerate(files):
            with file.open("rb") as month:
                header = month.readline()
                if number == 0:
                    out.write(header)
                shutil.copyfileobj(month, out, 1 << 20)
