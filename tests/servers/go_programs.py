"""Servers in Go, built where they are needed."""

import functools
import subprocess
import tempfile
from pathlib import Path

import pytest

# Removed when the session ends.
_FOLDER = tempfile.TemporaryDirectory(prefix="go-programs-")


def build(source: Path, package: str = ".", modules: str = "go.mod") -> Path:
    """Build a program, once a session; the test is skipped where that is not possible.

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


@functools.cache
def _built(source: Path, package: str, modules: str) -> tuple[Path, str]:
    binary = Path(_FOLDER.name) / f"{source.name}-{Path(package).name}-{Path(modules).stem}"
    command = ["go", "build", f"-modfile={modules}", "-o", str(binary), package]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    if not done.returncode:
        return binary, ""
    return binary, (done.stderr.strip().splitlines() or ["go gives no reason"])[-1]
