"""Mutation testing: do the tests notice a small fault in the logic that matters?

Faults are drawn by a seed, evenly from the areas below, and put in one at a time; then the tests of that module run
until one fails. A fault that no test notices survives: it shows a test that is missing, or code that makes no
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
import contextlib
import fnmatch
import importlib
import os
import random
import re
import resource
import runpy
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from faults import Fault, faults_of

ROOT = Path(__file__).resolve().parents[2]
HOOK = Path(__file__).resolve().parent / "hook"
REQUIRED = 0.9
LIBRARIES = (
    "pytest",
    "pandas",
    "pyarrow.parquet",
    "kfp.compiler",
    "kfp.dsl.executor_main",
    "tensorflow",
    "keras",
    "tensorflow_data_validation",
    "tensorflow_transform.beam",
    "tensorflow_model_analysis",
)
# For one test, one that spins and one that waits for what never comes; and for all tests of a fault.
CPU_SECONDS, SECONDS, ALL_SECONDS = 40, 150, 600
MEMORY_BYTES, FILE_BYTES = 16 << 30, 1 << 30


@dataclass(frozen=True)
class Area:
    """Logic that matters.

    Attributes:
        modules: Patterns of its modules.
        tests: Test files and folders that run for each of them, after those that import it.
        without: Patterns of modules that only show something.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()


AREAS = {
    "gate": Area(
        (
            "components/evaluate_model/*.py",
            "components/evaluate_model/array_metrics/*.py",
            "components/push_model/*.py",
            "components/lib/verdicts.py",
        ),
        (
            "tests/components/evaluate_model/test_gate.py",
            "tests/components/evaluate_model/test_undefined_metrics.py",
            "tests/components/push_model/test_push.py",
            "tests/components/evaluate_model/test_input_problems.py",
            "tests/components/evaluate_model/test_evaluate.py",
            "tests/components/evaluate_model/test_champion_comparison.py",
        ),
        ("*report*", "*plot*", "*chart*", "*table*"),
    ),
    "registry": Area(
        (
            "components/lib/registry.py",
            "components/lib/numbered_records.py",
            "components/resolve_champion/*.py",
        ),
        (
            "tests/components/resolve_champion",
            "tests/components/push_model",
            "tests/pipelines/triggers/claims/test_store.py",
        ),
    ),
    "claims": Area(("pipelines/triggers/claims/*.py",), ("tests/pipelines/triggers/claims",)),
    "dispatch": Area(
        (
            "pipelines/triggers/*.py",
            "pipelines/triggers/kinds/*.py",
            "pipelines/triggers/messages/*.py",
        ),
        ("tests/pipelines/triggers/test_*.py", "tests/pipelines/triggers/messages"),
    ),
    "caching": Area(
        ("pipelines/local/caching.py", "components/lib/reuse.py", "components/lib/digests.py"),
        ("tests/pipelines/local/test_caching.py", "tests/components/lib/test_reuse.py"),
    ),
    "windows": Area(
        ("components/lib/window*.py", "components/lib/*span*.py", "components/lib/recency.py"),
        (
            "tests/components/lib/test_window*.py",
            "tests/components/lib/test_*span*.py",
            "tests/components/lib/test_recency.py",
            "tests/components/ingest_spans/test_ingest.py",
            "tests/components/ingest_spans/test_download.py",
        ),
    ),
    "drift": Area(
        ("components/validate_examples/*.py", "components/validate_examples/checks/*.py"),
        (
            "tests/components/validate_examples/checks",
            "tests/components/validate_examples/test_drift_baseline.py",
            "tests/components/validate_examples/test_faults.py",
            "tests/components/validate_examples/test_schema_inference.py",
        ),
        ("*report*", "*words*", "*accept*"),
    ),
    "ingestion": Area(
        ("components/ingest_spans/*.py", "components/ingest_spans/sources/*.py"),
        (
            "tests/components/ingest_spans/test_ingest.py",
            "tests/components/ingest_spans/test_ingest_sources.py",
            "tests/components/ingest_spans/test_private_columns.py",
            "tests/components/ingest_spans/sources/test_csv_files.py",
            "tests/components/ingest_spans/sources/test_json_lines.py",
        ),
    ),
}
# Metrics from arrays beside TFMA's own: slow tests, for the modules that compute them.
NUMBERS = "tests/components/evaluate_model/test_in_process.py"
NUMBER_MODULES = (
    *("array_path", "calibration", "confusion_matrices", "correlation", "cross_entropy"),
    *("example_count", "keras_metrics", "regression_errors"),
    *("confidence_intervals", "in_process", "on_beam", "slices"),
)
# What a component or a command says to kfp and to the user's eye.
FACES = ("*/__init__.py", "*/component.py", "*/task.py")


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


def modules_of(area: Area) -> list[str]:
    """List an area's modules.

    Raises:
        SystemExit: If a pattern matches none: a module was renamed.
    """
    found = []
    for pattern in area.modules:
        paths = sorted(str(path) for path in Path().glob(pattern))
        if not paths:
            raise SystemExit(
                f"no module matches '{pattern}': name the new one in {Path(__file__).name}"
            )
        found += paths
    without = (*area.without, *FACES)
    return [path for path in found if not any(fnmatch.fnmatch(path, one) for one in without)]


