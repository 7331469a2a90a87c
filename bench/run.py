"""`make bench`: retrainer beside TFX's LocalDagRunner, the same work in the same session.

Prints wall seconds from start to exit and the peak memory of the hungriest process, without a
champion, with one, and with one new span of twelve, and writes them to bench/out/results.json.
Exits with 1 if a run fails or a bound does not hold.
"""

import argparse
import fcntl
import json
import os
import platform
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import peer
import work
from imports import measure_imports, show_imports
from measure import Measured, measure
from quality import read_quality
from rich.console import Console
from rich.table import Table
from tasks import describe_share, read_tasks

OUT = peer.BENCH / "out"
RETRAINER = Path(sys.executable).with_name("retrainer")
CASES = ("without a champion", "with a champion", "one new span of twelve")
LIMIT_SECONDS = 60
LIMIT_BYTES = 2 * 2**30
# How many times faster than TFX each of the first two cases is to be.
LEAST_RATIO = 14.0


def main() -> int:
    """Run the bench.

    Returns:
        The exit code: 1 if a run failed.
    """
    parser = argparse.ArgumentParser(description="Time and memory of retrainer beside TFX.")
    parser.add_argument("--no-peer", action="store_true", help="measure retrainer alone")
    arguments = parser.parse_args()
    python = None if arguments.no_peer else peer.set_up()
    OUT.mkdir(parents=True, exist_ok=True)
    # Two at once would measure each other, and write into each other's folders.
    lock = (OUT / ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"another bench is running in {OUT}; wait for it to end")
    imports = measure_imports()
    show_imports(imports)
    data = work.write_data(OUT / "data")
    work.remove_next_span(data)
    ours = measure_retrainer(data)
    theirs = measure_peer(data, python) if python else []
    show(ours, theirs)
    show_quality(bool(theirs))
    if not python and not arguments.no_peer:
        versions = " or ".join(peer.VERSIONS)
        print(
            f"TFX 1.16 needs Python {versions}, and this machine has none: retrainer's figures "
            "stand alone. PEER_PYTHON=/path/to/python3.10 names one."
        )
    figures = {"retrainer": ours, "tfx": theirs}
    results = {name: [asdict(m) for m in measured] for name, measured in figures.items()}
    results_and_imports = {**results, "imports": imports}
    (OUT / "results.json").write_text(json.dumps(results_and_imports, indent=2) + "\n")
    broken = broken_bounds(ours, theirs)
    for line in broken:
        print(f"missed: {line}")
    return int(any(m.exit_code for m in [*ours, *theirs]) or bool(broken))


def measure_retrainer(data: Path) -> list[Measured]:
    """Run retrainer into an empty store, into one that holds the first run's champion only, and for a new span."""
    first = work.write_project(OUT / "retrainer-1", data)
    measured = [run("retrainer-1", [str(RETRAINER), "run", str(first)])]
    models = first.parent / "store" / "models"
    if measured[0].exit_code == 0 and models.exists():
        second = work.write_project(OUT / "retrainer-2", data, models)
        measured.append(run("retrainer-2", [str(RETRAINER), "run", str(second)]))
        work.write_next_span(data)
        before = read_tasks(first.parent / "store")
        measured.append(run("retrainer-1-new-span", [str(RETRAINER), "run", str(first)]))
        work.remove_next_span(data)
        if measured[-1].exit_code == 0:
            # `make scale` has the bound: in a year of flights most of it depends on no row.
            print(f"{CASES[2]}: {describe_share(before, read_tasks(first.parent / 'store'))}")
    return measured


def broken_bounds(ours: list[Measured], theirs: list[Measured]) -> list[str]:
    """List the bounds that do not hold, each with what was measured."""
    broken = []
    for case, measured, peer_run in zip(CASES, ours, theirs, strict=False):
        ratio = peer_run.seconds / measured.seconds
        if ratio < LEAST_RATIO:
            broken.append(f"{case}: {ratio:.1f} times faster than TFX, not {LEAST_RATIO:g}")
    return broken


def measure_peer(data: Path, python: Path) -> list[Measured]:
    """Run TFX twice; the second run finds the first's blessed model."""
    flights = work.write_peer_data(data, OUT / "tfx-data")
    place = OUT / "tfx"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    command = [str(python), str(peer.PIPELINE), str(flights), str(place), str(work.STEPS)]
    # TFX looks for pip and the interpreter on the path.
    path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    settings = {"PATH": path, "TF_CPP_MIN_LOG_LEVEL": "2"}
    measured = []
    for number in (1, 2):
        measured.append(run(f"tfx-{number}", command, settings))
        if measured[-1].exit_code:
            break
        if number == 1 and not list(place.rglob("BLESSED")):
            print("TFX did not bless its first model: no champion, no second run")
            break
    return measured


def run(name: str, command: list[str], environment: dict[str, str] | None = None) -> Measured:
    """Measure one run and say how it went."""
    log = OUT / f"{name}.log"
    print(f"{name} ...", end=" ", flush=True)
    measured = measure(command, log, environment)
    print(f"{measured.seconds:.1f} s, {measured.peak_bytes / 2**30:.2f} GB", flush=True)
    if measured.exit_code:
        said = log.read_text(errors="replace").splitlines()[-15:]
        print("\n".join([f"{name} failed; the end of {log}:", *said]), file=sys.stderr)
    return measured


def show(ours: list[Measured], theirs: list[Measured]) -> None:
    """Print the table."""
    table = Table(title="A year of flights, 430 steps of 512, evaluated by carrier and origin")
    for heading in ("", "retrainer", "limit", "TFX 1.16", "ratio"):
        table.add_column(heading, justify="right" if heading else "left")
    for number, measured in enumerate(ours):
        # A run that failed half-way has no time to compare with.
        beside = theirs[number] if number < len(theirs) and not theirs[number].exit_code else None
        table.add_row(
            f"{CASES[number]}: seconds",
            f"{measured.seconds:.1f}",
            f"{LIMIT_SECONDS}",
            f"{beside.seconds:.1f}" if beside else "-",
            f"{beside.seconds / measured.seconds:.1f} x" if beside else "-",
        )
        table.add_row(
            f"{CASES[number]}: peak GB",
            f"{measured.peak_bytes / 2**30:.2f}",
            f"{LIMIT_BYTES / 2**30:.0f}",
            f"{beside.peak_bytes / 2**30:.2f}" if beside else "-",
            f"{beside.peak_bytes / measured.peak_bytes:.1f} x" if beside else "-",
        )
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table)
    cores = os.cpu_count()
    console.print(f"{cores} cores, {platform.machine()}, Python {platform.python_version()}")


def show_quality(peer_ran: bool) -> None:
    """Print the metrics of each run: that the same work was done shows in like numbers."""
    first, *new_span = read_quality(OUT / "retrainer-1") or [{}]
    ours = [first, *read_quality(OUT / "retrainer-2"), *new_span]
    theirs = read_quality(OUT / "tfx") if peer_ran else []
    for name, qualities in (("retrainer", ours), ("TFX 1.16", theirs)):
        for case, quality in zip(CASES, qualities, strict=False):
            parts = ", ".join(
                f"{key} {value:,.4g}" if value < 1 else f"{key} {value:,.0f}"
                for key, value in quality.items()
            )
            print(f"{name}, {case}: {parts}")


if __name__ == "__main__":
    sys.exit(main())
