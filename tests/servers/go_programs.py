"""Programs in Go, built where they are needed: servers of tests, load generators of benches."""

import atexit
import fcntl
import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

FOLDER = "RETRAINER_TEST_GO_PROGRAMS"
"""The variable that names the folder of a session's programs: its workers share it."""


def share_folder() -> None:
    """Make the folder of this session; the workers that it starts inherit the variable."""
    if FOLDER not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="go-programs-")
        atexit.register(folder.cleanup)
        os.environ[FOLDER] = folder.name


def build(source: Path, package: str = ".", modules: str = "go.mod") -> Path:
    """Build a program of a test, once a session; the test is skipped where that is not possible.

    Args:
        source: Folder of the module.
        package: What to build within it.
        modules: The file that names the modules it is built with.

    Returns:
        The program.
    """
    binary, problem = _built(source, package, modules)
    if problem:
        pytest.skip(f"the server in {source.name} can't be built here: {problem}")
    return binary


def build_or_exit(source: Path) -> Path:
    """Build a program of a bench, which ends with the reason where that is not possible."""
    binary, problem = _built(source, ".", "go.mod")
    if problem:
        sys.exit(f"{source} is a program in Go and can't be built here: {problem}")
    return binary


@functools.cache
def _built(source: Path, package: str, modules: str) -> tuple[Path, str]:
    share_folder()
    name = "-".join((source.parent.name, source.name, Path(package).name, Path(modules).stem))
    binary = Path(os.environ[FOLDER], name)
    with binary.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if binary.exists():
            return binary, ""
        command = ["go", "build", f"-modfile={modules}", "-o", str(binary), package]
        try:
            done = subprocess.run(command, cwd=source, capture_output=True, text=True)
        except FileNotFoundError:
            return binary, "Go is not installed"
    if not done.returncode:
        return binary, ""
    return binary, (done.stderr.strip().splitlines() or ["go gives no reason"])[-1]
