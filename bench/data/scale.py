"""`make scale`: whole retrains of 336,776, three and ten million rows, trained on in one pass.

For each size a first run over twelve spans, then a run for one new span. Prints the seconds of each task and its
microseconds a row, and the memory of the hungriest process and of all together. Exits with 1 if a run fails or a bound
does not hold. It takes about ten minutes and 8 GB of disk.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import work
from flights_files import YEAR_ROWS, write_flights
from measure import Measured, measure
from rich.console import Console
from rich.table import Table
from tasks import LEAST_ROWS, MOST_SHARE, data_seconds, describe_share, read_tasks

OUT = Path(__file__).resolve().parents[1] / "out"
RETRAINER = Path(sys.executable).with_name("retrainer")
SIZES = (YEAR_ROWS, 3_000_000, 10_000_000)
FIRST, NEW_SPAN = "first run", "one new span"
# At most so much, all processes together, and at ten million rows at most so many times that of three million.
LIMIT_BYTES = 4 * 2**30
MOST_GROWTH = 1.5


@dataclass(frozen=True)
class Case:
    """One run.

    Attributes:
        rows: How many rows the twelve spans of the first run have.
        case: `FIRST` or `NEW_SPAN`.
        measured: Its time and memory.
        tasks: Seconds of each task, and its peak memory in bytes.
    """

    rows: int
    case: str
    measured: Measured
    tasks: dict[str, tuple[float, int]]


def main() -> int:
    """Run the bench.

    Returns:
        The exit code: 1 if a run failed or a bound does not hold.
    """
    parser = argparse.ArgumentParser(description="Whole retrains at several sizes.")
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES), help="how many rows")
    parser.add_argument("--work", type=Path, default=OUT / "scale", help="folder for large files")
    arguments = parser.parse_args()
    cases: list[Case] = []
    try:
        for rows in sorted(arguments.rows):
            cases += run_size(arguments.work, rows)
    finally:
        shutil.rmtree(arguments.work, ignore_errors=True)
    show(cases)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "scale.json").write_text(json.dumps([asdict(case) for case in cases], indent=2) + "\n")
    broken = broken_bounds(cases)
    for line in broken:
        print(f"missed: {line}")
    return int(bool(broken) or any(case.measured.exit_code for case in cases))


def run_size(folder: Path, rows: int) -> list[Case]:
    """Run the first retrain of a size, and the one of a new span."""
    files = write_flights(folder / "flights", rows)
    files.year.unlink()
    file = work.write_project(folder / "project", Path(files.months).parent, steps=None)
    cases = []
    for case, newest in ((FIRST, ("--span", files.newest)), (NEW_SPAN, ())):
        print(f"{rows:,} rows, {case} ...", end=" ", flush=True)
        log = OUT / f"scale-{rows}-{case.replace(' ', '-')}.log"
        measured = measure([str(RETRAINER), "run", str(file), *newest], log)
        print(f"{measured.seconds:.1f} s, {measured.total_bytes / 2**30:.2f} GB", flush=True)
        cases.append(Case(rows, case, measured, read_tasks(file.parent / "store")))
        if measured.exit_code:
            print(f"failed; see {log}", file=sys.stderr)
            break
    return cases


def broken_bounds(cases: list[Case]) -> list[str]:
    """List the bounds that do not hold, each with what was measured."""
    broken = [
        f"{case.rows:,} rows, {case.case}: {case.measured.total_bytes / 2**30:.2f} GB, more than 4"
        for case in cases
        if case.measured.total_bytes > LIMIT_BYTES
    ]
    for wanted in (FIRST, NEW_SPAN):
        memory = {case.rows: case.measured.total_bytes for case in cases if case.case == wanted}
        if {3_000_000, 10_000_000} <= memory.keys():
            growth = memory[10_000_000] / memory[3_000_000]
            if growth > MOST_GROWTH:
                broken.append(f"{wanted}: {growth:.2f} times the memory from 3 to 10 million rows")
    for rows, first, newer in pairs(cases):
        share = data_seconds(newer.tasks) / data_seconds(first.tasks)
        if rows >= LEAST_ROWS and share > MOST_SHARE:
            broken.append(f"{rows:,} rows, {NEW_SPAN}: {describe_share(first.tasks, newer.tasks)}")
    return broken


def pairs(cases: list[Case]) -> Iterator[tuple[int, Case, Case]]:
    """List the sizes with their two runs, where both succeeded."""
    done = {(case.rows, case.case): case for case in cases if not case.measured.exit_code}
    for rows, case in done:
        if case == FIRST and (rows, NEW_SPAN) in done:
            yield rows, done[rows, FIRST], done[rows, NEW_SPAN]


def show(cases: list[Case]) -> None:
    """Print a table for each kind of run."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    for wanted in (FIRST, NEW_SPAN):
        found = [case for case in cases if case.case == wanted]
        table = Table(title=f"{wanted.capitalize()}: seconds (microseconds a row), peak MiB")
        table.add_column("task")
        for case in found:
            table.add_column(f"{case.rows:,} rows", justify="right")
        names = dict.fromkeys(name for case in found for name in case.tasks)
        for name in names:
            table.add_row(name, *(_cell(case, name) for case in found))
        table.add_section()
        table.add_row(
            "from start to exit",
            *(
                f"{case.measured.seconds:.1f} s ({case.measured.seconds / case.rows * 1e6:.1f})"
                for case in found
            ),
        )
        if wanted == NEW_SPAN:
            first = {case.rows: case for case in cases if case.case == FIRST}
            table.add_row(
                "share of the first run",
                *(
                    f"{case.measured.seconds / first[case.rows].measured.seconds:.2f}"
                    for case in found
                ),
            )
        table.add_row(
            "hungriest process, all together",
            *(
                f"{case.measured.peak_bytes / 2**30:.2f} GB, {case.measured.total_bytes / 2**30:.2f} GB"
                for case in found
            ),
        )
        console.print(table)
    for rows, one, newer in pairs(cases):
        console.print(f"{rows:,} rows, {NEW_SPAN}: {describe_share(one.tasks, newer.tasks)}")


def _cell(case: Case, name: str) -> str:
    if name not in case.tasks:
        return "-"
    seconds, peak = case.tasks[name]
    return f"{seconds:.1f} s ({seconds / case.rows * 1e6:.1f}), {peak / 2**20:,.0f}"


if __name__ == "__main__":
    sys.exit(main())
