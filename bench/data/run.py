"""`make data`: ingestion and statistics beside TFDV's own pass over the CSV file on Beam's DirectRunner.

The flights of 2013 are repeated to several numbers of rows. Each measured thing runs in a fresh process, whose clock
starts once its libraries are imported; rounds alternate between the cases, so that all meet the same machine. Exits
with 1 if a bound does not hold, or if the statistics are not TFDV's. It takes a quarter of an hour and 4 GB of disk, or
of memory with `--work /dev/shm/bench`.
"""

import argparse
import json
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import flights_files
from figures import ONE_NEW, ONE_SPAN, TFDV, TWELVE_SPANS, Figures, Taken
from flights_files import YEAR_ROWS, FlightsFiles
from measure import measure
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "out"
TASK = HERE / "task.py"
# Rounds by rows: what takes long varies less.
ROUNDS = {YEAR_ROWS: 5, 1_000_000: 3, 10_000_000: 2}
# TFDV takes twenty minutes and more for ten million rows.
MOST_TFDV_ROWS = 1_000_000
WINDOW = 12


def main() -> int:
    """Run the bench.

    Returns:
        The exit code: 1 if a bound does not hold, or the statistics are not TFDV's.
    """
    parser = argparse.ArgumentParser(description="Ingestion and statistics beside TFDV.")
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROUNDS), help="how many rows")
    parser.add_argument("--rounds", type=int, help="how often each case runs, at every size")
    parser.add_argument("--no-peer", action="store_true", help="measure retrainer alone")
    parser.add_argument("--work", type=Path, default=OUT / "data", help="folder for large files")
    arguments = parser.parse_args()
    figures = Figures()
    differences: list[str] = []
    print(f"load of the machine before: {_load()}")
    try:
        for rows in sorted(arguments.rows):
            check_disk(arguments.work, rows)
            files = flights_files.write_flights(arguments.work / "flights", rows)
            peer = rows <= MOST_TFDV_ROWS and not arguments.no_peer
            rounds = arguments.rounds or ROUNDS.get(rows, 1)
            for number in range(rounds):
                bench = Bench(arguments.work, files, f"{rows:,} rows, round {number + 1}/{rounds}")
                for case, tasks in bench.run(peer):
                    figures.add(rows, case, tasks)
                if peer and number == 0:
                    differences += bench.compare()
    finally:
        shutil.rmtree(arguments.work, ignore_errors=True)
    print(f"load of the machine after: {_load()}")
    show(figures)
    for line in differences:
        print(f"not TFDV's statistics: {line}", file=sys.stderr)
    broken = show_bounds(figures)
    write(figures, OUT / "data.json")
    return int(broken or bool(differences))


class Bench:
    """One round over all cases."""

    def __init__(self, folder: Path, files: FlightsFiles, name: str) -> None:
        """Take the data.

        Args:
            folder: For what the tasks write; left as it is at the end of a round.
            files: The data.
            name: What is said of the round.
        """
        self._folder = folder
        self._files = files
        self._name = name

    def run(self, peer: bool) -> list[tuple[str, dict[str, Taken]]]:
        """Run the cases one after the other, with empty stores.

        Args:
            peer: Whether TFDV runs too.

        Returns:
            Each case with what its tasks took.
        """
        for name in (ONE_SPAN, TWELVE_SPANS):
            shutil.rmtree(self._place(name), ignore_errors=True)
        months, newest = self._files.months, self._files.newest
        found = []
        if peer:
            arguments = {"csv": str(self._files.year), "output": str(self._folder / "tfdv.pb")}
            found.append((TFDV, {"tfdv": self._measure("tfdv", arguments, TFDV)}))
        found += [
            (
                ONE_SPAN,
                self._retrain(ONE_SPAN, ONE_SPAN, self._files.year_pattern, "latest", 1, "hash"),
            ),
            (
                TWELVE_SPANS,
                self._retrain(TWELVE_SPANS, TWELVE_SPANS, months, newest, WINDOW, "newest_spans"),
            ),
            (
                ONE_NEW,
                self._retrain(ONE_NEW, TWELVE_SPANS, months, "latest", WINDOW, "newest_spans"),
            ),
        ]
        return found

    def compare(self) -> list[str]:
        """Name what differs between the statistics of the one span and TFDV's."""
        span = self._files.year.stem.removeprefix("flights-")
        ours = self._place(ONE_SPAN) / "statistics" / f"Span-{span}" / "FeatureStats.pb"
        theirs = str(self._folder / "tfdv.pb")
        arguments = {"ours": str(ours), "theirs": theirs, "rows": self._files.rows}
        return list(self._run("compare", arguments, "compare")[1]["differences"])

    def _retrain(
        self, case: str, place: str, pattern: str, span: str, window: int, split: str
    ) -> dict[str, Taken]:
        folder = self._place(place)
        settings = {"span": span, "window": window, "split": split}
        places = {"store": str(folder / "store"), "output": str(folder / "examples")}
        statistics = {
            "examples": places["output"],
            "output": str(folder / "statistics"),
            "report": str(folder / "report.html"),
        }
        return {
            "ingest": self._measure("ingest", {"pattern": pattern, **places, **settings}, case),
            "statistics": self._measure("statistics", statistics, case),
        }

    def _measure(self, task: str, arguments: dict[str, Any], case: str) -> Taken:
        print(f"{self._name}: {case}, {task} ...", end=" ", flush=True)
        taken, found = self._run(task, arguments, case)
        print(
            f"{taken.seconds:.2f} s, {taken.total_bytes / 2**20:,.0f} MiB: {found['verdict']}",
            flush=True,
        )
        return taken

    def _run(self, task: str, arguments: dict[str, Any], case: str) -> tuple[Taken, dict[str, Any]]:
        target = self._folder / "figures.json"
        log = OUT / "data-log" / f"{case.replace(' ', '-')}-{task}.log"
        command = [sys.executable, str(TASK), task, json.dumps(arguments), str(target)]
        # As an installed package has its modules compiled.
        measured = measure(command, log, {"PYTHONDONTWRITEBYTECODE": ""})
        if measured.exit_code:
            said = log.read_text(errors="replace").splitlines()[-15:]
            sys.exit("\n".join([f"{case}, {task} failed; the end of {log}:", *said]))
        found = json.loads(target.read_text())
        taken = Taken(
            seconds=found["seconds"],
            cpu_seconds=found["cpu_seconds"],
            import_seconds=found["import_seconds"],
            peak_bytes=measured.peak_bytes,
            total_bytes=measured.total_bytes,
        )
        return taken, found

    def _place(self, case: str) -> Path:
        return self._folder / case.replace(" ", "-")


