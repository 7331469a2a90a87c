"""Mutation testing: do the tests notice a small fault in the logic that matters?

Faults are drawn by a seed, evenly from the areas of areas.py, and put in one at a time; then the tests of that module
run until one fails. A fault that no test notices survives: it shows a test that is missing, or code that makes no
difference.

    make mutation                  # 100 faults, seed 1
    make mutation N=20 SEED=7      # others
    make mutation AREAS="gate drift"

Ends with 1 where fewer than 90 % of the faults are caught.

Why not mutmut or cosmic-ray: mutmut (3.x) joins tests and faults by names made of file paths, and here `components/`
is imported as `retrainer.components`; it also wraps each function, whose source kfp compiles into the pipeline.
cosmic-ray changes files in place and starts the test command once a fault, and a start here takes 5 to 15 seconds, for
TensorFlow and TFX. So this process imports the libraries once and forks for each fault.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from areas import AREAS, modules_of, read, tests_of
from faults import Fault, faults_of
from forks import Process, load_libraries, start

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = 0.9
# For all tests of a fault; one that none of them caught until then survives.
ALL_SECONDS = 1200


@dataclass(frozen=True)
class Outcome:
    """What the tests made of a fault.

    Attributes:
        area: The fault's area.
        fault: The fault.
        caught_by: The test that failed; empty if none did.
        seconds: How long it took.
    """

    area: str
    fault: Fault
    caught_by: str
    seconds: float


def main() -> int:
    """Draw, run and report."""
    parser = argparse.ArgumentParser(description="Do the tests notice small faults?")
    parser.add_argument("-n", type=int, default=100, help="how many faults")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at once")
    parser.add_argument(
        "--quick", action="store_true", help="do not run the tests without a fault first"
    )
    parser.add_argument("areas", nargs="*", default=list(AREAS), help=", ".join(AREAS))
    options = parser.parse_args()
    if unknown := set(options.areas) - set(AREAS):
        parser.error(f"there is no area {', '.join(sorted(unknown))}; there are {', '.join(AREAS)}")
    os.chdir(ROOT)
    # So that nothing runs on after this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    drawn = draw(options.areas, options.n, options.seed)
    lists = [files for area, fault in drawn for files in tests_of(area, fault.path)]
    files = sorted({file for one in lists for file in one})
    with tempfile.TemporaryDirectory(prefix="mutation-") as scratch:
        load_libraries(files, scratch)
        if not options.quick and not check_tests(files, scratch):
            return 2
        outcomes = []
        for outcome in run_all(drawn, options.jobs, scratch):
            outcomes.append(outcome)
            caught = outcome.caught_by or "SURVIVED"
            print(
                f"{len(outcomes):3} {words(outcome.fault)}\n      {caught} ({outcome.seconds:.0f} s)",
                flush=True,
            )
    return report(outcomes, options.seed)


def draw(areas: Sequence[str], count: int, seed: int) -> list[tuple[str, Fault]]:
    """Draw faults, as many from each area."""
    chance = random.Random(seed)
    pools = {}
    for area in areas:
        faults = [
            fault for path in modules_of(AREAS[area]) for fault in faults_of(path, read(path))
        ]
        chance.shuffle(faults)
        pools[area] = iter(fault for fault in faults if compiles(fault))
    drawn = [(area, next(pools[area])) for _ in range(-(-count // len(areas))) for area in areas]
    return drawn[:count]


def compiles(fault: Fault) -> bool:
    """Return whether the module with the fault is Python still."""
    try:
        compile(fault.faulty, fault.path, "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


def check_tests(files: Sequence[str], scratch: str) -> bool:
    """Run the tests without any fault: one that fails would catch everything."""
    since = time.monotonic()
    process = start([files], scratch, None)
    try:
        _, status = os.waitpid(process.pid, 0)
    finally:
        process.end()
    print(f"{len(files)} test files without a fault: {time.monotonic() - since:.0f} s", flush=True)
    failed = process.failed()
    if failed or status:
        print(f"{failed or 'the tests'} failed without any fault; see {process.log}")
    return not failed and not status


def run_all(drawn: Sequence[tuple[str, Fault]], jobs: int, scratch: str) -> Iterator[Outcome]:
    """Run the tests on each fault, some at a time."""
    waiting = list(drawn)
    running: dict[int, tuple[str, Fault, Process]] = {}
    late: set[int] = set()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                area, fault = waiting.pop(0)
                process = start(tests_of(area, fault.path), scratch, fault)
                running[process.pid] = area, fault, process
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid in running:
                area, fault, process = running.pop(pid)
                process.end()
                is_late = pid in late
                caught = process.failed() or (
                    "a time limit, or a crash" if status and not is_late else ""
                )
                shutil.rmtree(process.folder)
                yield Outcome(area, fault, caught, time.monotonic() - process.since)
                continue
            for *_, process in running.values():
                if time.monotonic() - process.since > ALL_SECONDS:
                    late.add(process.pid)
                    process.end()
            time.sleep(0.1)
    finally:
        for *_, process in running.values():
            process.end()


def words(fault: Fault) -> str:
    """Describe a fault in one line."""
    before, after = (" ".join(text.split()) for text in (fault.before, fault.after))
    return f"{fault.path}:{fault.line}: {before[:120]} -> {after[:120]}"


def report(outcomes: Sequence[Outcome], seed: int) -> int:
    """Print the table and the survivors, and return the exit code."""
    drawn = Counter(outcome.area for outcome in outcomes)
    caught = Counter(outcome.area for outcome in outcomes if outcome.caught_by)
    print(f"\n{'area':12}{'drawn':>7}{'caught':>8}")
    for area, count in drawn.items():
        print(f"{area:12}{count:7}{caught[area]:8}")
    share = caught.total() / drawn.total()
    print(f"{'all':12}{drawn.total():7}{caught.total():8}  ({share:.0%}, seed {seed})")
    survivors = [outcome for outcome in outcomes if not outcome.caught_by]
    if survivors:
        print("\nSurvived:")
        for outcome in survivors:
            print(f"  {words(outcome.fault)}")
    return 0 if share >= REQUIRED else 1


if __name__ == "__main__":
    sys.exit(main())
