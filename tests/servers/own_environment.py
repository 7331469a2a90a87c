"""Servers from PyPI that can't be installed beside retrainer: each in an environment of its own, made once a machine.

`requirements/servers/<name>.in` names what such an environment has, and `make lock` writes `<name>.txt` beside it, with
hashes. A test asks for its Python, and is skipped with the reason where it can't be made, as without a network:

    python = own_environment.python("moto")
    server = subprocess.Popen([python, "-m", "moto.server", "-p", str(port)])

Environments lie in `~/.cache/retrainer-tests` (or below XDG_CACHE_HOME; RETRAINER_TEST_ENVIRONMENTS names another
folder), by the digest of their lock file. Of several workers one makes an environment, and the others wait for it.
"""

import fcntl
import functools
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "requirements" / "servers"
FOLDER = "RETRAINER_TEST_ENVIRONMENTS"
_MADE = "retrainer-complete"
_MOST_SECONDS = 900


def python(name: str) -> Path:
    """Return the Python of an environment; the test is skipped where it can't be made.

    Args:
        name: Name of its lock file in `requirements/servers`.
    """
    made, problem = environment(name)
    if problem:
        pytest.skip(f"the environment '{name}' can't be made here: {problem}")
    return made / "bin" / "python"


def folder() -> Path:
    """Return where the environments lie."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get(FOLDER) or Path(cache) / "retrainer-tests")


@functools.cache
def environment(name: str) -> tuple[Path, str]:
    """Return the folder of an environment, and why it can't be made here; empty if it can."""
    lock = LOCKS / f"{name}.txt"
    version = "{}.{}".format(*sys.version_info)
    digest = hashlib.sha256(lock.read_bytes() + version.encode()).hexdigest()[:12]
    home = folder() / f"{name}-{version}-{digest}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("w") as waiting:
        fcntl.flock(waiting, fcntl.LOCK_EX)
        if not (home / _MADE).exists():
            shutil.rmtree(home, ignore_errors=True)
            if problem := _make(home, lock):
                return home, problem
            (home / _MADE).touch()
    return home, ""


def _make(home: Path, lock: Path) -> str:
    """Make an environment; return why that failed, or nothing."""
    # The environment with the lowest versions has no uv.
    places = (str(Path(sys.executable).parent), str(ROOT / ".venv/bin"), os.environ.get("PATH", ""))
    uv = shutil.which("uv", path=os.pathsep.join(places))
    if uv is None:
        return "uv is not installed"
    settings = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    if (Path(uv).parent / "pip").exists():
        try:
            settings |= _setup().uv_environment(Path(uv).parent.parent)
        except OSError as error:
            # An environment of another machine, as where its folder is mounted.
            return f"{uv} is of an environment that does not work here: {error}"
    for command in (
        [uv, "venv", "--python", sys.executable, str(home)],
        [uv, "pip", "sync", "--python", str(home), "--require-hashes", str(lock)],
    ):
        try:
            done = subprocess.run(
                command,
                env={**os.environ, **settings},
                capture_output=True,
                text=True,
                timeout=_MOST_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return f"{' '.join(command[:3])} took longer than {_MOST_SECONDS} seconds"
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["uv gives no reason"])[-1].strip()
    return ""


def _setup() -> ModuleType:
    """Load tools/setup.py, which knows pip's settings under uv's names."""
    spec = importlib.util.spec_from_file_location("retrainer_setup", ROOT / "tools" / "setup.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