def tests_of(area: str, path: str) -> tuple[list[str], list[str]]:
    """List the test files of a module: that of its name and those that import it, and the others of its area."""
    module = path.removesuffix(".py").replace("/", ".")
    package, _, name = module.rpartition(".")
    here = Path("tests", path).parent
    imports = re.compile(
        rf"retrainer\.{re.escape(module)}\b|retrainer\.{re.escape(package)} import .*\b{name}\b"
    )
    importing = [file for file in here.rglob("test_*.py") if imports.search(read(str(file)))]
    files = [here / f"test_{name}.py", *sorted(importing)]
    near = dict.fromkeys(str(file) for file in files if file.exists())
    others = [file for pattern in AREAS[area].tests for file in test_files(pattern)]
    others += [NUMBERS] if name in NUMBER_MODULES else []
    return list(near), [file for file in dict.fromkeys(others) if file not in near]


def test_files(pattern: str) -> list[str]:
    """List test files behind a file, a folder or a pattern."""
    path = Path(pattern)
    found = path.rglob("test_*.py") if path.is_dir() else Path().glob(pattern)
    files = sorted(str(file) for file in found)
    if not files:
        raise SystemExit(f"no test matches '{pattern}': name the new one in {Path(__file__).name}")
    return files


def read(path: str) -> str:
    """Read a file of the repository."""
    return Path(path).read_text(encoding="utf-8")


def compiles(fault: Fault) -> bool:
    """Return whether the module with the fault is Python still."""
    try:
        compile(fault.faulty, fault.path, "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


def load_libraries(files: Sequence[str], scratch: str) -> None:
    """Import what the tests import beside retrainer, whose modules each fork imports with its fault."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", GRPC_VERBOSITY="ERROR")
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
    for name in LIBRARIES:
        importlib.import_module(name)
    os.environ.pop("TF_USE_LEGACY_KERAS", None)
    process = start([[*files, "--collect-only"]], scratch, None)
    os.waitpid(process.pid, 0)
    for name in Path(process.folder, "modules").read_text(encoding="utf-8").split():
        # Some are made by others, and can't be imported by themselves.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    assert not [name for name in sys.modules if name.startswith("retrainer.")]


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
                caught = process.failed() or ("a time limit, or a crash" if status else "")
                shutil.rmtree(process.folder)
                yield Outcome(area, fault, caught, time.monotonic() - process.since)
                continue
            for *_, process in running.values():
                if time.monotonic() - process.since > ALL_SECONDS:
                    process.end()
            time.sleep(0.1)
    finally:
        for *_, process in running.values():
            process.end()


@dataclass
class Process:
    """A fork that runs tests.

    Attributes:
        pid: Its process, which leads a group.
        folder: Its files.
        since: When it was started.
    """

    pid: int
    folder: str
    since: float

    @property
    def log(self) -> str:
        """What it prints."""
        return os.path.join(self.folder, "log")

    def failed(self) -> str:
        """Return the first test that failed."""
        path = Path(self.folder, "failed")
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def end(self) -> None:
        """Stop it, and what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


class Watch:
    """A pytest plugin that notes the test that failed first, and ends the process where a test does not end."""

    def __init__(self, folder: str) -> None:
        self._path = Path(folder, "failed")

    def pytest_runtest_setup(self, item) -> None:  # type: ignore[no-untyped-def]
        """Give each test its time."""
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)

    def pytest_collection_finish(self, session) -> None:  # type: ignore[no-untyped-def]
        """Note what was imported."""
        installed = [
            name
            for name, module in sys.modules.items()
            if "site-packages" in (getattr(module, "__file__", None) or "")
        ]
        Path(self._path).with_name("modules").write_text("\n".join(installed), encoding="utf-8")

    def _note(self, report) -> None:  # type: ignore[no-untyped-def]
        if report.failed and not self._path.exists():
            self._path.write_text(report.nodeid or "collection", encoding="utf-8")

    pytest_runtest_logreport = pytest_collectreport = _note


def start(stages: Sequence[Sequence[str]], scratch: str, fault: Fault | None) -> Process:
    """Fork a process that runs test files on a fault, some first."""
    folder = tempfile.mkdtemp(dir=scratch)
    pid = os.fork()
    if pid:
        return Process(pid, folder, time.monotonic())
    status = 1
    try:
        status = run_tests(stages, folder, fault)
    finally:
        os._exit(status)


def run_tests(stages: Sequence[Sequence[str]], folder: str, fault: Fault | None) -> int:
    """Run test files in this process, until a test fails, and return pytest's exit code."""
    import pytest

    # A session of its own: its processes end together.
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    log = os.open(os.path.join(folder, "log"), os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    if fault:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        source = Path(folder, "faulty.py")
        source.write_text(fault.faulty, encoding="utf-8")
        os.environ["RETRAINER_FAULT_MODULE"] = (
            f"retrainer.{fault.path.removesuffix('.py').replace('/', '.')}"
        )
        os.environ["RETRAINER_FAULT_SOURCE"] = str(source)
        os.environ["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(HOOK), os.environ.get("PYTHONPATH")])
        )
        runpy.run_path(str(HOOK / "sitecustomize.py"))
    options = ["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={folder}/tmp"]
    options += ["-m", "not integration", "-o", "addopts=--import-mode=importlib"]
    for files in filter(None, stages):
        code = pytest.main([*options, *files], plugins=[Watch(folder)])
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return int(code)
    return 0


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
