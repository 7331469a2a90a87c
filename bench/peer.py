"""The peer's environment: TFX 1.16 with a Python that it runs on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
VENV = ROOT / ".venv-tfx"
REQUIREMENTS = BENCH / "tfx_peer" / "requirements.txt"
PIPELINE = BENCH / "tfx_peer" / "pipeline.py"
VERSIONS = ("3.10", "3.9")


def set_up() -> Path | None:
    """Set up the peer's environment, once.

    Returns:
        Its Python, or None where this machine has no Python that TFX 1.16 runs on.

    Raises:
        SystemExit: If the packages can't be installed.
    """
    stamp = VENV / "retrainer-bench"
    wanted = REQUIREMENTS.read_text()
    python = VENV / "bin" / "python"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    base = find_python()
    if base is None:
        return None
    print(f"Setting up TFX 1.16 with {base} ...", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([base, "-m", "venv", VENV], check=True)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
    done = subprocess.run([*uv, "--require-hashes", "-r", str(REQUIREMENTS)])
    if done.returncode:
        sys.exit("TFX 1.16 could not be installed; uv says why above")
    stamp.write_text(wanted)
    return python


def find_python() -> str | None:
    """Find a Python for TFX 1.16: $PEER_PYTHON, one on the path, or one that pyenv keeps."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [os.environ.get("PEER_PYTHON", "")]
    for version in VERSIONS:
        candidates.append(shutil.which(f"python{version}") or "")
        kept = sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))
        candidates += [str(path) for path in kept]
    return next((candidate for candidate in candidates if candidate and runs(candidate)), None)


def runs(python: str) -> bool:
    """Whether a Python starts and is of a version that TFX 1.16 runs on: a shim may not."""
    code = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.strip() in VERSIONS
