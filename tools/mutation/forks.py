"""Processes that run tests on a fault: forks of one that has imported the libraries already."""

import contextlib
import importlib
import os
import resource
import runpy
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faults import Fault

ROOT = Path(__file__).resolve().parents[2]
HOOK = ROOT / "tools" / "mutation" / "hook"
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
# For one test, one that spins and one that waits for what never comes.
CPU_SECONDS, SECONDS = 40, 200
MEMORY_BYTES, FILE_BYTES = 16 << 30, 1 << 30


def load_libraries(files: Sequence[str], scratch: str) -> None:
    """Import what the tests import beside retrainer, whose modules each fork imports with its fault."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", GRPC_VERBOSITY="ERROR")
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
    for name in LIBRARIES:
        importlib.import_module(name)
    os.environ.pop("TF_USE_LEGACY_KERAS", None)
    process = start([files], scratch, None, collect_only=True)
    os.waitpid(process.pid, 0)
    for name in Path(process.folder, "modules").read_text(encoding="utf-8").split():
        # Some are made by others, and can't be imported by themselves.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    assert not [name for name in sys.modules if name.startswith("retrainer.")]


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


def start(
    stages: Sequence[Sequence[str]], scratch: str, fault: Fault | None, collect_only: bool = False
) -> Process:
    """Fork a process that runs test files on a fault, some first; or only imports them."""
    folder = tempfile.mkdtemp(dir=scratch)
    pid = os.fork()
    if pid:
        return Process(pid, folder, time.monotonic())
    status = 1
    try:
        status = run_tests(stages, folder, fault, collect_only)
    finally:
        os._exit(status)


def lower_priority() -> None:
    """Leave the processors to whatever else runs: Linux shares them out between sessions first, then within one."""
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("19", encoding="ascii")
    os.nice(19)


def run_tests(
    stages: Sequence[Sequence[str]], folder: str, fault: Fault | None, collect_only: bool
) -> int:
    """Run test files in this process, until a test fails, and return pytest's exit code."""
    import pytest

    # A session of its own: its processes end together.
    os.setsid()
    lower_priority()
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
    # With some faults what is written to a folder goes to a path relative to this one.
    os.mkdir(os.path.join(folder, "here"))
    os.chdir(os.path.join(folder, "here"))
    options = ["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={folder}/tmp"]
    options += [f"--rootdir={ROOT}", f"--config-file={ROOT / 'pyproject.toml'}"]
    options += ["-m", "not integration", "-o", "addopts=--import-mode=importlib"]
    options += ["--collect-only"] if collect_only else []
    for files in filter(None, stages):
        paths = [str(ROOT / file) for file in files]
        code = pytest.main([*options, *paths], plugins=[Watch(folder)])
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return int(code)
    return 0