def check_disk(folder: Path, rows: int) -> None:
    """See that there is room for the data.

    Args:
        folder: Where they go; made if missing.
        rows: How many.

    Raises:
        SystemExit: If there is not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    needed = rows * flights_files.BYTES_PER_ROW * flights_files.COPIES
    free = shutil.disk_usage(folder).free
    if free < needed:
        sys.exit(
            f"{rows:,} rows need {needed / 2**30:.1f} GiB in {folder}, where {free / 2**30:.1f} GiB are free. Name "
            "another folder with --work, or fewer rows with --rows."
        )


def show(figures: Figures) -> None:
    """Print what was measured."""
    table = Table(title="Ingestion and statistics of the flights, in seconds and MiB")
    for heading in ("rows", "case", "task", "min", "median", "max", "TFDV's", "CPU", "cores"):
        table.add_column(heading, justify="left" if heading in ("case", "task") else "right")
    for heading in ("largest", "all", "rows/s", "imports"):
        table.add_column(heading, justify="right")
    before = 0
    for rows, case in figures.cases():
        if rows != before:
            table.add_section()
            before = rows
        tasks = figures.tasks(rows, case)
        for task, taken in tasks.items():
            table.add_row(f"{rows:,}", case, task, *_cells(taken, 0, 0))
        if len(tasks) > 1:
            beside = (
                median(one.seconds for one in peer) if (peer := figures.whole(rows, TFDV)) else 0
            )
            whole = figures.whole(rows, case)
            counted = 0 if case == ONE_NEW else rows
            table.add_row(f"{rows:,}", case, "both", *_cells(whole, beside, counted), style="bold")
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    console.print(
        "TFDV's: times faster than TFDV. CPU: seconds of all processes; cores: those by the second. largest: peak "
        "resident set of the largest process; all: of all together, sampled, shared pages once. imports are not in "
        "the seconds.\n"
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    )


def show_bounds(figures: Figures) -> bool:
    """Print the bounds.

    Returns:
        Whether one does not hold.
    """
    table = Table(title="Bounds, of medians")
    for heading in ("", "measured", "bound", ""):
        table.add_column(heading, justify="right" if heading else "left")
    bounds = figures.bounds()
    for bound in bounds:
        side = "at least" if bound.at_least else "at most"
        table.add_row(
            bound.name,
            f"{bound.value:.2f}",
            f"{side} {bound.limit:.2f}",
            "holds" if bound.holds else "[bold red]BROKEN",
        )
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return not all(bound.holds for bound in bounds)


def write(figures: Figures, file: Path) -> None:
    """Write all rounds and the bounds as JSON."""
    cases = [
        {
            "rows": rows,
            "case": case,
            "rounds": {
                task: [asdict(one) for one in taken]
                for task, taken in figures.tasks(rows, case).items()
            },
        }
        for rows, case in figures.cases()
    ]
    bounds = [{**asdict(bound), "holds": bound.holds} for bound in figures.bounds()]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"cases": cases, "bounds": bounds}, indent=2) + "\n")


def _cells(taken: Sequence[Taken], beside: float, rows: int) -> list[str]:
    seconds = [one.seconds for one in taken]
    middle = median(seconds)
    return [
        f"{min(seconds):.2f}",
        f"{middle:.2f}",
        f"{max(seconds):.2f}",
        f"{beside / middle:.1f} x" if beside else "",
        f"{median(one.cpu_seconds for one in taken):.2f}",
        f"{median(one.cpu_seconds / one.seconds for one in taken):.2f}",
        f"{median(one.peak_bytes for one in taken) / 2**20:,.0f}",
        f"{median(one.total_bytes for one in taken) / 2**20:,.0f}",
        f"{rows / middle:,.0f}" if rows else "",
        f"{median(one.import_seconds for one in taken):.1f}",
    ]


def _load() -> str:
    return ", ".join(f"{one:.2f}" for one in os.getloadavg())


if __name__ == "__main__":
    sys.exit(main())
